"""Graphs that several tests use, and NetworkX's view of ours."""

from importlib.util import find_spec

import networkx as nx
import numpy as np
import pytest

from mdao_seq import Graph
from mdao_seq.graph.methods import METHODS

needs_numba = pytest.mark.skipif(
    not find_spec('numba'), reason='numba is not installed: pip install numba'
)
each_method = pytest.mark.parametrize(
    'method',
    [pytest.param(m, marks=[needs_numba] if m == 'gauss_seidel' else []) for m in METHODS],
)


def random_graph(seed=0, n=30, edges=90):
    """Return a graph with multi-edges, self-loops, dangling nodes and a zero-weight edge."""
    rng = np.random.default_rng(seed)
    src, dst = rng.integers(0, n, (2, edges))
    src[src % 5 == 0] = 1
    weights = rng.uniform(0.1, 1.0, edges)
    src[:3], dst[:3] = [1, 1, 2], [1, 4, 2]
    weights = np.where((src == 1) & (dst == 4), 0.0, weights)
    return Graph.from_edges(src, dst, weights, n=n)


def grid(side, seed=0):
    """Return a square of nodes, edges both ways between neighbours: a walk that mixes slowly."""
    i = np.arange(side * side).reshape(side, side)
    pairs = [(i[:, :-1], i[:, 1:]), (i[:-1], i[1:])]
    ends = np.concatenate([np.stack([a.ravel(), b.ravel()]) for a, b in pairs], axis=1)
    ends = np.concatenate([ends, ends[::-1]], axis=1)
    return Graph.from_edges(*ends, np.random.default_rng(seed).uniform(0.1, 1.0, ends.shape[1]))


def to_networkx(graph):
    """Return the same graph for NetworkX, its nodes numbered in the same order."""
    result = nx.DiGraph()
    result.add_nodes_from(range(graph.n))
    for src, dst, weight in zip(graph.src, graph.dst, graph.weights, strict=True):
        result.add_edge(int(src), int(dst), weight=float(weight))
    return result


def reference_scores(graph, **options):
    """Return NetworkX's scores (n,), iterated until they stand still."""
    scores = nx.pagerank(to_networkx(graph), tol=1e-15 / graph.n, max_iter=5000, **options)
    return np.array([scores[i] for i in range(graph.n)])
