"""Several personalizations in one call."""

import numpy as np
import pytest

from mdao_seq import Graph, pagerank
from mdao_seq.graph.errors import InputError
from tests.graph.graphs import each_method, needs_numba, random_graph


@each_method
@pytest.mark.parametrize('count', [1, 3, 8, 17])
@pytest.mark.parametrize('with_dangling', [False, True])
def test_each_is_what_it_is_alone(method, count, with_dangling):
    graph = random_graph(n=40, edges=160)
    rng = np.random.default_rng(count)
    p = rng.uniform(size=(count, graph.n)) * (rng.uniform(size=(count, graph.n)) < 0.3)
    p[:, 0] += 0.1
    dangling = rng.uniform(size=graph.n) if with_dangling else None
    options = {'dangling': dangling, 'tol': 1e-12, 'damping': 0.9, 'method': method}
    found = pagerank(graph, personalization=p, **options)
    assert found.scores.shape == (count, graph.n)
    assert found.residual <= 1e-12
    assert found.method == method
    for scores, each in zip(found.scores, p, strict=True):
        alone = pagerank(graph, personalization=each, **options).scores
        np.testing.assert_allclose(scores, alone, rtol=0, atol=1e-11)


@needs_numba
def test_they_share_the_passes():
    graph = random_graph(n=3000, edges=12000)
    p = np.random.default_rng(0).uniform(size=(8, graph.n))
    together = pagerank(graph, personalization=p)
    alone = pagerank(graph, personalization=p[0], method='gauss_seidel')
    assert together.method == 'gauss_seidel'
    assert together.passes <= 1.5 * alone.passes


@pytest.mark.parametrize('count', [3, 8, 17])
@pytest.mark.parametrize('method', ['auto', 'power'])
def test_scores_of_before_are_starts(count, method):
    graph = random_graph(n=1200, edges=6000)
    p = np.random.default_rng(0).uniform(size=(count, graph.n))
    cold = pagerank(graph, personalization=p, method=method)
    again = pagerank(graph, personalization=p, method=method, warm_start=cold.scores)
    assert again.iterations <= 1
    np.testing.assert_allclose(again.scores, cold.scores, atol=1e-10)
    near = pagerank(graph, personalization=p, method=method, warm_start=cold.scores[0])
    np.testing.assert_allclose(near.scores, cold.scores, atol=1e-9)
    with pytest.raises(InputError, match=rf'warm_start has shape \(2, 1200\), but .* {count} '):
        pagerank(graph, personalization=p, warm_start=cold.scores[:2])


def test_by_label_and_where_only_single_solves_converge():
    graph = Graph.from_edges(list('aabbc'), list('bcacb'))
    found = pagerank(graph, 0.999999, [{'a': 1.0}, {'b': 2.0, 'c': 1.0}], max_iterations=3)
    for scores, each in zip(found.scores, [{'a': 1.0}, {'b': 2.0, 'c': 1.0}], strict=True):
        alone = pagerank(graph, 0.999999, each, method='direct').scores
        np.testing.assert_allclose(scores, alone, rtol=1e-9)


def test_a_complex_step_goes_through_all():
    graph = random_graph()
    p = np.random.default_rng(0).uniform(0.1, 1.0, size=(2, graph.n)).astype(complex)
    p[1, 3] += 1e-30j
    found = pagerank(graph, personalization=p, tol=1e-13)
    assert np.any(found.scores[1].imag)
    assert not np.any(found.scores[0].imag)


def test_a_wrong_one_is_named():
    graph = random_graph()
    p = np.ones((2, graph.n))
    p[1] = 0.0
    with pytest.raises(InputError, match=r'personalization sums to 0\.0'):
        pagerank(graph, personalization=p)
    with pytest.raises(InputError, match='at least one is needed'):
        pagerank(graph, personalization=np.ones((0, graph.n)))


@needs_numba
def test_a_complex_step_in_one_of_many():
    graph = random_graph(n=60, edges=300)
    several = [np.ones(graph.n)] * 9
    several[5] = several[5] + np.eye(1, graph.n, 3)[0] * 1e-30j
    found = pagerank(graph, personalization=several, tol=1e-13).scores
    alone = pagerank(graph, personalization=several[5], tol=1e-13).scores
    np.testing.assert_allclose(found[5].imag, alone.imag, rtol=1e-9)
    assert np.any(alone.imag)
