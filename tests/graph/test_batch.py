"""`pagerank_batch`: the scores of single solves, with one pass over the edges for all points."""

import networkx as nx
import numpy as np
import pytest

from mdao_seq import Graph, pagerank
from mdao_seq.graph.batch import pagerank_batch
from mdao_seq.graph.errors import InputError, NotConverged
from mdao_seq.graph.transition import Transition

POINTS = 7


@pytest.fixture
def points():
    """Every kind of change: single weights, a row of zeros, damping, personalization."""
    rng = np.random.default_rng(3)
    pairs = nx.gnp_random_graph(40, 0.1, seed=2, directed=True).edges
    src, dst = np.array(list(pairs)).T
    graph = Graph.from_edges(src, dst, rng.uniform(0.5, 2.0, src.size), n=41)
    weights = np.repeat(graph.weights[None], POINTS, axis=0)
    weights[1, 0] += 0.5
    weights[2, [3, 4, graph.nnz - 1]] *= 2.0
    weights[3, graph.src == graph.src[10]] = 0.0
    damping = np.full(POINTS, 0.85)
    damping[4] = 0.7
    personalization = np.ones((POINTS, graph.n))
    personalization[5, 2] = 4.0
    return graph, weights, damping, personalization


def test_the_scores_are_those_of_networkx(points):
    graph, *values = points
    scores, _ = pagerank_batch(graph, *values, tol=1e-14)
    for found, weights, damping, personalization in zip(scores, *values, strict=True):
        network = nx.DiGraph()
        network.add_nodes_from(range(graph.n))
        network.add_weighted_edges_from(zip(graph.src, graph.dst, weights, strict=True))
        expected = nx.pagerank(
            network, damping, dict(enumerate(personalization)), max_iter=1000, tol=1e-16
        )
        np.testing.assert_allclose(found, [expected[k] for k in range(graph.n)], rtol=1e-11)


def test_all_points_share_each_pass_over_the_edges(points, monkeypatch):
    graph, *values = points
    passes, real = [], Transition.matvec
    monkeypatch.setattr(Transition, 'matvec', lambda *a: passes.append(a[1].shape) or real(*a))
    pagerank_batch(graph, *values)
    together = len(passes)
    assert set(passes) == {(graph.n, POINTS)}
    passes.clear()
    pagerank(graph, method='power')
    assert together <= len(passes) + 10


def test_a_start_nearby_saves_passes(points, monkeypatch):
    graph, *values = points
    values[0][1:] = values[0][0] * (1.0 + 1e-8 * np.arange(1, POINTS)[:, None])
    values[1][:], values[2][:] = 0.85, 1.0
    passes, real = [], Transition.matvec
    monkeypatch.setattr(Transition, 'matvec', lambda *a: passes.append(1) or real(*a))
    start = pagerank_batch(graph, *values, tol=1e-14)[0][0]
    cold = len(passes)
    passes.clear()
    pagerank_batch(graph, *values, tol=1e-14, start=start)
    assert len(passes) < 0.75 * cold


def test_bad_points_are_refused_as_single_ones(points):
    graph, weights, damping, personalization = points
    weights[6, 5] = -1.0
    with pytest.raises(InputError, match=r'weights\[5\] = -1'):
        pagerank_batch(graph, weights, damping, personalization)
    weights[6, 5], damping[6] = 1.0, 1.0
    with pytest.raises(InputError, match='damping'):
        pagerank_batch(graph, weights, damping, personalization)


def test_too_few_iterations(points):
    with pytest.raises(NotConverged, match='in a batch'):
        pagerank_batch(*points, max_iterations=3)
