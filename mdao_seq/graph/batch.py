"""PageRank of one graph at many inputs that differ little: all share each pass over the edges.

The inputs make the columns of a matrix. One product of the first column's transition matrix with it
serves them all; where the weights of a column differ, the few rows that are different are added.
"""

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.methods.power import Power
from mdao_seq.graph.transition import Transition
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]


def pagerank_batch(
    graph: Graph,
    weights: Array,
    damping: Array,
    personalization: Array,
    dangling: Array | None = None,
    tol: float = 1e-10,
    start: Array | None = None,
    max_iterations: int | None = None,
) -> tuple[Array, int]:
    """Return the scores at each of several inputs, by power iteration.

    Parameters
    ----------
    graph : Graph
        The pattern.
    weights : ndarray (points, nnz)
        Weights of the edges in the order of the pattern.
    damping : ndarray (points,)
        Probability of following an edge, in [0, 1).
    personalization : ndarray (points, n)
        Where the walk starts anew, of any positive sum.
    dangling : ndarray (points, n) or None
        Where nodes without outgoing weight pass their mass to; None: as `personalization`.
    tol : float
        Largest 1-norm of each residual.
    start : ndarray (n,) or (points, n) or None
        Scores to start from; None: the first personalization.
    max_iterations : int or None
        None: what the damping may need.

    Returns
    -------
    ndarray (points, n)
        Scores.
    int
        Iterations, each a pass over the edges.

    Raises
    ------
    InputError
        If a value is out of range.
    NotConverged
        If one of the residuals stayed above `tol`.
    """
    transition = Transition(graph, weights[0])
    passed_to = [None] * len(damping) if dangling is None else dangling
    given = zip(damping, personalization, passed_to, strict=True)
    walks = [Walk(transition, *each) for each in given]
    first, v = walks[0], np.array([walk.v for walk in walks]).T
    u = v if dangling is None else np.array([walk.u for walk in walks]).T
    changes, is_dangling = _changed_rows(graph, transition, weights)
    limit = Power(first, tol).max_iterations if max_iterations is None else max_iterations
    x = np.broadcast_to(first.v if start is None else start, (len(damping), graph.n)).T.copy()
    x /= x.sum(axis=0)
    best, since_best, iterations = math.inf, 0, 0
    while iterations < limit:
        iterations += 1
        following = first.transition.matvec(x)
        following += (changes @ x.ravel()).reshape(x.shape)
        following += (is_dangling * x).sum(axis=0) * u
        following = damping * following + (1.0 - damping) * v
        following /= following.sum(axis=0)
        residual = float(np.abs(following - x).sum(axis=0).max())
        if residual <= tol:
            return x.T, iterations
        since_best = 0 if residual < best else since_best + 1
        best = min(best, residual)
        if since_best > 50 + 0.1 / (1.0 - float(np.max(damping))):
            break
        x = following
    raise NotConverged(best, tol, iterations, 'power, in a batch', 'raise max_iterations or tol')


def _changed_rows(graph: Graph, base: Transition, weights: Array) -> tuple[sp.csr_array, Array]:
    """Return what differs from the base's transposed matrix, and who is dangling, by column.

    Returns
    -------
    csr_array (n * points, n * points)
        On scores (n, points) in the order of memory.
    ndarray of float (n, points)
        1 where nothing leaves a node.
    """
    points = len(weights)
    dangling = np.zeros((graph.n, points))
    dangling[base.dangling] = 1.0
    rows, cols, values = [], [], []
    for k, node in _changed(graph, base.weights, weights):
        own = slice(graph.indptr[node], graph.indptr[node + 1])
        weight = weights[k, own]
        total = weight.sum()
        dangling[node, k] = total == 0.0
        values.append((weight / total if total else 0.0) - base.probabilities[own])
        rows.append(graph.dst[own].astype(np.int64) * points + k)
        cols.append(np.full(weight.size, node * points + k, dtype=np.int64))
    shape = (graph.n * points, graph.n * points)
    if not values:
        return sp.csr_array(shape), dangling
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))
    return sp.csr_array(entries, shape=shape), dangling


def _changed(graph: Graph, base: Array, weights: Array) -> list[tuple[int, int]]:
    """Return (point, node) wherever a weight that leaves the node is not the base's."""
    if weights.strides[0] == 0:
        return []  # one row for all points
    point, edge = np.nonzero(weights != base)
    changed = weights[point, edge]
    bad = np.flatnonzero(~((changed >= 0) & np.isfinite(changed)))
    if bad.size:
        Transition(graph, weights[point[bad[0]]])  # raises what a single one would
    return sorted(set(zip(point.tolist(), graph.src[edge].tolist(), strict=True)))
