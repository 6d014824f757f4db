"""Which method serves a walk best: chosen by what it is, and by how the solve goes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq._optional import has_numba
from mdao_seq.graph.errors import NotConverged
from mdao_seq.graph.methods import Method, make_method
from mdao_seq.graph.walk import Walk

Array = NDArray[Any]

# Measured on random graphs, the worst case for sparse LU: 60 ms at 1000 nodes, 350 ms at 2000.
DIRECT_LIMIT = 1000
# Where nothing else converges, LU may take some seconds: it fills in, unless edges are few.
_LAST_RESORT = 20_000
_LAST_RESORT_SPARSE = 50_000
_FEW_EDGES = 4
# So many sweeps over all edges, and what BiCGSTAB needs is less; after so many it can be told.
_SWEEPS = {'max_iterations': 500, 'wait': 40}
# Power iteration's contraction is the damping, or better: 200 passes at this one.
_POWER_DAMPING = 0.9


class Automatic:
    """The first of some methods, and the next where that does not converge.

    Attributes
    ----------
    name : str
        Of the method in use.
    reason : str
        Why that one.
    """

    def __init__(self, walk: Walk, tol: float, max_iterations: int | None = None):
        self._given = walk, tol
        self._max_iterations = max_iterations
        self._tried: list[str] = []
        self.reason, self._left = _candidates(walk)
        self._take_next()

    def scores(self, start: Array | None = None) -> tuple[Array, float, int, int]:
        """Return those of the first method that converges."""
        while True:
            try:
                return self._method.scores(start)
            except NotConverged as error:
                self._give_up(error)

    def forward(self, rhs: Array) -> Array:
        """Return that of the first method that converges."""
        while True:
            try:
                return self._method.forward(rhs)
            except NotConverged as error:
                self._give_up(error)

    def adjoint(self, rhs: Array) -> tuple[Array, Array]:
        """Return those of the first method that converges."""
        while True:
            try:
                return self._method.adjoint(rhs)
            except NotConverged as error:
                self._give_up(error)

    def _give_up(self, error: NotConverged) -> None:
        self._tried.append(error.method)
        if not self._left:
            tried = ', '.join(dict.fromkeys(self._tried))
            advice = f'auto has tried {tried}: raise tol or max_iterations, or lower the damping'
            raise NotConverged(
                error.residual, error.tol, error.iterations, error.method, advice
            ) from error
        self.reason = f'auto: {error.method} came to {error.residual:.1e} in {error.iterations}'
        self._take_next()

    def _take_next(self) -> None:
        self.name, settings = self._left.pop(0)
        limits = settings.get('max_iterations'), self._max_iterations
        limit = min((limit for limit in limits if limit is not None), default=None)
        settings = settings | {'max_iterations': limit}
        self._method: Method = make_method(self.name, *self._given, **settings)


def _candidates(walk: Walk) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Return a reason, and names of methods, each with settings of its own."""
    n, damping = walk.graph.n, float(np.real(walk.damping))
    if n <= DIRECT_LIMIT:
        return f'auto: {n} nodes, not above {DIRECT_LIMIT}', [('direct', {})]
    reason = f'auto: {n} nodes, above {DIRECT_LIMIT}'
    is_sparse = n <= _LAST_RESORT_SPARSE and walk.graph.nnz <= _FEW_EDGES * n
    can_be_factored = n <= _LAST_RESORT or is_sparse
    if walk.is_complex:
        last_ones: list[str] = ['direct'] if can_be_factored else []
        return f'{reason}, complex', [(name, {}) for name in ['power', *last_ones]]
    if not has_numba():
        candidates = ['bicgstab', 'power'] if damping > _POWER_DAMPING else ['power', 'bicgstab']
        if can_be_factored:
            candidates.append('direct')
        return f'{reason}, damping {damping:g}, no numba', [(name, {}) for name in candidates]

    from mdao_seq.graph.structure import Structure

    sizes = np.diff(walk.graph.kept(Structure).bounds)
    if sizes.max() == 1:
        return f'{reason}, no cycles', [('gauss_seidel', {})]
    reason = f'{reason}, {sizes.size} strongly connected components of at most {sizes.max()}'
    last = 'direct' if can_be_factored else 'gauss_seidel'
    return reason, [('gauss_seidel', _SWEEPS), ('bicgstab', {}), (last, {})]
