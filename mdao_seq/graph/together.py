"""PageRank for several personalizations of one graph, which share each pass over the edges."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq._optional import has_numba
from mdao_seq.graph.batch import pagerank_batch
from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]
# With fewer, single solves are faster.
WORTH_SHARING = 8
# So many sweeps over all edges; then each walk is solved by itself.
_SWEEPS = 300


def scores_together(
    walks: list[Walk], starts: Array | None, tol: float, method: str, max_iterations: int | None
) -> tuple[Array, float, int, int, str] | None:
    """Return the scores of walks that differ in where they start anew alone.

    Parameters
    ----------
    walks : list of Walk
        With the same transition, damping and dangling distribution, if they have one of their own.
    starts : ndarray (walks, n) or None
        Scores to start from.
    tol, method, max_iterations
        As of `pagerank`.

    Returns
    -------
    tuple or None
        Scores (walks, n), the largest residual, iterations, passes over the edges, the method. None
        where no method solves them together, or that does not converge.
    """
    if any(walk.is_complex for walk in walks) or method not in ('auto', 'gauss_seidel', 'power'):
        return None
    try:
        if method != 'power' and has_numba():
            return _by_sweeps(walks, starts, tol, max_iterations or _SWEEPS)
        return None if method == 'gauss_seidel' else _by_power(walks, starts, tol, max_iterations)
    except NotConverged:
        return None


def _by_power(
    walks: list[Walk], starts: Array | None, tol: float, max_iterations: int | None
) -> tuple[Array, float, int, int, str]:
    first, count = walks[0], len(walks)
    weights = first.transition.weights
    scores, iterations = pagerank_batch(
        first.graph,
        np.broadcast_to(weights, (count, weights.size)),
        np.full(count, first.damping),
        np.array([walk.v for walk in walks]),
        np.array([walk.u for walk in walks]),
        tol=tol,
        start=starts,
        max_iterations=max_iterations,
    )
    residual = max(walk.residual(x) for walk, x in zip(walks, scores, strict=True))
    return scores, residual, iterations, iterations, 'power'


def _by_sweeps(
    walks: list[Walk], starts: Array | None, tol: float, limit: int
) -> tuple[Array, float, int, int, str]:
    from mdao_seq.graph.block_solver import BlockSolver
    from mdao_seq.graph.weighed import Weighed

    first = walks[0]
    weighed, u = first.transition.kept(Weighed), None if first.u is first.v else first.u
    solver = BlockSolver(weighed, float(first.damping.real), u, limit)
    v = np.array([walk.v for walk in walks])
    x = v if starts is None else [walk.unscaled(x) for walk, x in zip(walks, starts, strict=True)]
    scores, residual, effort = solver.scores(v, np.asarray(x), tol)
    passes = -(-effort.read // max(1, weighed.structure.sources.size))
    return scores, residual, effort.sweeps, passes, 'gauss_seidel'
