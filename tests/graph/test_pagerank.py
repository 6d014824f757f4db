"""Scores against NetworkX, closed forms and the definition; what is refused."""

import os
import subprocess
import sys
from importlib.util import find_spec
from multiprocessing import get_context

import networkx as nx
import numpy as np
import pytest

from mdao_seq import Graph, NotConverged, pagerank
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.methods import METHODS
from mdao_seq.graph.pagerank import SMALLEST_TOL, finest_tol
from mdao_seq.graph.sensitivity import linearize
from tests.graph.graphs import each_method, grid, needs_numba, random_graph, reference_scores
from tests.shared_data import shared_arrays


def dense_scores(graph, damping, v, u):
    """Return the scores from the definition, by a dense solve."""
    w = np.zeros((graph.n, graph.n))
    w[graph.src, graph.dst] = graph.weights
    sums = w.sum(axis=1)
    p = np.where(sums[:, None] > 0, w / np.where(sums > 0, sums, 1.0)[:, None], u)
    return np.linalg.solve(np.eye(graph.n) - damping * p.T, (1 - damping) * v)


@each_method
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('damping', [0.0, 0.5, 0.85, 0.99])
@pytest.mark.parametrize('personalized', [False, True])
@pytest.mark.parametrize('own_dangling', [False, True])
def test_agrees_with_networkx(method, seed, damping, personalized, own_dangling):
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    options = {}
    if personalized:
        options['personalization'] = {i: rng.uniform() for i in range(0, graph.n, 3)}
    if own_dangling:
        options['dangling'] = {1: 2.0, 7: 1.0}
    result = pagerank(graph, damping, method=method, tol=1e-14, **options)
    reference = reference_scores(graph, alpha=damping, **options)
    np.testing.assert_allclose(result.scores, reference, rtol=0, atol=1e-13)
    assert result.residual <= 1e-14
    assert result.method == method
    assert result.reason == 'asked for'


@each_method
@pytest.mark.parametrize('name', ['karate_club_graph', 'les_miserables_graph', 'florentine'])
def test_social_graphs(method, name):
    make = {'florentine': nx.florentine_families_graph}.get(name) or getattr(nx, name)
    social = make().to_directed()
    labels = list(social)
    src, dst, weights = zip(*social.edges(data='weight', default=1.0), strict=True)
    numbers = {label: i for i, label in enumerate(labels)}
    graph = Graph.from_edges(
        [numbers[label] for label in src], [numbers[label] for label in dst], weights, labels=labels
    )
    start = {labels[3]: 1.0, labels[5]: 0.5}
    result = pagerank(graph, personalization=start, method=method, tol=1e-14)
    reference = nx.pagerank(social, personalization=start, tol=1e-17, max_iter=1000)
    np.testing.assert_allclose(result.scores, [reference[label] for label in labels], atol=1e-14)


@each_method
def test_cycle_is_uniform(method):
    graph = Graph.from_edges([0, 1, 2], [1, 2, 0], [3.0, 0.1, 7.0])
    np.testing.assert_allclose(pagerank(graph, method=method).scores, 1 / 3, rtol=1e-10)


@each_method
def test_two_nodes_in_closed_form(method):
    # 0 -> 1 with 1 dangling, v = (p, q): pi_0 = p (1 - a) + a p pi_1 and pi_0 + pi_1 = 1.
    a, p = 0.6, 0.3
    result = pagerank(
        Graph.from_edges([0], [1]), a, personalization=[3.0, 7.0], method=method, tol=1e-15
    )
    first = p / (1 + a * p)
    np.testing.assert_allclose(result.scores, [first, 1 - first], rtol=1e-14)


@each_method
def test_without_edges_the_scores_are_the_personalization(method):
    graph = Graph.from_edges([], [], n=3)
    result = pagerank(graph, personalization=[1.0, 2.0, 1.0], method=method)
    np.testing.assert_allclose(result.scores, [0.25, 0.5, 0.25], rtol=1e-14)


@each_method
def test_rows_of_zeros_dangle_as_in_networkx(method):
    graph = Graph.from_edges([0, 1, 1, 2], [1, 0, 2, 0], [1.0, 0.0, 0.0, 2.0])
    scores = pagerank(graph, method=method, tol=1e-15).scores
    np.testing.assert_allclose(scores, reference_scores(graph), rtol=1e-13)


