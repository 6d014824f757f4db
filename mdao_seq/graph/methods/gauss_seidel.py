"""Gauss-Seidel over strongly connected components: the fastest on all but small graphs."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.component_solver import ComponentSolver, Effort
from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.methods.power import PRODUCT_TOL, enough
from mdao_seq.graph.methods.real import RealMethod
from mdao_seq.graph.walk import Walk
from mdao_seq.graph.weighed import Weighed

Array = NDArray[Any]

# A sweep leaves a smaller residual than what it changes by; the residual itself is computed.
_CHANGE = 1.0
_REFINEMENTS = 4


class GaussSeidel(RealMethod):
    """Solve with A = I - a P^T; the dangling nodes come back in as a rank-one update.

    The symbols are those of `Direct`. Where dangling nodes pass their mass to the personalization,
    the scores are A^-1 v divided by its sum. With `wait`, a component is given up after so many
    sweeps that will not be settled within the limit at the rate of these.

    Sources: A. Arasu, J. Novak, A. Tomkins, J. Tomlin, PageRank computation and the structure of
    the web, WWW 2002 (Gauss-Seidel, components in order); D. Gleich, PageRank beyond the web, SIAM
    Review 57(3), 2015.
    """

    name = 'gauss_seidel'

    def __init__(
        self, walk: Walk, tol: float, max_iterations: int | None = None, wait: int | None = None
    ):
        super().__init__(walk, tol, max_iterations)
        self._wait = wait
        self._pi: Array | None = None

    def _solve_scores(self, start: Array | None) -> tuple[Array, float, int, int]:
        """Solve; once more, and closer, if the computed residual is above the tolerance."""
        walk, solver = self.walk, self._solver
        v = self._ordered(walk.v)
        u = v if walk.u is walk.v else self._ordered(walk.u)
        x = v.copy() if start is None else self._ordered(walk.unscaled(start))
        y = x if walk.u is walk.v else x.copy()
        tol, sweeps, read = self.tol, 0, 0
        for _ in range(_REFINEMENTS):
            efforts = [solver.solve(v, x, _CHANGE * tol)]
            if y is not x:
                efforts.append(solver.solve(u, y, _CHANGE * tol))
            q = y / y.sum()
            pi = q
            if y is not x:
                passed_on = walk.damping * x[self._dangling].sum()
                pi = (1.0 - walk.damping) * x + passed_on * q
                pi /= pi.sum()
            jump = walk.damping * pi[self._dangling].sum() * u + (1.0 - walk.damping) * v
            residual = solver.residual(pi, jump)
            sweeps = max(sweeps, *(effort.sweeps for effort in efforts))
            read += sum(effort.read for effort in efforts) + solver.structure.sources.size
            if residual <= self.tol:
                self._pi, self._q = pi, q
                passes = -(-read // max(1, solver.structure.sources.size))
                return self._by_node(pi), residual, sweeps, passes
            if any(effort.left for effort in efforts):
                break
            tol *= 0.5 * self.tol / residual
        advice = 'this is as far as float64 goes on this graph: raise tol'
        if any(effort.left for effort in efforts):
            advice = "raise max_iterations or tol, or use method='bicgstab' or 'direct'"
        raise NotConverged(residual, self.tol, sweeps, self.name, advice)

    def _solve_forward(self, rhs: Array) -> Array:
        """Return A^-1 rhs, brought to sum zero along q."""
        pi, q = self._solved()
        z = np.zeros_like(pi)
        effort = self._solver.solve(self._ordered(rhs), z, self._product_tol, along=pi)
        self._check(effort)
        return self._by_node(z - q * z.sum())

    def _solve_adjoint(self, rhs: Array) -> tuple[Array, Array]:
        """Return A^-T (rhs - (q^T rhs) 1), and P times this."""
        q = self._solved()[1]
        b = self._ordered(rhs)
        solver = self._solver
        lam, mean, effort = solver.solve_adjoint(b - q @ b, q, self._flow, self._product_tol)
        self._check(effort)
        return self._by_node(lam), self._by_node(mean)

    @cached_property
    def _solver(self) -> ComponentSolver:
        walk = self.walk
        limit = enough(walk, self.tol) if self.max_iterations is None else self.max_iterations
        weighed, damping = walk.transition.kept(Weighed), float(walk.damping.real)
        return ComponentSolver(weighed, damping, limit, self._wait)

    @cached_property
    def _dangling(self) -> Array:
        return np.flatnonzero(self._solver.system.inv_sums == 0.0)

    @cached_property
    def _flow(self) -> Array:
        q, solver = self._solved()[1], self._solver
        # The columns of A sum to 1 - a, and to 1 for dangling nodes.
        total = q.sum() - self.walk.damping * (q.sum() - q[self._dangling].sum())
        return solver.flow(total * self._ordered(self.walk.u), q)

    @property
    def _product_tol(self) -> float:
        return max(self.tol, PRODUCT_TOL)

    def _solved(self) -> tuple[Array, Array]:
        if self._pi is None:
            self.scores()
        assert self._pi is not None
        return self._pi, self._q

    def _ordered(self, values: Array) -> Array:
        return values[self._solver.structure.order]

    def _by_node(self, ordered: Array) -> Array:
        values = np.empty_like(ordered)
        values[self._solver.structure.order] = ordered
        return values

    def _check(self, effort: Effort) -> None:
        if effort.left:
            raise NotConverged(
                effort.left,
                self._product_tol,
                effort.sweeps,
                self.name,
                "raise max_iterations or tol, or use method='bicgstab' or 'direct'",
            )
