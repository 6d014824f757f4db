"""PageRankComp: derivatives, points, copies, bad input, and a driver run."""

import copy
import pickle

import networkx as nx
import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import Graph, PageRankComp, PerOutputFD, count_calls, fd_cost, pagerank
from tests.derivative_checks import check_derivatives, partials_of
from tests.graph.graphs import each_method, random_graph
from tests.shared_data import shared_arrays


def values_for(graph, seed=0):
    rng = np.random.default_rng(seed)
    return {
        'weights': rng.uniform(0.1, 1.0, graph.nnz),
        'damping': 0.8,
        'personalization': rng.uniform(0.1, 1.0, graph.n),
    }


def problem_of(comp, **values):
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    problem.setup(force_alloc_complex=True)
    for name, value in values.items():
        problem.set_val(f'comp.{name}', value)
    return problem


@each_method
@pytest.mark.parametrize('of_nodes', [None, [7, 2, 11]])
def test_derivatives(method, of_nodes):
    graph = random_graph(n=15, edges=40)
    check_derivatives(
        lambda: PageRankComp(graph=graph, method=method, of_nodes=of_nodes), values_for(graph)
    )


def test_derivatives_at_zero_weights_and_zero_personalization():
    graph = random_graph(n=15, edges=40)
    personalization = np.zeros(graph.n)
    personalization[[2, 9]] = 1.0
    problem = problem_of(PageRankComp(graph=graph, personalization=personalization))
    problem.run_model()
    for entry in problem.check_partials(method='cs', out_stream=None)['comp'].values():
        scale = np.abs(entry['J_fd']).max()
        assert np.abs(entry['J_fwd'] - entry['J_fd']).max() <= 1e-12 * scale
        assert np.abs(entry['J_rev'] - entry['J_fd']).max() <= 1e-12 * scale


def test_derivatives_on_a_design_structure_matrix():
    data = shared_arrays('dsm_ead')
    graph = Graph.from_edges(
        data['dieselEngine_src'], data['dieselEngine_dst'], labels=data['dieselEngine_labels']
    )
    check_derivatives(
        lambda: PageRankComp(graph=graph, of_nodes=data['dieselEngine_labels'][:3]),
        values_for(graph),
    )


def test_initial_values_come_from_the_options():
    graph = Graph.from_edges(['a', 'b', 'c'], ['b', 'c', 'a'], [1.0, 2.0, 3.0])
    comp = PageRankComp(graph=graph, damping=0.5, personalization={'b': 2.0}, of_nodes=['c', 'a'])
    problem = problem_of(comp)
    problem.run_model()
    np.testing.assert_array_equal(problem.get_val('comp.weights'), graph.weights)
    np.testing.assert_array_equal(problem.get_val('comp.personalization'), [0.0, 2.0, 0.0])
    scores = pagerank(graph, 0.5, {'b': 1.0}).scores
    np.testing.assert_allclose(problem.get_val('comp.rank'), scores[[2, 0]], rtol=1e-13)


def test_derivatives_follow_the_input_point():
    graph = random_graph()
    problem = problem_of(PageRankComp(graph=graph))
    for seed in range(3):
        values = values_for(graph, seed)
        for name, value in values.items():
            problem.set_val(f'comp.{name}', value)
        problem.run_model()
        totals = problem.compute_totals(['comp.rank'], ['comp.damping'])
        moved = values | {'damping': values['damping'] + 1e-40j}
        reference = pagerank(graph, tol=1e-14, **moved).scores.imag / 1e-40
        got = totals['comp.rank', 'comp.damping'].ravel()
        np.testing.assert_allclose(got, reference, rtol=0, atol=1e-12 * np.abs(reference).max())


def test_one_solve_serves_a_point(monkeypatch):
    from mdao_seq.components import pagerank_comp

    made = []
    real = pagerank_comp.linearize_walk
    counted = lambda *a, **k: made.append(1) or real(*a, **k)  # noqa: E731
    monkeypatch.setattr(pagerank_comp, 'linearize_walk', counted)
    graph = random_graph()
    problem = problem_of(PageRankComp(graph=graph))
    problem.run_model()
    problem.compute_totals(['comp.rank'], ['comp.weights'])
    assert len(made) == 1
    problem.set_val('comp.damping', 0.7)
    problem.run_model()
    problem.compute_totals(['comp.rank'], ['comp.weights', 'comp.personalization'])
    assert len(made) == 2


def test_failed_point_is_not_remembered():
    graph = random_graph()
    problem = problem_of(PageRankComp(graph=graph))
    problem.run_model()
    before = problem.get_val('comp.rank').copy()
    problem.set_val('comp.damping', 1.5)
    for _ in range(2):
        with pytest.raises(om.AnalysisError):
            problem.run_model()
    problem.set_val('comp.damping', 0.85)
    problem.run_model()
    np.testing.assert_array_equal(problem.get_val('comp.rank'), before)


