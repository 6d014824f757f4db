"""Sparse LU: exact to rounding, for small graphs and for damping close to one."""

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import SuperLU, splu

from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.walk import Walk

REFINEMENTS = 5


class Direct:
    """Solve with A = I - a P^T; the dangling nodes come back in as a rank-one update.

    With x = A^-1 v and y = A^-1 u: pi = (1 - a) x + a (d^T x) y / sum(y), since
    sum(A y) = 1 makes 1 - a d^T y = (1 - a) sum(y). In the same way the solution of sum zero for a
    right-hand side of sum zero is A^-1 rhs - q sum(A^-1 rhs), q = y / sum(y), and the adjoint is
    the transpose of that: A^-T (rhs - (q^T rhs) 1).
    """

    name = 'direct'

    def __init__(self, walk: Walk, tol: float, max_iterations: int | None = None):
        self.walk = walk
        self.tol = tol
        self.refinements = REFINEMENTS if max_iterations is None else max_iterations

    def scores(self, start: NDArray[Any] | None = None) -> tuple[NDArray[Any], float, int, int]:
        """Solve, then refine while the computed residual is above the tolerance."""
        walk = self.walk
        x = self._solve(walk.v)
        passed_on = walk.damping * walk.dangling_mass(x)
        pi = (1.0 - walk.damping) * x + passed_on * self._q
        pi = pi / pi.sum()
        change = walk.step(pi) - pi
        residual = float(np.abs(change).sum())
        iterations = 0
        while residual > self.tol and iterations < self.refinements:
            iterations += 1
            refined = pi + self.forward(change)
            if not self.walk.is_complex:
                refined = np.maximum(refined, 0.0)
            refined = refined / refined.sum()
            change = walk.step(refined) - refined
            if np.abs(change).sum() >= residual:
                break
            pi, residual = refined, float(np.abs(change).sum())
        if not residual <= self.tol:
            raise NotConverged(
                residual,
                self.tol,
                iterations,
                self.name,
                'this is as far as float64 goes on this graph: raise tol',
            )
        return pi, residual, iterations, iterations + 1

    def forward(self, rhs: NDArray[Any]) -> NDArray[Any]:
        """Return A^-1 rhs, brought to sum zero along q."""
        z = self._solve(rhs)
        return z - self._q * z.sum()

    def adjoint(self, rhs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return A^-T (rhs - (q^T rhs) 1), and P times this."""
        lam = self._solve(rhs - self._q @ rhs, trans='T')
        return lam, self.walk.transition.rmatvec(lam)

    @cached_property
    def _q(self) -> NDArray[Any]:
        y = self._solve(self.walk.u)
        return y / y.sum()

    @cached_property
    def _lu(self) -> SuperLU:
        walk = self.walk
        # P by rows is P^T by columns: no transposition is needed.
        p = walk.transition.by_source
        p_transposed = sp.csc_array((p.data, p.indices, p.indptr), shape=p.shape)
        a = (sp.eye_array(walk.graph.n, format='csc') - walk.damping * p_transposed).tocsc()
        # A is diagonally dominant by columns, so the diagonal is a safe pivot, and an ordering that
        # keeps it there fills in less (measured: 2 to 3 times less on a route network).
        return splu(
            a,
            permc_spec='MMD_AT_PLUS_A',
            diag_pivot_thresh=0.0,
            options={'SymmetricMode': True},
        )

    def _solve(self, rhs: NDArray[Any], trans: str = 'N') -> NDArray[Any]:
        walk = self.walk
        if np.iscomplexobj(walk.transition.weights) or np.iscomplexobj(walk.damping):
            return self._lu.solve(rhs.astype(complex), trans)
        if np.iscomplexobj(rhs):
            return self._solve(rhs.real, trans) + 1j * self._solve(rhs.imag, trans)
        return self._lu.solve(np.asarray(rhs, dtype=float), trans)

    def __getstate__(self) -> dict[str, Any]:
        """All but SuperLU's factors, which cannot be copied: they are made again when needed."""
        return {name: value for name, value in self.__dict__.items() if name != '_lu'}