@each_method
def test_new_weights_on_the_same_pattern(method):
    graph = random_graph()
    weights = np.random.default_rng(1).uniform(0.1, 1.0, graph.nnz)
    fresh = Graph.from_edges(graph.src, graph.dst, weights, n=graph.n)
    scores = pagerank(graph, weights=weights, method=method, tol=1e-15).scores
    np.testing.assert_allclose(scores, pagerank(fresh, method=method, tol=1e-15).scores, rtol=1e-13)


@each_method
@pytest.mark.parametrize('scale', [1e-150, 1e150])
def test_scores_do_not_depend_on_the_unit_of_the_weights(method, scale):
    graph = random_graph()
    scaled = pagerank(graph, weights=graph.weights * scale, method=method, tol=1e-14).scores
    np.testing.assert_allclose(scaled, pagerank(graph, tol=1e-14).scores, rtol=1e-12)


@each_method
def test_residual_is_that_of_the_scores(method):
    graph = random_graph()
    result = pagerank(graph, 0.9, method=method, tol=1e-6)
    v = np.full(graph.n, 1 / graph.n)
    w = graph.matrix(graph.weights).toarray()
    sums = w.sum(axis=1)
    p = np.where(sums[:, None] > 0, w / np.where(sums > 0, sums, 1.0)[:, None], v)
    residual = np.abs(0.9 * p.T @ result.scores + 0.1 * v - result.scores).sum()
    assert result.residual == pytest.approx(residual, rel=1e-6, abs=1e-15)
    assert result.residual <= 1e-6


@each_method
@pytest.mark.parametrize('dangling', [None, {1: 2.0, 7: 1.0}])
def test_scores_of_before_are_a_start(method, dangling):
    graph = random_graph(n=200, edges=600)
    options = {'method': method, 'dangling': dangling}
    cold = pagerank(graph, **options)
    again = pagerank(graph, warm_start=7.0 * cold.scores, **options)
    near = pagerank(graph, weights=1.001 * graph.weights, warm_start=cold.scores, **options)
    np.testing.assert_allclose(again.scores, cold.scores, rtol=1e-8)
    if method != 'direct' and dangling is None:
        assert again.iterations <= 1
        assert near.iterations <= max(1, cold.iterations // 2)


def test_power_counts_its_passes_and_warm_starts():
    graph = random_graph()
    cold = pagerank(graph, method='power')
    assert cold.passes == cold.iterations > 10
    warm = pagerank(graph, method='power', warm_start=cold.scores)
    assert warm.iterations == 1
    near = pagerank(graph, 0.851, method='power', warm_start=cold.scores)
    assert near.iterations < cold.iterations


def test_direct_holds_at_damping_next_to_one():
    graph = random_graph(4)
    v = np.full(graph.n, 1 / graph.n)
    result = pagerank(graph, 0.999999, tol=1e-15)
    assert result.method == 'direct'
    expected = dense_scores(graph, 0.999999, v, v)
    np.testing.assert_allclose(result.scores, expected, atol=1e-10)


@pytest.mark.parametrize('method', ['auto', 'bicgstab'])
@pytest.mark.parametrize('damping', [0.99, 0.9999, 0.999999])
def test_a_walk_that_mixes_slowly_is_solved(method, damping):
    graph = grid(40)
    v = np.full(graph.n, 1.0 / graph.n)
    expected = dense_scores(graph, damping + 1e-40j, v, v)
    result = pagerank(graph, damping, method=method)
    # The residual bounds the error, divided by 1 - damping.
    assert np.abs(result.scores - expected.real).sum() <= 1.1 * result.residual / (1.0 - damping)
    at = linearize(graph, damping, method=method, tol=1e-13)
    bar = np.random.default_rng(0).standard_normal(graph.n)
    by_damping = bar @ expected.imag / 1e-40
    assert at.vjp(bar, ['damping']).damping == pytest.approx(by_damping, rel=1e-6)


def test_auto_says_why():
    assert 'auto: 30 nodes' in pagerank(random_graph()).reason
    large = pagerank(random_graph(n=1500, edges=5000))
    assert large.method == ('gauss_seidel' if find_spec('numba') else 'power')
    assert 'auto: 1500 nodes, above 1000' in large.reason


@each_method
@pytest.mark.parametrize('wrt', ['weights', 'damping', 'personalization', 'dangling'])
def test_complex_step_agrees_with_central_differences(method, wrt):
    graph = random_graph(2)
    rng = np.random.default_rng(2)
    at = {
        'weights': rng.uniform(0.1, 1.0, graph.nnz),
        'damping': 0.8,
        'personalization': rng.uniform(size=graph.n),
        'dangling': rng.uniform(size=graph.n),
    }
    direction = rng.standard_normal(np.shape(at[wrt]))

    def scores(step):
        moved = at | {wrt: at[wrt] + step * direction}
        return pagerank(graph, method=method, tol=1e-15, **moved).scores

    by_complex_step = scores(1e-40j).imag / 1e-40
    by_differences = (scores(1e-5) - scores(-1e-5)) / 2e-5
    scale = np.abs(by_differences).max()
    assert np.abs(by_complex_step - by_differences).max() <= 1e-8 * scale


def test_methods_agree_on_a_complex_step_that_changes_nothing():
    # The only edge of node 0: its weight is divided by itself.
    graph = Graph.from_edges([0, 1, 1], [1, 0, 2])
    weights = np.array([1.0 + 1e-40j, 1.0, 2.0])
    for method in METHODS:
        scores = pagerank(graph, weights=weights, method=method, tol=1e-14).scores
        assert np.abs(scores.imag).max() <= 1e-54


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'damping': 1.0}, 'damping = 1.0: must be in'),
        ({'damping': [0.5, 0.6]}, r'damping has shape \(2,\): must be one number'),
        ({'personalization': 'wing'}, "personalization = 'wing': must be numbers"),
        ({'dangling': {'wing': 1.0}}, "dangling: unknown node 'wing'"),
        ({'damping': -0.1}, 'damping = -0.1'),
        ({'damping': np.nan}, 'damping = nan'),
        ({'personalization': np.zeros(30)}, 'personalization sums to 0.0'),
        ({'personalization': {3: -1.0}}, r'personalization\[3\] = -1.0 \(node 3\)'),
        ({'personalization': {3: np.nan}}, r'personalization\[3\] = nan'),
        ({'personalization': {99: 1.0}}, 'unknown node 99'),
        ({'personalization': np.ones(4)}, r'personalization has shape \(4,\).*30 nodes'),
        ({'dangling': {2: np.inf}}, r'dangling\[2\] = inf'),
        ({'warm_start': -np.ones(30)}, r'warm_start\[0\] = -1.0'),
        ({'weights': np.ones(7)}, r'weights has shape \(7,\), but the pattern has \d+ edges after'),
        ({'method': 'guess'}, "method = 'guess': must be one of"),
        ({'max_iterations': 0}, 'max_iterations = 0'),
        ({'tol': 1e-17}, 'tol = 1e-17: below what float64 can give'),
        ({'tol': np.nan}, 'tol = nan'),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(InputError, match=message):
        pagerank(random_graph(), **options)


