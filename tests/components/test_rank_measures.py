"""Margins, top shares and entropies of rankings, and the report of edges."""

import sys

import networkx as nx
import numpy as np
import openmdao.api as om
import pytest
from scipy.stats import entropy as scipy_entropy

from mdao_seq import (
    Graph,
    PageRankComp,
    RankEntropyComp,
    RankOrderConstraintComp,
    TopShareComp,
    edge_report,
    pagerank,
)
from tests.components.test_pagerank_comp import problem_of
from tests.derivative_checks import check_derivatives
from tests.graph.graphs import random_graph

SCORES = np.random.default_rng(0).dirichlet(20.0 * np.ones(8))


@pytest.mark.parametrize(
    'make',
    [
        lambda: RankOrderConstraintComp(n=8, pairs=[(0, 3), (5, [1, 2]), (4, None)]),
        lambda: TopShareComp(n=8, k=3),
        lambda: TopShareComp(n=8, k=3, smoothing=0.0),
        lambda: TopShareComp(n=8, k=1, smoothing=2.0),
        lambda: RankEntropyComp(n=8),
    ],
)
@pytest.mark.parametrize('total', [1.0, 3.0])
def test_derivatives(make, total):
    check_derivatives(make, {'rank': total * SCORES}, fd_rtol=1e-5)


def value_of(comp, scores):
    problem = problem_of(comp, rank=scores)
    problem.run_model()
    return problem.get_val(f'comp.{comp.output}')


def test_margins_are_logarithms_of_ratios_and_never_too_large():
    graph = Graph.from_edges(list('abcd'), list('bcda'))
    scores = np.array([0.4, 0.3, 0.2, 0.1])
    pairs = [('a', 'b'), ('d', 'c'), ('a', None), ('b', ('c', 'd'))]
    found = value_of(RankOrderConstraintComp(graph=graph, pairs=pairs), scores)
    exact = np.log([4 / 3, 1 / 2, 4 / 3, 3 / 2])
    np.testing.assert_allclose(found[:2], exact[:2], rtol=1e-14)
    assert np.all(found[2:] <= exact[2:] + 1e-15)
    assert np.all(found[2:] >= exact[2:] - np.log(3) / 100.0)


def test_smoothed_shares_are_above_the_exact_one_and_come_to_it():
    exact = np.sort(SCORES)[-3:].sum()
    assert value_of(TopShareComp(n=8, k=3, smoothing=0.0), SCORES).item() == pytest.approx(exact)
    errors = [
        value_of(TopShareComp(n=8, k=3, smoothing=s), SCORES).item() - exact
        for s in (1.0, 0.1, 0.01, 1e-4)
    ]
    assert all(error >= -1e-15 for error in errors)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6


def test_a_share_is_smooth_where_two_change_places():
    scores = np.array([0.4, 0.3, 0.3])
    slopes = []
    for step in (-1e-9, 1e-9):
        moved = scores + np.array([0.0, step, -step])
        problem = problem_of(TopShareComp(n=3, k=2), rank=moved)
        problem.run_model()
        slopes.append(
            problem.compute_totals(['comp.top_share'], ['comp.rank'], return_format='array')
        )
    np.testing.assert_allclose(*slopes, atol=1e-6)


def test_entropy_is_that_of_scipy():
    found = value_of(RankEntropyComp(n=8), 5.0 * SCORES).item()
    assert found == pytest.approx(scipy_entropy(SCORES) / np.log(8), rel=1e-14)
    assert value_of(RankEntropyComp(n=4), np.ones(4)).item() == pytest.approx(1.0)
    assert value_of(RankEntropyComp(n=4), np.eye(4)[1]).item() == 0.0


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: RankEntropyComp(), 'neither graph nor n is given'),
        (lambda: TopShareComp(n=4, k=4), 'k = 4: must be below the 4 scores'),
        (lambda: RankOrderConstraintComp(n=4, pairs=[]), 'pairs is empty'),
        (lambda: RankOrderConstraintComp(n=4, pairs=[(1, 9)]), 'unknown node 9'),
        (lambda: RankOrderConstraintComp(n=4, pairs=[(1, 1)]), 'cannot be ahead of itself'),
        (lambda: RankOrderConstraintComp(n=4, pairs=[(1, 2, 3)]), 'a pair is'),
        (
            lambda: RankOrderConstraintComp(
                graph=Graph.from_edges(['a'], ['b']), pairs=[('a', 'z')]
            ),
            "unknown node 'z'",
        ),
        (lambda: RankOrderConstraintComp(n=3, pairs=[('a', 'b')]), "unknown node 'a': there are 3"),
        (lambda: RankEntropyComp(graph=random_graph(), n=7), 'n = 7, but the graph has 30 nodes'),
        (lambda: TopShareComp(n=3, k=1, smoothing=np.nan), 'smoothing = nan'),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        problem_of(make())


@pytest.mark.parametrize('score', [np.inf, np.nan, -0.1])
@pytest.mark.parametrize('make', [RankEntropyComp, lambda n: TopShareComp(n=n, k=np.int64(1))])
def test_scores_that_are_none_are_an_analysis_error(make, score):
    message = rf'rank\[1\] = {score}: must be finite and not negative'
    with pytest.raises(om.AnalysisError, match=message):
        problem_of(make(n=3), rank=[0.5, score, 0.6]).run_model()


