"""PageRank scores as outputs of an OpenMDAO model."""

from contextlib import contextmanager

import numpy as np
import openmdao.api as om

from mdao_seq._optional import has_numba
from mdao_seq.approximation._openmdao.systems import is_wanted
from mdao_seq.components.derivative_options import declare_differences, settle_partials
from mdao_seq.components.pagerank_options import declare_pagerank_options
from mdao_seq.components.pagerank_partials import (
    declare_entries,
    difference_settings,
    fill_entries,
)
from mdao_seq.components.pagerank_variables import PageRankVariables
from mdao_seq.graph.batch import pagerank_batch
from mdao_seq.graph.distribution import node_values
from mdao_seq.graph.edge_groups import EdgeGroups
from mdao_seq.graph.errors import InputError, NotConverged, NotDifferentiable
from mdao_seq.graph.pagerank import finest_tol
from mdao_seq.graph.readout import Readout, nodes_of
from mdao_seq.graph.sensitivity import all_zero, linearize_walk
from mdao_seq.graph.transition import Transition
from mdao_seq.graph.walk import Walk


class PageRankComp(om.ExplicitComponent):
    """Scores of the nodes of a graph, differentiable in weights, damping and personalization.

    The scores pi solve ``pi = a (P^T pi + (d^T pi) u) + (1 - a) v`` with sum 1, where P is the
    matrix of edge weights divided by its row sums, a the damping, v the personalization divided by
    its sum, d marks nodes without outgoing weight and u is where these pass their mass to (v unless
    given), as in NetworkX. By default matrix-free: derivative products are exact, one linear solve
    each (see `mdao_seq.graph.sensitivity`). Inputs that the option `inputs` leaves out cost
    nothing.

    Inputs
    ------
    weights : (nnz,)
        Weight of each edge, not negative, in the order of the graph's pattern (sorted by src, then
        dst; ``graph.edge_map`` says where each edge that was passed went, ``graph.edge(src, dst)``
        where one is). Unitless: only the ratios within a row matter. With `edge_groups`: (groups,),
        the factor of each group, 1 at first.
    damping : (1,)
        Probability of following an edge, in [0, 1).
    personalization : (n,)
        Where the walk starts anew, not negative, of any positive sum.
    dangling : (n,)
        Where nodes without outgoing weight pass their mass to, likewise; an input only if the
        option `inputs` names it.

    Outputs
    -------
    rank : (n,) or (len(of_nodes),)
        Scores, dimensionless.
    <each of groups> : (1,)
        Sum of the scores of its nodes.
    log_rank, log_<each of groups> : their shape
        Natural logarithms, with ``log=True``.

    Raises
    ------
    openmdao.api.AnalysisError
        If an input is out of range, if the solve does not converge, if a logarithm is asked for of
        a score that is zero, or if derivatives with respect to the weights are asked for where all
        weights that leave a node are zero.
    ValueError
        If an option is wrong.
    """

    def initialize(self):
        """Declare the options."""
        declare_pagerank_options(self.options)
        self._result = None

    def setup(self):
        """Declare inputs and outputs."""
        graph = self.options['graph']
        if graph.nnz == 0:
            raise ValueError(f'{self.msginfo}: the graph has no edges')
        if self.options['method'] == 'gauss_seidel' and not has_numba():
            raise ValueError(
                f"{self.msginfo}: method='gauss_seidel' needs numba: pip install numba, or take "
                "method='auto'"
            )
        settle_partials(self)
        try:
            self._variables = variables = self._make_variables()
        except InputError as error:
            raise ValueError(f'{self.msginfo}: {error}') from None
        self._solved_at = self._solved = self._result = None
        self._zero_rows = np.empty(0, int)
        self._transition = Transition.of(graph)

        for name, start in variables.starts.items():
            self.add_input(name, val=start, desc=_MEANINGS[name])
        equal = variables.readout.values(np.full(graph.n, 1.0 / graph.n))
        start = dict(variables.flat_outputs.by_name(equal))
        for name, shape in variables.readout.shapes.items():
            self.add_output(name, val=start[name], shape=shape, desc='of the scores')

    def _make_variables(self):
        options, graph = self.options, self.options['graph']
        groups = {
            name: nodes_of(graph, nodes, f'groups[{name!r}]')
            for name, nodes in options['groups'].items()
        }
        of_nodes = options['of_nodes']
        if of_nodes is None and groups:
            of_nodes = ()
        else:
            of_nodes = nodes_of(graph, of_nodes, 'of_nodes')
        readout = Readout(graph, of_nodes, groups, options['log'])

        values = {'weights': graph.weights, 'damping': np.array([float(options['damping'])])}
        edge_groups = None
        if options['edge_groups'] is not None:
            if 'weights' not in options['inputs']:
                raise InputError("edge_groups are without use where 'weights' is not among inputs")
            edge_groups = EdgeGroups(graph, options['edge_groups'])
            values['weights'] = np.ones(len(edge_groups.names))
        values['personalization'] = np.full(graph.n, 1.0 / graph.n)
        if options['personalization'] is not None:
            values['personalization'] = node_values(
                graph, options['personalization'], 'personalization'
            )
        if options['dangling'] is not None:
            values['dangling'] = node_values(graph, options['dangling'], 'dangling')
        elif 'dangling' in options['inputs']:
            values['dangling'] = values['personalization']
        return PageRankVariables(values, options['inputs'], edge_groups, readout)

    @property
    def result(self):
        """The `PageRankResult` of the last run: method, iterations, residual; None before it."""
        return self._result

    def setup_partials(self):
        """Declare entries, or differences; matrix-free there is nothing to declare."""
        partials = self.options['partials']
        if partials == 'fd':
            declare_differences(self, difference_settings(self._variables))
        elif partials != 'matrix_free':
            self._declared = declare_entries(self, self._variables, partials == 'sparse')

    def compute(self, inputs, outputs):
        """Solve for the scores."""
        self._put(self._linearized(inputs).result.scores, outputs)

    def compute_batch(self, inputs, outputs):
        """Solve at many points, which share each pass over the edges."""
        with self._failing():
            arguments = self._variables.batch(inputs)
            arguments['weights'] = self._without_new_rows(arguments['weights'])
            found = self._solved_together(arguments)
        for k, scores in enumerate(found):
            row = {name: value[k] for name, value in outputs.items()}
            self._put(scores, row)
            for name, value in row.items():
                outputs[name][k] = value

    def _without_new_rows(self, weights):
        """Keep a difference from giving weight to a node that has none: the scores jump there."""
        if not self.under_approx or not self._zero_rows.size:
            return weights
        is_new = np.isin(self.options['graph'].src, self._zero_rows)
        if not np.any(weights[..., is_new]):
            return weights
        if not self.options['allow_zero_rows']:
            raise all_zero(self.options['graph'], self._zero_rows)
        return np.where(is_new, 0.0, weights)

    def _solved_together(self, arguments):
        """Return the scores at many points, one by one where power iteration does not get there."""
        options = self.options
        try:
            if not any(np.iscomplexobj(value) for value in arguments.values()):
                return pagerank_batch(
                    options['graph'],
                    **arguments,
                    tol=self._tol,
                    start=self._last_scores(),
                    max_iterations=options['max_iterations'],
                )[0]
        except NotConverged:
            pass
        names, values = zip(*arguments.items(), strict=True)
        points = zip(*values, strict=True)
        return [self._solve(**dict(zip(names, at, strict=True))).result.scores for at in points]

    def _put(self, scores, outputs):
        variables = self._variables
        try:
            values = variables.readout.values(scores)
        except InputError as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error
        variables.flat_outputs.put(values, outputs)

    def compute_partials(self, inputs, partials):
        """Fill in the entries."""
        if self.options['partials'] in ('dense', 'sparse'):
            linearized = self._linearized(inputs)
            with self._failing():
                wanted = [name for name in self._variables.starts if is_wanted(self, name)]
                fill_entries(self._declared, self._variables, linearized, wanted, partials)

    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        """Add the product of the derivatives with `d_inputs`, or their transpose's."""
        if not len(d_outputs) or not len(d_inputs):
            return
        variables = self._variables
        linearized = self._linearized(inputs)
        scores = linearized.result.scores
        with self._failing():
            if mode == 'fwd':
                change = linearized.jvp(**variables.change(d_inputs))
                variables.flat_outputs.add(variables.readout.change(scores, change), d_outputs)
            else:
                bar = variables.readout.sensitivity(scores, variables.flat_outputs.get(d_outputs))
                # OpenMDAO offers every input; one that nobody asks about may have no derivative.
                wanted = [name for name in d_inputs if is_wanted(self, name)]
                for name, derivative in variables.by_input(linearized.vjp(bar, wanted)):
                    if name in d_inputs:
                        d_inputs[name] += derivative

    @contextmanager
    def _failing(self):
        """Raise as OpenMDAO knows it what a solve raises."""
        try:
            yield
        except (InputError, NotConverged, NotDifferentiable) as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error

    def _linearized(self, inputs):
        """Return the solution at `inputs`, made once for each input point."""
        values, settings = self._variables.flat_inputs.get(inputs), self._settings()
        if (
            self._solved_at is None
            or settings != self._solved_with
            or not np.array_equal(values, self._solved_at)
        ):
            self._solved_at, at = None, np.array(values)
            with self._failing():
                self._solved = self._solve(**self._variables.point(at))
            self._solved_at, self._solved_with = at, settings
            if not self.under_approx:
                self._zero_rows = self._transition.zero_rows
                self._result = self._solved.result
        return self._solved

    def _solve(self, **arguments):
        walk = self._walk(**arguments)
        return linearize_walk(walk, warm_start=self._last_scores(), **self._settings())

    def _settings(self):
        names = 'method', 'max_iterations', 'allow_zero_rows'
        return {'tol': self._tol} | {name: self.options[name] for name in names}

    @property
    def _tol(self):
        tol = self.options['tol']
        return finest_tol(self.options['graph']) if tol is None else tol

    def _walk(self, weights, damping, personalization, dangling=None):
        """Return the walk; what is prepared for weights serves until they change."""
        weights, last = self._without_new_rows(weights), self._transition.weights
        same = weights is last or (weights.dtype == last.dtype and np.array_equal(weights, last))
        if not same:
            self._transition = Transition(self.options['graph'], weights)
        return Walk(self._transition, damping, personalization, dangling)

    def _last_scores(self):
        """Return the scores to start a solve from."""
        if self._solved is None or not self.options['warm_start']:
            return None
        return self._solved.result.scores.real


_MEANINGS = {
    'weights': 'weights of the edges, or factors of groups of edges',
    'damping': 'probability of following an edge',
    'personalization': 'where the walk starts anew',
    'dangling': 'where nodes without outgoing weight pass their mass to',
}
