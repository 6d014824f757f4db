"""What components that judge a ranking have in common."""

from numbers import Integral

import numpy as np
import openmdao.api as om

from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph


class RankMeasureComp(om.ExplicitComponent):
    """Numbers made of scores.

    A subclass has the name of its `output`, a method ``prepared()`` that checks its options and
    returns the shape of the output, and ``measured(scores)``, which returns values and their
    gradients (values, n).
    """

    output = ''

    def initialize(self):
        """Declare the options that all have."""
        self.options.declare(
            'graph', types=Graph, default=None, allow_none=True, desc='Whose scores are the input.'
        )
        self.options.declare(
            'n',
            types=Integral,
            default=None,
            allow_none=True,
            lower=2,
            desc='Number of scores; None: nodes of the graph.',
        )

    def setup(self):
        """Declare input and output."""
        graph, n = self.options['graph'], self.options['n']
        if n is None and graph is None:
            raise ValueError(f'{self.msginfo}: neither graph nor n is given: how many scores?')
        if n is not None and graph is not None and n != graph.n:
            raise ValueError(
                f'{self.msginfo}: n = {n}, but the graph has {graph.n} nodes: leave one of them out'
            )
        self.size = graph.n if n is None else int(n)
        if self.size < 2:
            raise ValueError(f'{self.msginfo}: {self.size} scores: at least two are needed')
        self.add_input('rank', val=np.full(self.size, 1.0 / self.size), desc='scores')
        try:
            shape = self.prepared()
        except InputError as error:
            raise ValueError(f'{self.msginfo}: {error}') from None
        self.add_output(self.output, shape=shape)

    def setup_partials(self):
        """Declare them, dense: every score counts."""
        self.declare_partials(self.output, 'rank')

    def compute(self, inputs, outputs):
        """Set the numbers."""
        outputs[self.output] = self._measured(inputs)[0]

    def compute_partials(self, inputs, partials):
        """Set their gradients."""
        gradient = np.atleast_2d(self._measured(inputs)[1])
        if not np.all(np.isfinite(gradient)):
            i = int(np.argmin(np.isfinite(gradient).all(axis=0)))
            raise om.AnalysisError(
                f'{self.msginfo}: rank[{i}] = {inputs["rank"][i]}: {self.output} has no finite '
                'derivative there'
            )
        partials[self.output, 'rank'] = gradient

    def _measured(self, inputs):
        try:
            return self.measured(np.array(inputs['rank']))
        except InputError as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error

    def node(self, label):
        """Return the place of a score, by label or number of the node."""
        graph = self.options['graph']
        if graph is not None:
            return graph.node(label)
        if not (isinstance(label, Integral) and 0 <= label < self.size):
            raise InputError(f'unknown node {label!r}: there are {self.size} scores, from 0')
        return int(label)
