"""PageRank for several personalizations of one graph, which share each pass over the edges."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.batch import pagerank_batch
from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]
# So many sweeps over all edges; then each walk is solved by itself.
_SWEEPS = 300
_REFINEMENTS = 4


def scores_together(
    walks: list[Walk], tol: float, method: str, max_iterations: int | None
) -> tuple[Array, float, int, int, str] | None:
    """Return the scores of walks that differ in where they start anew alone.

    Parameters
    ----------
    walks : list of Walk
        With the same transition, damping and dangling distribution, if they have one of their own.
    tol, method, max_iterations
        As of `pagerank`.

    Returns
    -------
    tuple or None
        Scores (walks, n), the largest residual, iterations, passes over the edges, the method. None
        where no method solves them together, or that does not converge.
    """
    has_sweeps = bool(find_spec('numba'))
    if walks[0].is_complex or method not in ('auto', 'gauss_seidel', 'power'):
        return None
    try:
        if method != 'power' and has_sweeps:
            return _by_sweeps(walks, tol, max_iterations or _SWEEPS)
        return None if method == 'gauss_seidel' else _by_power(walks, tol, max_iterations)
    except NotConverged:
        return None


def _by_power(
    walks: list[Walk], tol: float, max_iterations: int | None
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
        max_iterations=max_iterations,
    )
    residual = max(walk.residual(x) for walk, x in zip(walks, scores, strict=True))
    return scores, residual, iterations, iterations, 'power'


def _by_sweeps(walks: list[Walk], tol: float, limit: int) -> tuple[Array, float, int, int, str]:
    """Solve A x = v for all, and close up by rank one; see `GaussSeidel`."""
    from mdao_seq.graph.block_solver import BlockSolver
    from mdao_seq.graph.weighed import Weighed

    first, count = walks[0], len(walks)
    a, dangling = float(first.damping.real), first.transition.dangling
    solver = BlockSolver(first.transition.kept(Weighed), a, limit)
    is_apart = first.u is not first.v
    v = np.array([walk.v for walk in walks])
    b = np.vstack([v, first.u]) if is_apart else v
    x, goal, sweeps, read = b.copy(), tol, 0, 0
    for _ in range(_REFINEMENTS):
        effort = solver.solve(b, x, goal)
        pi = x[:count].copy()
        if is_apart:
            passed_on = a * pi[:, dangling].sum(axis=1, keepdims=True)
            pi = (1.0 - a) * pi + passed_on * (x[count] / x[count].sum())
        pi /= pi.sum(axis=1, keepdims=True)
        u = first.u if is_apart else v
        jump = a * pi[:, dangling].sum(axis=1, keepdims=True) * u + (1.0 - a) * v
        residual = solver.residual(pi, jump)
        sweeps, read = max(sweeps, effort.sweeps), read + effort.read
        if residual <= tol:
            passes = -(-read // max(1, solver.system.sources.size)) + 1
            return pi, residual, sweeps, passes, 'gauss_seidel'
        if effort.left:
            break
        goal *= 0.5 * tol / residual
    raise NotConverged(residual, tol, sweeps, 'gauss_seidel', 'solve for one at a time')
