"""Power iteration: one pass over the edges an iteration, contracting by the damping or better."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.walk import Walk

# Default limit where the contraction alone would allow more iterations than are worth waiting for.
ITERATION_LIMIT = 10_000
# Below this relative change, an iteration that no longer falls is held up by rounding.
ROUNDING_TERRITORY = 1e-12
# What the products can be held to: sums over a row of some hundred edges round at this level.
PRODUCT_TOL = 64 * float(np.finfo(float).eps)

Vector = NDArray[Any]
Norm = Callable[[Vector], float]


class Power:
    """Repeat the walk's step; the scores, forward and adjoint solves are one iteration.

    Each iterate is brought back to its subspace (sum one, sum zero, or pi^T lam = 0), so that the
    eigenvalue a is left out and the second largest decides how fast it converges.

    A complex step is judged by its own size: real and imaginary parts converge separately, the
    imaginary part relative to itself and to the step.
    """

    name = 'power'

    def __init__(self, walk: Walk, tol: float, max_iterations: int | None = None):
        self.walk = walk
        self.tol = tol
        self.max_iterations = enough(walk, tol) if max_iterations is None else max_iterations
        self._pi: Vector | None = None

    def scores(self, start: Vector | None = None) -> tuple[Vector, float, int, int]:
        """Iterate ``x <- step(x)`` with sum(x) = 1."""
        walk = self.walk
        x = walk.v if start is None else start
        pi, residual, iterations = self._iterate(
            walk.step, lambda x: x / x.sum(), x / x.sum(), np.zeros(1), _norm_1, self.tol
        )
        self._pi = pi
        return pi, residual, iterations, iterations

    def forward(self, rhs: Vector) -> Vector:
        """Iterate ``z <- rhs + a (P^T z + (d^T z) u)`` with sum(z) = 0."""
        walk, pi = self.walk, self._scores()
        return self._iterate(
            lambda z: rhs + walk.damping * walk.follow(z),
            lambda z: z - pi * z.sum(),
            rhs - pi * rhs.sum(),
            rhs,
            _norm_1,
            max(self.tol, PRODUCT_TOL),
        )[0]

    def adjoint(self, rhs: Vector) -> tuple[Vector, Vector]:
        """Iterate ``lam <- rhs + a (P lam + d (u^T lam))`` with pi^T lam = 0."""
        walk, pi = self.walk, self._scores()
        rhs = rhs - pi @ rhs
        lam = self._iterate(
            lambda lam: rhs + walk.damping * walk.follow_transposed(lam),
            lambda lam: lam - pi @ lam,
            rhs,
            rhs,
            _norm_max,
            max(self.tol, PRODUCT_TOL),
        )[0]
        return lam, walk.transition.rmatvec(lam)

    def _scores(self) -> Vector:
        if self._pi is None:
            self.scores()
        assert self._pi is not None
        return self._pi

    def _iterate(
        self,
        update: Callable[[Vector], Vector],
        project: Callable[[Vector], Vector],
        x: Vector,
        rhs: Vector,
        norm: Norm,
        tol: float,
    ) -> tuple[Vector, float, int]:
        """Return x with ``project(update(x))`` equal to x within `tol`, its residual, iterations.

        The residual is that of the x which is returned, not of the one after.
        """
        step_size = self.walk.imaginary_size
        forced = norm(rhs.real), norm(rhs.imag)
        best, since_best = math.inf, 0
        # A slow contraction needs longer before standing still can be told from moving slowly.
        patience = 10 + 0.1 / (1.0 - np.real(self.walk.damping))
        for iteration in range(1, self.max_iterations + 1):
            following = project(update(x))
            change = following - x
            real = _ratio(norm(change.real), max(norm(following.real), forced[0]))
            imaginary = _ratio(
                norm(change.imag),
                norm(following.imag) + forced[1] + step_size * norm(following.real),
            )
            relative = max(real, imaginary)
            if relative <= tol:
                return x, norm(change), iteration
            since_best = 0 if relative < best else since_best + 1
            best = min(best, relative)
            if best < ROUNDING_TERRITORY and since_best > patience:
                raise self._not_converged(
                    best, tol, iteration, 'this is as far as float64 goes on this graph: raise tol'
                )
            x = following
        raise self._not_converged(
            best,
            tol,
            self.max_iterations,
            "raise max_iterations or tol, or use method='direct' on a graph of some thousand nodes",
        )

    def _not_converged(
        self, residual: float, tol: float, iterations: int, advice: str
    ) -> NotConverged:
        return NotConverged(residual, tol, iterations, self.name, advice)


def _norm_1(x: Vector) -> float:
    return float(np.abs(x).sum())


def _norm_max(x: Vector) -> float:
    return float(np.abs(x).max(initial=0.0))


def _ratio(size: float, scale: float) -> float:
    return size / scale if scale else math.inf if size else 0.0


def enough(walk: Walk, tol: float) -> int:
    """Return the number of iterations after which the contraction guarantees `tol`, or a limit.

    The change falls by the damping at least; twice as many cover the derivative that a complex
    step carries along, which falls as k a^k.
    """
    a = float(np.real(walk.damping))
    if a == 0.0:
        return 10
    return min(ITERATION_LIMIT, 50 + math.ceil(2 * math.log(tol / 2) / math.log(a)))
