"""What methods in real arithmetic have in common: how they come by complex steps."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

from numpy import iscomplexobj
from numpy.typing import NDArray

from mdao_seq.graph.methods.power import Power
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]


class RealMethod(ABC):
    """Solve for real walks; complex ones go by way of `Power`, complex right-hand sides in parts.

    A subclass has a ``name`` and the three abstract methods; see `mdao_seq.graph.methods` for what
    they return.
    """

    def __init__(self, walk: Walk, tol: float, max_iterations: int | None = None):
        self.walk = walk
        self.tol = tol
        self.max_iterations = max_iterations

    def scores(self, start: Array | None = None) -> tuple[Array, float, int, int]:
        """Return the scores, their residual, iterations and passes."""
        if self._power is not None:
            return self._power.scores(start)
        return self._solve_scores(start)

    def forward(self, rhs: Array) -> Array:
        """Return A^-1 rhs, brought to sum zero along q."""
        if self._power is not None:
            return self._power.forward(rhs)
        if iscomplexobj(rhs):
            return self._solve_forward(rhs.real) + 1j * self._solve_forward(rhs.imag)
        return self._solve_forward(rhs)

    def adjoint(self, rhs: Array) -> tuple[Array, Array]:
        """Return A^-T (rhs - (q^T rhs) 1), and P times this."""
        if self._power is not None:
            return self._power.adjoint(rhs)
        if iscomplexobj(rhs):
            (lam, mean), (d_lam, d_mean) = map(self._solve_adjoint, (rhs.real, rhs.imag))
            return lam + 1j * d_lam, mean + 1j * d_mean
        return self._solve_adjoint(rhs)

    @cached_property
    def _power(self) -> Power | None:
        given = self.walk, self.tol, self.max_iterations
        return Power(*given) if self.walk.is_complex else None

    @abstractmethod
    def _solve_scores(self, start: Array | None) -> tuple[Array, float, int, int]:
        """Return what `scores` does."""

    @abstractmethod
    def _solve_forward(self, rhs: Array) -> Array:
        """Return what `forward` does."""

    @abstractmethod
    def _solve_adjoint(self, rhs: Array) -> tuple[Array, Array]:
        """Return what `adjoint` does."""