def test_survives_copies_and_a_second_setup():
    graph = random_graph()
    problem = problem_of(PageRankComp(graph=graph), **values_for(graph))
    problem.run_model()
    expected = problem.compute_totals(['comp.rank'], ['comp.weights'], return_format='array')
    copied = copy.deepcopy(problem.model.comp)
    assert copied.options['graph'] is graph
    pickled = pickle.loads(pickle.dumps(PageRankComp(graph=graph)))
    problem.setup(force_alloc_complex=True)
    for other in (problem, problem_of(copied), problem_of(pickled)):
        for name, value in values_for(graph).items():
            other.set_val(f'comp.{name}', value)
        other.run_model()
        totals = other.compute_totals(['comp.rank'], ['comp.weights'], return_format='array')
        np.testing.assert_array_equal(totals, expected)


def test_complex_step_across_the_model_agrees_with_exact_totals():
    graph = random_graph()

    def totals(approximated):
        problem = om.Problem(reports=False)
        model = problem.model
        model.add_subsystem('scale', om.ExecComp('y = x**2', shape=graph.nnz), promotes=['x'])
        model.add_subsystem('comp', PageRankComp(graph=graph), promotes=['rank'])
        model.connect('scale.y', 'comp.weights')
        if approximated:
            model.approx_totals(method='cs')
        problem.setup(force_alloc_complex=True)
        problem.set_val('x', np.random.default_rng(0).uniform(0.5, 1.0, graph.nnz))
        problem.run_model()
        return problem.compute_totals(['rank'], ['x'], return_format='array')

    exact = totals(False)
    assert np.abs(totals(True) - exact).max() <= 1e-12 * np.abs(exact).max()


@pytest.mark.parametrize(
    ('name', 'index', 'value', 'message'),
    [
        (
            'weights',
            4,
            -0.5,
            r"'comp' <class PageRankComp>: weights\[4\] = -0.5 \(edge \d+ -> \d+\)",
        ),
        ('weights', 4, np.nan, r"'comp' <class PageRankComp>: weights\[4\] = nan"),
        ('damping', 0, 1.0, r"'comp' <class PageRankComp>: damping = 1.0: must be in \[0, 1\)"),
        ('damping', 0, -0.1, r"'comp' <class PageRankComp>: damping = -0.1"),
        ('damping', 0, np.nan, r"'comp' <class PageRankComp>: damping = nan"),
        (
            'personalization',
            3,
            -2.0,
            r"'comp' <class PageRankComp>: personalization\[3\] = -2.0 \(node 3\)",
        ),
        ('personalization', 3, np.nan, r"'comp' <class PageRankComp>: personalization\[3\] = nan"),
        (
            'personalization',
            slice(None),
            0.0,
            r"'comp' <class PageRankComp>: personalization sums to 0.0",
        ),
    ],
)
def test_bad_input_is_an_analysis_error_that_names_it(name, index, value, message):
    graph = random_graph()
    problem = problem_of(PageRankComp(graph=graph))
    values = problem.get_val(f'comp.{name}').copy()
    values[index] = value
    problem.set_val(f'comp.{name}', values)
    with pytest.raises(om.AnalysisError, match=message):
        problem.run_model()


def test_not_converged_is_an_analysis_error():
    comp = PageRankComp(graph=random_graph(), method='power', max_iterations=4)
    with pytest.raises(
        om.AnalysisError,
        match=r"'comp' <class PageRankComp>: power came to a residual of .* in 4 iter",
    ):
        problem_of(comp).run_model()


def test_row_of_zeros_runs_but_has_no_weight_derivative():
    graph = Graph.from_edges([0, 1, 1, 2], [1, 0, 2, 0], labels=['a', 'b', 'c'])
    problem = problem_of(PageRankComp(graph=graph), weights=[1.0, 0.0, 0.0, 2.0])
    problem.run_model()
    assert problem.get_val('comp.rank').sum() == pytest.approx(1.0)
    with pytest.raises(
        om.AnalysisError,
        match="'comp' <class PageRankComp>: all weights that leave node 'b' are zero",
    ):
        problem.compute_totals(['comp.rank'], ['comp.weights'])
    totals = problem.compute_totals(['comp.rank'], ['comp.damping'])
    assert np.all(np.isfinite(totals['comp.rank', 'comp.damping']))


