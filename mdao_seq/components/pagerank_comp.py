"""PageRank scores as an output of an OpenMDAO model."""

from numbers import Integral

import numpy as np
import openmdao.api as om

from mdao_seq.approximation._openmdao.systems import is_wanted
from mdao_seq.graph.batch import pagerank_batch
from mdao_seq.graph.distribution import node_values
from mdao_seq.graph.errors import InputError, NotConverged, NotDifferentiable
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.methods import METHODS
from mdao_seq.graph.pagerank import SMALLEST_TOL
from mdao_seq.graph.sensitivity import linearize


class PageRankComp(om.ExplicitComponent):
    """Scores of the nodes of a graph, differentiable in weights, damping and personalization.

    The scores pi solve ``pi = a (P^T pi + (d^T pi) v) + (1 - a) v`` with sum 1, where P is the
    matrix of edge weights divided by its row sums, a the damping, v the personalization divided by
    its sum and d marks nodes without outgoing weight, as in NetworkX. Derivative products are
    exact: one linear solve each (see `mdao_seq.graph.sensitivity`).

    Inputs
    ------
    weights : (nnz,)
        Weight of each edge, not negative, in the order of the graph's pattern (sorted by src, then
        dst; ``graph.edge_map`` says where each edge that was passed went). Unitless: only the
        ratios within a row matter.
    damping : (1,)
        Probability of following an edge, in [0, 1).
    personalization : (n,)
        Where the walk starts anew, not negative, of any positive sum.

    Outputs
    -------
    rank : (n,) or (len(of_nodes),)
        Scores, dimensionless.

    Raises
    ------
    openmdao.api.AnalysisError
        If an input is out of range, if the solve does not converge, or if derivatives with respect
        to the weights are asked for where all weights that leave a node are zero.
    ValueError
        If an option is wrong.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare('graph', types=Graph, desc='Pattern of edges and initial weights.')
        self.options.declare(
            'damping',
            types=(int, float),
            default=0.85,
            check_valid=_check_damping,
            desc='Initial value of the damping, in [0, 1).',
        )
        self.options.declare(
            'personalization',
            default=None,
            desc='Initial value of the personalization: a dict by node or label, an array (n,), '
            'or None for the same at every node.',
        )
        self.options.declare(
            'tol',
            types=float,
            default=1e-14,
            check_valid=_check_tol,
            desc='Largest 1-norm of the residual of the scores; derivatives are solved for '
            'accordingly.',
        )
        self.options.declare(
            'method',
            values=('auto', *METHODS),
            default='auto',
            desc='How to solve: direct (LU) or power; auto chooses by the size of the graph.',
        )
        self.options.declare(
            'max_iterations',
            types=int,
            default=None,
            lower=1,
            allow_none=True,
            desc='Most iterations of one solve; None: what the damping may need, at most 10 000.',
        )
        self.options.declare(
            'of_nodes',
            default=None,
            desc='Nodes (or one), by label or number, whose scores are the output; None: all.',
        )

    def setup(self):
        """Declare inputs and output."""
        graph = self.options['graph']
        if graph.nnz == 0:
            raise ValueError(f'{self.msginfo}: the graph has no edges')
        try:
            self._nodes = self._output_nodes(graph, self.options['of_nodes'])
            personalization = self._start(graph, self.options['personalization'])
        except InputError as error:
            raise ValueError(f'{self.msginfo}: {error}') from None
        self._solved_at = self._solved = None

        self.add_input('weights', val=graph.weights, desc='weights of the edges')
        self.add_input('damping', val=self.options['damping'], desc='probability of an edge')
        self.add_input('personalization', val=personalization, desc='where the walk starts anew')
        self.add_output('rank', shape=self._nodes.size, val=1.0 / graph.n, desc='scores')

    @staticmethod
    def _output_nodes(graph, of_nodes):
        if of_nodes is None:
            return np.arange(graph.n)
        if isinstance(of_nodes, str | Integral):
            of_nodes = [of_nodes]
        nodes = np.array([graph.node(node) for node in of_nodes], dtype=int)
        if np.unique(nodes).size != nodes.size or not nodes.size:
            raise InputError('of_nodes must name some nodes, each once')
        return nodes

    @staticmethod
    def _start(graph, personalization):
        if personalization is None:
            return np.full(graph.n, 1.0 / graph.n)
        return node_values(graph, personalization, 'personalization')

    def compute(self, inputs, outputs):
        """Solve for the scores."""
        outputs['rank'] = self._linearized(inputs).result.scores[self._nodes]

    def compute_batch(self, inputs, outputs):
        """Solve at many points, which share each pass over the edges."""
        scores = None
        if not any(np.iscomplexobj(value) for value in inputs.values()):
            scores = self._solved_together(inputs)
        for k, rank in enumerate(outputs['rank']):
            if scores is not None:
                rank[:] = scores[k, self._nodes]
            else:
                point = {name: value[k] for name, value in inputs.items()}
                rank[:] = self._linearized(point).result.scores[self._nodes]

    def _solved_together(self, inputs):
        """Return the scores at many points; None where power iteration does not get there."""
        options = self.options
        try:
            return pagerank_batch(
                options['graph'],
                inputs['weights'],
                inputs['damping'][:, 0],
                inputs['personalization'],
                tol=options['tol'],
                start=None if self._solved_at is None else self._solved.result.scores.real,
                max_iterations=options['max_iterations'],
            )
        except InputError as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error
        except NotConverged:
            return None

    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        """Add the product of the derivatives with `d_inputs`, or their transpose's."""
        if 'rank' not in d_outputs or not len(d_inputs):
            return
        linearized = self._linearized(inputs)
        try:
            if mode == 'fwd':
                change = linearized.jvp(**{name: _vector(name, d_inputs) for name in d_inputs})
                d_outputs['rank'] += change[self._nodes]
            else:
                scores_bar = np.zeros(self.options['graph'].n, dtype=d_outputs['rank'].dtype)
                scores_bar[self._nodes] = d_outputs['rank']
                # OpenMDAO offers every input; one that nobody asks about may have no derivative.
                wanted = [name for name in d_inputs if is_wanted(self, name)]
                gradient = linearized.vjp(scores_bar, with_weights='weights' in wanted)
                for name in wanted:
                    d_inputs[name] += getattr(gradient, name)
        except (NotConverged, NotDifferentiable) as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error

    def _linearized(self, inputs):
        """Return the solution at `inputs`, made once for each input point."""
        point = {name: _real_where_possible(inputs[name]) for name in inputs}
        if self._solved_at is None or not _same(point, self._solved_at):
            options = self.options
            self._solved_at = None
            try:
                self._solved = linearize(
                    options['graph'],
                    damping=point['damping'][0],
                    personalization=point['personalization'],
                    weights=point['weights'],
                    tol=options['tol'],
                    method=options['method'],
                    max_iterations=options['max_iterations'],
                )
            except (InputError, NotConverged) as error:
                raise om.AnalysisError(f'{self.msginfo}: {error}') from error
            self._solved_at = point
        return self._solved


def _check_damping(name, value):
    if not 0 <= value < 1:
        raise ValueError(f'{name} = {value}: must be in [0, 1)')


def _check_tol(name, value):
    if not value >= SMALLEST_TOL:
        raise ValueError(f'{name} = {value}: below what float64 can give ({SMALLEST_TOL:.1e})')


def _vector(name, d_inputs):
    return d_inputs[name][0] if name == 'damping' else d_inputs[name]


def _real_where_possible(value):
    """Return a copy of `value`, real if its imaginary part is zero."""
    return value.copy() if np.any(value.imag) else value.real.copy()


def _same(point, other):
    return all(np.array_equal(point[name], other[name]) for name in point)