@pytest.mark.parametrize('value', [-1.0, np.nan, np.inf])
def test_bad_weight_names_its_edge(value):
    graph = random_graph()
    weights = graph.weights.copy()
    weights[5] = value
    edge = f'{graph.src[5]} -> {graph.dst[5]}'
    with pytest.raises(InputError, match=rf'weights\[5\] = {value} \(edge {edge}\)'):
        pagerank(graph, weights=weights)


def test_weights_too_large_to_add_are_named():
    graph = Graph.from_edges([0, 0, 1], [0, 1, 0])
    with pytest.raises(InputError, match='leave node 0 sum to inf'):
        pagerank(graph, weights=[1e308, 1e308, 1.0])


def test_too_few_iterations_say_how_far_they_came():
    with pytest.raises(NotConverged, match='power came to a residual of') as caught:
        pagerank(random_graph(), method='power', max_iterations=5)
    assert caught.value.iterations == 5
    assert caught.value.tol == 1e-10
    assert 1e-10 < caught.value.residual < 1.0


def test_wiki_vote_agrees_with_networkx():
    data = shared_arrays('wiki_vote')
    graph = Graph.from_edges(data['src'], data['dst'], n=int(data['n']))
    result = pagerank(graph, tol=1e-13)
    reference = reference_scores(graph)
    assert np.abs(result.scores - reference).sum() <= 1e-12


