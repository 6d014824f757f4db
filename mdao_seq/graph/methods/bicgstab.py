"""BiCGSTAB: for graphs that come apart so slowly that sweeps would take hundreds of passes."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, bicgstab

from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.methods.power import PRODUCT_TOL
from mdao_seq.graph.methods.real import RealMethod
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]

# Starting anew helps where the recurrence has drifted from the residual.
_STARTS = 30
_LIMIT = 3000
_PATIENCE = 3
# What the residual is brought down by at once, at most.
_FACTOR = 1e-8
# Steps of power iteration before.
_STEPS = 3


class BiCGSTAB(RealMethod):
    """Solve with A = I - a P^T by Krylov's method; the closure by rank one is that of `Direct`.

    The diagonal is one but for loops, so that nothing is scaled. Each iteration makes two passes
    over the edges.

    Source: H. van der Vorst, SIAM Journal on Scientific and Statistical Computing 13(2), 1992;
    D. Gleich, L. Zhukov, P. Berkhin, Fast parallel PageRank: a linear system approach, 2004.
    """

    name = 'bicgstab'

    def __init__(self, walk: Walk, tol: float, max_iterations: int | None = None):
        super().__init__(walk, tol, max_iterations)
        self._limit = _LIMIT if max_iterations is None else max_iterations
        self._iterations = 0

    def _solve_scores(self, start: Array | None) -> tuple[Array, float, int, int]:
        """Solve until the computed residual is at most the tolerance."""
        walk = self.walk
        self._iterations = 0
        x = self._solve_positive(walk.v, walk.v if start is None else walk.unscaled(start))
        if walk.u is walk.v:
            self._q = x / x.sum()
            pi = self._q
        else:
            pi = (1.0 - walk.damping) * x + walk.damping * walk.dangling_mass(x) * self._q
            pi = pi / pi.sum()
        residual = walk.residual(pi)
        if not residual <= self.tol:
            raise NotConverged(
                residual, self.tol, self._iterations, self.name, 'raise max_iterations or tol'
            )
        return pi, residual, self._iterations, 2 * self._iterations + 1

    def _solve_forward(self, rhs: Array) -> Array:
        """Return A^-1 rhs, brought to sum zero along q."""
        z = self._solve(rhs, self._forward, np.zeros_like(rhs), self._relative_to(rhs))
        return z - self._q * z.sum()

    def _solve_adjoint(self, rhs: Array) -> tuple[Array, Array]:
        """Return A^-T (rhs - (q^T rhs) 1), and P times this."""
        b = rhs - self._q @ rhs
        lam = self._solve(b, self._transposed, np.zeros_like(b), self._relative_to(b))
        return lam, self.walk.transition.rmatvec(lam)

    @cached_property
    def _q(self) -> Array:
        walk = self.walk
        y = self._solve_positive(walk.u, walk.u)
        return y / y.sum()

    def _solve_positive(self, b: Array, x: Array) -> Array:
        """Solve for a right-hand side without negative entries, from a guess.

        First some steps of power iteration, scaled so that the residual sums to zero. Krylov's
        space for equal entries is poor: they are an eigenvector of the transpose, which BiCGSTAB
        takes its directions from, and it breaks down on walks that mix slowly.
        """
        for _ in range(_STEPS):
            x = b + self.walk.damping * self.walk.transition.matvec(x)
        x = x * (b.sum() / self._forward(x).sum())
        x = self._solve(b, self._forward, x, lambda x: self.tol * abs(x.sum()))
        # The exact solution is nowhere negative; next to zero, this one may be.
        return np.maximum(x, 0.0)

    def _forward(self, x: Array) -> Array:
        return x - self.walk.damping * self.walk.transition.matvec(x)

    def _transposed(self, y: Array) -> Array:
        return y - self.walk.damping * self.walk.transition.rmatvec(y)

    def _relative_to(self, b: Array) -> Callable[[Array], float]:
        """Return what is near enough: as small beside b and x as rounding lets it be."""
        tol, size = max(self.tol, PRODUCT_TOL), float(np.abs(b).sum())
        return lambda x: tol * (size + float(np.abs(x).sum()))

    def _solve(
        self,
        b: Array,
        product: Callable[[Array], Array],
        x: Array,
        enough: Callable[[Array], float],
    ) -> Array:
        """Solve until the 1-norm of the residual is at most ``enough(x)``."""
        random = np.random.default_rng(0)
        operator = LinearOperator((b.size, b.size), matvec=product, dtype=float)
        left = b - product(x)
        size, since_best, most = float(np.abs(left).sum()), 0, self._limit
        begun, guess = self._iterations, None
        for _ in range(_STARTS):
            wanted = enough(x)
            if size <= wanted:
                return x
            most = min(most, self._limit + begun - self._iterations)
            if since_best > _PATIENCE or most < 1:
                break
            # The 2-norm is at most the 1-norm; a tenth of what is wanted, but not down to rounding
            # at once.
            factor = max(0.1 * wanted / size, _FACTOR)
            before = self._iterations
            with np.errstate(all='ignore'):
                correction, _ = bicgstab(
                    operator,
                    # SciPy takes small numbers for a breakdown, whatever the right-hand side.
                    left / size,
                    guess,
                    rtol=factor / math.sqrt(b.size) if b.size > 1 else factor,
                    maxiter=most,
                    callback=self._count,
                )
            correction = size * correction
            new_left = b - product(x + correction)
            new_size = float(np.abs(new_left).sum())
            if new_size < size:
                x, left, size, since_best = x + correction, new_left, new_size, 0
            else:
                # The directions were poor, or close to rounding the recurrence has run away: from
                # elsewhere, and not as far, the next time.
                guess = random.uniform(-1.0, 1.0, b.size) / b.size
                since_best, most = since_best + 1, (self._iterations - before) // 2
        raise NotConverged(
            size / max(float(np.abs(x).sum()), 1e-300),
            self.tol,
            self._iterations - begun,
            self.name,
            "raise max_iterations or tol, or use method='direct' on a graph of some thousand nodes",
        )

    def _count(self, _: Array) -> None:
        self._iterations += 1