@pytest.mark.parametrize('mode', ['fwd', 'rev'])
def test_a_row_of_zeros_does_not_matter_to_who_does_not_ask_for_weights(mode):
    """A bug once: in reverse OpenMDAO offers the weights whoever asks, and that raised."""
    graph = Graph.from_edges([0, 0, 1, 2], [1, 2, 2, 0], [0.0, 0.0, 1.0, 1.0])
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', PageRankComp(graph=graph, of_nodes=2), promotes=['*'])
    problem.setup(mode=mode)
    slope = []
    for damping in (0.85 - 1e-4, 0.85 + 1e-4, 0.85):
        problem.set_val('damping', damping)
        problem.run_model()
        slope.append(problem.get_val('rank')[0])
    totals = problem.compute_totals(['rank'], ['damping'])
    expected = (slope[1] - slope[0]) / 2e-4
    assert totals['rank', 'damping'].item() == pytest.approx(expected, rel=1e-7)
    if mode == 'rev':
        with pytest.raises(om.AnalysisError, match='all weights that leave node 0 are zero'):
            problem.compute_totals(['rank'], ['weights'])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'damping': 1.0}, 'damping = 1.0'),
        ({'tol': 1e-17}, 'below what float64 can give'),
        ({'method': 'guess'}, 'guess'),
        ({'of_nodes': [1, 99]}, 'unknown node 99'),
        ({'of_nodes': [1, 1]}, 'each once'),
        ({'max_iterations': 0}, 'max_iterations'),
        ({'of_nodes': []}, 'of_nodes must name some nodes'),
        ({'personalization': {0: -1.0}}, r'personalization\[0\] = -1.0'),
        ({'personalization': np.ones(3)}, r'PageRankComp.*personalization has shape \(3,\)'),
        ({'graph': Graph.from_edges([], [], n=2)}, 'no edges'),
    ],
)
def test_bad_options_are_value_errors(options, message):
    with pytest.raises(ValueError, match=message):
        problem_of(PageRankComp(**({'graph': random_graph()} | options)))


def test_a_driver_raises_the_rank_of_a_node():
    """SLSQP moves the weights of a club's ties, their sum kept, until member 8 ranks highest."""
    club = nx.karate_club_graph().to_directed()
    src, dst = np.array(club.edges()).T
    graph = Graph.from_edges(src, dst)
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('comp', PageRankComp(graph=graph, of_nodes=[8]), promotes=['*'])
    model.add_subsystem('budget', om.ExecComp('total = sum(weights)', weights=graph.weights))
    model.promotes('budget', inputs=['weights'], outputs=['total'])
    model.add_design_var('weights', lower=0.5, upper=2.0)
    model.add_constraint('total', equals=float(graph.nnz))
    model.add_objective('rank', index=0, scaler=-100.0)
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', tol=1e-9, maxiter=60, disp=False)
    problem.setup()
    problem.set_val('weights', graph.weights)
    problem.run_model()
    before = problem.get_val('rank')[0]
    result = problem.run_driver()
    assert result.success
    weights = problem.get_val('weights')
    assert weights.sum() == pytest.approx(graph.nnz)
    assert weights.min() >= 0.5 - 1e-9
    assert problem.get_val('rank')[0] > 1.5 * before
    toward = graph.dst == 8
    np.testing.assert_allclose(weights[toward], 2.0, atol=1e-3)


class Differenced(PerOutputFD, PageRankComp):
    def setup(self):
        super().setup()
        self.matrix_free = False
        self.declare_partials('*', '*', method='fd', form='central', step=1e-5)


@pytest.mark.parametrize('method', ['power', 'direct'])
def test_perturbations_share_each_pass_over_the_edges(method):
    """A linearization is one call; the partials are those of the exact products."""
    graph = random_graph(n=15, edges=40)
    exact = problem_of(PageRankComp(graph=graph, method=method), **values_for(graph))
    exact.run_model()
    comp = Differenced(graph=graph, method=method)
    problem = problem_of(comp, **values_for(graph))
    problem.run_model()
    with count_calls(problem) as counts:
        differenced = partials_of(problem)
    assert counts.total_calls('comp') == 1
    assert counts.total('comp') == fd_cost(comp).total == 2 * (graph.nnz + 1 + graph.n)
    counts.verify()
    for key, reference in partials_of(exact).items():
        np.testing.assert_allclose(differenced[key], reference, atol=1e-8)


def test_where_power_iteration_ends_each_point_is_solved_by_itself():
    graph = random_graph(n=15, edges=40)
    comp = Differenced(graph=graph, method='direct', max_iterations=2)
    problem = problem_of(comp, **values_for(graph))
    problem.run_model()
    exact = problem_of(PageRankComp(graph=graph), **values_for(graph))
    exact.run_model()
    for key, found in partials_of(problem).items():
        np.testing.assert_allclose(found, partials_of(exact)[key], atol=1e-8)