def test_routes_by_both_methods():
    data = shared_arrays('openflights_routes')
    graph = Graph.from_edges(
        data['src'], data['dst'], data['w'], n=int(data['n']), labels=data['labels']
    )
    personalization = {'KEF': 1.0, 'JFK': 2.0}
    power, direct = (
        pagerank(graph, personalization=personalization, method=method, tol=1e-14)
        for method in ('power', 'direct')
    )
    assert np.abs(power.scores - direct.scores).sum() <= 1e-12
    assert graph.name(int(np.argmax(direct.scores))) in ('KEF', 'JFK')


@each_method
def test_smallest_tolerance_is_reached_or_named(method):
    data = shared_arrays('openflights_routes')
    graph = Graph.from_edges(data['src'], data['dst'], data['w'], n=int(data['n']))
    try:
        assert pagerank(graph, tol=SMALLEST_TOL, method=method).residual <= SMALLEST_TOL
    except NotConverged as error:
        assert error.residual < 1e-14
        assert 'as far as float64 goes' in str(error)


@needs_numba
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='there is no fork here')
def test_a_process_that_was_forked_solves_too():
    graph = random_graph(n=2000, edges=8000)
    expected = pagerank(graph).scores
    with get_context('fork').Pool(1) as pool:
        other = pool.apply_async(_solved_anew, (graph,)).get(timeout=60)
    np.testing.assert_array_equal(other, expected)


def _solved_anew(graph):
    return pagerank(Graph.from_edges(graph.src, graph.dst, graph.weights, n=graph.n)).scores


@pytest.mark.parametrize('method', ['auto', 'direct', 'bicgstab'])
@pytest.mark.parametrize('n', [1001, 20_000])
def test_the_finest_tolerance_is_reached_on_a_hub(n, method):
    star = Graph.from_edges(np.arange(1, n), np.zeros(n - 1, int), n=n)
    tol = finest_tol(star)
    assert 1e-14 < tol < 1e-12
    assert pagerank(star, method=method, tol=tol).residual <= tol


def test_weights_that_cannot_be_divided_by_are_named():
    with pytest.raises(InputError, match='leave node 0 sum to 1e-310: too small to divide by'):
        pagerank(Graph.from_edges([0, 1], [1, 0], [1e-310, 1.0]))


def test_a_numba_that_cannot_be_imported_is_done_without(tmp_path):
    (tmp_path / 'numba.py').write_text("raise ImportError('Numba needs NumPy 2.0 or less')")
    code = (
        'import numpy as np; from mdao_seq import Graph, pagerank; i = np.arange(2000);'
        'print(pagerank(Graph.from_edges(i, (7 * i + 1) % 1999)).method)'
    )
    places = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=os.environ | {'PYTHONPATH': places},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == 'power'
    assert done.stderr.count('numba is installed but cannot be imported (Numba needs') == 1


def path(n, seed=0):
    """Return nodes in a row, with edges both ways."""
    i = np.arange(n - 1)
    ends = np.r_[i, i + 1], np.r_[i + 1, i]
    return Graph.from_edges(*ends, np.random.default_rng(seed).uniform(0.1, 1.0, 2 * n - 2))


@pytest.mark.parametrize('method', ['auto', 'bicgstab', 'direct'])
def test_scores_next_to_zero_are_not_below_it(method):
    found = pagerank(path(1200), 0.999, {0: 1.0}, method=method)
    assert found.scores.min() >= 0.0
    again = pagerank(path(1200), 0.9991, {0: 1.0}, method=method, warm_start=found.scores)
    assert again.residual <= 1e-10
    chain = Graph.from_edges(np.arange(1199), np.arange(1, 1200))
    elsewhere = pagerank(chain, 0.999, {0: 1.0}, {5: 1.0}, method=method)
    assert elsewhere.scores.min() >= 0.0


@pytest.mark.parametrize('n', [1200, 25_000])
def test_what_is_easily_factored_is_solved_in_the_end(n):
    found = pagerank(path(n), 0.999999)
    assert found.residual <= 1e-10
    if n < 2000:
        stepped = pagerank(path(n), 0.999 + 1e-30j)
        at = linearize(path(n), 0.999, method='direct')
        np.testing.assert_allclose(stepped.scores.imag / 1e-30, at.jvp(damping=1.0), atol=1e-9)


def test_auto_says_what_it_has_tried():
    with pytest.raises(NotConverged, match=r'auto has tried .*bicgstab'):
        pagerank(path(60_000), 0.999999, max_iterations=20)