@pytest.mark.parametrize(
    ('comp', 'message'),
    [
        (RankEntropyComp(n=3), 'rank sums to 0.0'),
        (TopShareComp(n=3, k=1), 'rank sums to 0.0'),
        (RankOrderConstraintComp(n=3, pairs=[(2, 1)]), r'rank\[2\] = 0.0: must be above zero'),
    ],
)
def test_scores_of_nothing_are_an_analysis_error(comp, message):
    with pytest.raises(om.AnalysisError, match=f"'comp' <class {type(comp).__name__}>: {message}"):
        problem_of(comp, rank=np.zeros(3)).run_model()


def test_entropy_has_no_derivative_where_a_score_is_zero():
    problem = problem_of(RankEntropyComp(n=3), rank=[0.5, 0.5, 0.0])
    problem.run_model()
    with pytest.raises(
        om.AnalysisError, match=r'rank\[2\] = 0.0: entropy has no finite derivative'
    ):
        problem.compute_totals(['comp.entropy'], ['comp.rank'])


def test_a_driver_keeps_an_order_while_it_evens_out_a_ranking():
    club = nx.karate_club_graph().to_directed()
    graph = Graph.from_edges(*np.array(club.edges()).T)
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('walk', PageRankComp(graph=graph, inputs=['weights']), promotes=['*'])
    order = RankOrderConstraintComp(graph=graph, pairs=[(33, None), (0, 2)])
    model.add_subsystem('order', order, promotes=['*'])
    model.add_subsystem('even', RankEntropyComp(graph=graph), promotes=['*'])
    model.add_design_var('weights', lower=0.5, upper=2.0)
    model.add_constraint('margin', lower=0.02)
    model.add_objective('entropy', scaler=-10.0)
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', maxiter=40, disp=False)
    problem.setup(mode='rev')
    problem.run_model()
    before = problem.get_val('entropy').item()
    problem.run_driver()
    scores = problem.get_val('rank')
    assert problem.get_val('entropy').item() > before + 0.005
    assert np.argmax(scores) == 33
    assert scores[0] > scores[2]


def test_the_report_has_the_edges_that_move_a_score_most():
    graph = random_graph(n=15, edges=40)
    report = edge_report(graph, [3, 7], damping=0.8)
    best = report.top(1)[0]
    step = 1e-6 * graph.weights[best]

    def value(change):
        weights = graph.weights + change * (np.arange(graph.nnz) == best)
        return pagerank(graph, 0.8, weights=weights, tol=1e-14).scores[[3, 7]].sum()

    by_hand = (value(step) - value(-step)) / (2 * step)
    assert report.slopes[best] == pytest.approx(by_hand, rel=1e-6)
    assert np.abs(report.elasticities).max() == abs(report.elasticities[best])
    lines = str(report).splitlines()
    assert lines[0].startswith('score of 3 + 7: 0.')
    assert len(lines) == 12
    src, dst, *_ = report.table(1)[0]
    assert f'{src!r} -> {dst!r}' in lines[2]


def test_the_report_is_drawn():
    plt = pytest.importorskip('matplotlib.pyplot')
    plt.switch_backend('Agg')
    for graph in (random_graph(n=15, edges=40), random_graph(n=300, edges=1200)):
        ax = edge_report(graph, 2).plot()
        names = {text.get_text() for text in ax.texts}
        assert '2' in names
        assert len(names) == min(graph.n, 40)
        ax.figure.canvas.draw()
        plt.close(ax.figure)


def test_a_report_of_a_score_that_is_zero_says_so():
    graph = Graph.from_edges(['a', 'b'], ['b', 'b'])
    with pytest.raises(ValueError, match=r"the score of \['a'\] is zero"):
        edge_report(graph, 'a', personalization={'b': 1.0})


def test_a_picture_without_its_libraries_names_them(monkeypatch):
    report = edge_report(random_graph(n=15, edges=40), 2)
    for missing in ('matplotlib.pyplot', 'networkx'):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(ImportError, match='pip install matplotlib networkx'):
                report.plot()


def test_a_report_about_a_node_whose_label_is_a_tuple():
    graph = Graph.from_networkx(nx.grid_2d_graph(5, 5))
    assert edge_report(graph, (3, 4)).of == ((3, 4),)
    assert edge_report(graph, {(3, 4), (0, 1)}).of == ((0, 1), (3, 4))
    with pytest.raises(ValueError, match='of = None: name the node'):
        edge_report(graph, None)


def test_a_report_beside_a_node_without_weight():
    graph = Graph.from_edges(['a', 'b', 'b'], ['b', 'a', 'b'], [0.0, 1.0, 2.0])
    report = edge_report(graph, 'a', allow_zero_rows=True)
    assert report.slopes[graph.edge('a', 'b')] == 0.0
    plt = pytest.importorskip('matplotlib.pyplot')
    ax = report.plot()
    ax.figure.canvas.draw()
    assert len(ax.patches) >= graph.nnz  # the edge from b to itself is one of them
    plt.close(ax.figure)
