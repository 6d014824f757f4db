"""Weights of edges from flows, similarities or design structure matrices."""

import numpy as np
import openmdao.api as om

from mdao_seq.graph.adjacency import (
    DesignStructureAdjacency,
    FlowAdjacency,
    SimilarityAdjacency,
)


class AdjacencyComp(om.ExplicitComponent):
    """The weights of a graph's edges, for `PageRankComp`, with exact sparse partials.

    What weights are made of is the option `adjacency`: a `FlowAdjacency`, whose links become edges
    in the direction in which they flow, a `SimilarityAdjacency`, whose pairs become edges above a
    threshold, or a `DesignStructureAdjacency`, whose marks become edges toward what is depended on.
    Its ``graph`` is the one to pass to `PageRankComp`.

    Inputs
    ------
    flows : (links,)
        In the option `units`, positive from src to dst.
    similarities : (n * n,)
        Row by row; the diagonal does not count.
    marks : (marks,)
        Strengths of dependence, row by row of the matrix.

    Outputs
    -------
    weights : (nnz,)
        In the order of the graph's pattern; unitless, since only ratios within a row matter.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare(
            'adjacency',
            types=(FlowAdjacency, SimilarityAdjacency, DesignStructureAdjacency),
            desc='What the weights are made of.',
        )
        self.options.declare(
            'units',
            types=str,
            default=None,
            allow_none=True,
            desc='Units of the input.',
        )

    def setup(self):
        """Declare input and output."""
        adjacency, units = self.options['adjacency'], self.options['units']
        start = getattr(adjacency, 'strengths', np.ones(adjacency.size))
        self.add_input(adjacency.name, val=start, units=units)
        self.add_output('weights', val=adjacency.weights(start))

    def setup_partials(self):
        """Declare the entries that can be other than zero."""
        adjacency = self.options['adjacency']
        self.declare_partials('weights', adjacency.name, rows=adjacency.rows, cols=adjacency.cols)

    def compute(self, inputs, outputs):
        """Set the weights."""
        adjacency = self.options['adjacency']
        outputs['weights'] = adjacency.weights(inputs[adjacency.name])

    def compute_partials(self, inputs, partials):
        """Fill in the entries."""
        adjacency = self.options['adjacency']
        partials['weights', adjacency.name] = adjacency.slopes(inputs[adjacency.name])
