"""Scores for several personalizations, which share each pass over the edges."""

import numpy as np

from mdao_seq.graph.compiled import block_sweeps
from mdao_seq.graph.compiled.rows import WIDTH
from mdao_seq.graph.compiled.system import Array
from mdao_seq.graph.component_solver import ComponentSolver, Effort
from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.halves import both
from mdao_seq.graph.weighed import Weighed

_REFINEMENTS = 4


class BlockSolver:
    """Gauss-Seidel as in `GaussSeidel`, for `WIDTH` columns at once; two threads share out blocks.

    Parameters
    ----------
    weighed : Weighed
        The graph.
    damping : float
        a.
    u : ndarray (n,) or None
        Where dangling nodes pass their mass to, by node; None: to each personalization.
    limit : int
        Most sweeps of a component.
    """

    def __init__(self, weighed: Weighed, damping: float, u: Array | None, limit: int):
        self._solver = ComponentSolver(weighed, damping, limit)
        self._order = weighed.structure.order
        self._u = np.empty(0) if u is None else u[self._order]
        self._q = np.empty(0)

    def scores(self, v: Array, start: Array, tol: float) -> tuple[Array, float, Effort]:
        """Return scores (k, n), the largest residual and the effort, for personalizations (k, n).

        `start` (k, n) is what x, with A x = v, is first taken to be.

        Raises
        ------
        NotConverged
            If a component has not settled within the limit, or a residual stays above `tol`.
        """
        scores = np.empty_like(v)
        blocks = [
            (v[k : k + WIDTH], start[k : k + WIDTH], scores[k : k + WIDTH])
            for k in range(0, len(v), WIDTH)
        ]
        self._settled_u(tol)
        half = (len(blocks) + 1) // 2

        def solve(some: list[tuple[Array, Array, Array]]) -> list[tuple[float, Effort]]:
            return [self._solve(*block, tol) for block in some]

        if len(blocks) == 1:
            found = solve(blocks)
        else:
            first, second = both(lambda: solve(blocks[:half]), lambda: solve(blocks[half:]))
            found = [*first, *second]
        sweeps = max(effort.sweeps for _, effort in found)
        effort = Effort(0.0, sweeps, sum(effort.read for _, effort in found))
        return scores, max(residual for residual, _ in found), effort

    def _solve(self, v: Array, start: Array, scores: Array, tol: float) -> tuple[float, Effort]:
        """Set the scores (k, n), k at most `WIDTH`; return the largest residual and the effort."""
        system = self._solver.system
        b, x = self._columns(v), self._columns(start)
        own = np.empty_like(b)
        y = x * system.inv_sums[:, None]
        goal, sweeps, read = tol, 0, 0
        for _ in range(_REFINEMENTS):
            left, made, edges = block_sweeps.solve(system, b, self._solver.rule(goal), own, x, y)
            sweeps, read = max(sweeps, made), read + edges + system.sources.size
            pi = own
            block_sweeps.close(system, self._q, x, y, pi)
            residual = block_sweeps.residual(system, b, self._u, pi, y)
            if residual <= tol:
                x[self._order] = pi
                scores[:] = x.T[: len(scores)]
                return residual, Effort(0.0, sweeps, read)
            if left:
                break
            goal *= 0.5 * tol / residual
            y[:] = x * system.inv_sums[:, None]
        raise NotConverged(residual, tol, sweeps, 'gauss_seidel', 'solve for one at a time')

    def _columns(self, rows: Array) -> Array:
        """Return vectors (k, n) as the columns of an array (n, WIDTH), ordered; the first fills up.

        By node in rows, then by place: whole rows are moved.
        """
        columns = np.empty((rows.shape[1], WIDTH))
        columns[:, : len(rows)] = rows.T
        columns[:, len(rows) :] = rows[:1].T
        return columns[self._order]

    def _settled_u(self, tol: float) -> None:
        """Solve A q = u, up to a factor, where dangling nodes have somewhere of their own."""
        if not self._u.size:
            return
        q = self._u.copy()
        effort = self._solver.solve(self._u, q, 0.1 * tol)
        if effort.left:
            raise NotConverged(effort.left, tol, effort.sweeps, 'gauss_seidel', 'raise tol')
        self._q = q / q.sum()
