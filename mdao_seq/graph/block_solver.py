"""Solve x - a P^T x = b for several b at once, in blocks that two threads share out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mdao_seq.graph.compiled import block_sweeps
from mdao_seq.graph.compiled.system import Array
from mdao_seq.graph.component_solver import Effort
from mdao_seq.graph.halves import both
from mdao_seq.graph.weighed import Weighed

WIDTH = block_sweeps.WIDTH


class BlockSolver:
    """As `ComponentSolver`, for right-hand sides without negative entries, stacked in rows.

    Parameters
    ----------
    weighed : Weighed
        The graph.
    damping : float
        a.
    limit : int
        Most sweeps of a component.
    """

    def __init__(self, weighed: Weighed, damping: float, limit: int):
        self.system = weighed.system(damping)
        self._order = weighed.structure.order
        self._limit = limit

    def solve(self, b: Array, x: Array, tol: float) -> Effort:
        """Solve for x (k, n), from what it is, by node; `tol` as of `ComponentSolver`."""
        blocks = list(zip(self._blocks(b), self._blocks(x), strict=True))
        made = _shared_out([partial(self._solve_block, *block, tol) for block in blocks])
        for k in range(len(x)):
            x[k, self._order] = blocks[k // WIDTH][1][:, k % WIDTH]
        lefts, sweeps, read = zip(*made, strict=True)
        return Effort(max(lefts), max(sweeps), sum(read))

    def residual(self, x: Array, jump: Array) -> float:
        """Return the largest 1-norm of ``a P^T x + jump - x``, each (k, n)."""
        blocks = zip(self._blocks(x), self._blocks(jump), strict=True)
        return float(max(_shared_out([partial(self._residual_of_block, *each) for each in blocks])))

    def _solve_block(self, b: Array, x: Array, tol: float) -> tuple[float, int, int]:
        y, own = x * self.system.inv_sums[:, None], np.empty_like(x)
        found: tuple[float, int, int] = block_sweeps.solve(
            self.system, b, tol, self._limit, own, x, y
        )
        return found

    def _residual_of_block(self, x: Array, jump: Array) -> Any:
        norms = np.empty(WIDTH)
        block_sweeps.residual(self.system, jump, x, x * self.system.inv_sums[:, None], norms)
        return norms.max()

    def _blocks(self, rows: Array) -> list[Array]:
        """Return rows by node as columns by place, `WIDTH` in each; the first fills up the last."""
        missing = -len(rows) % WIDTH
        numbers = np.concatenate([np.arange(len(rows)), np.zeros(missing, int)])
        blocks = []
        for first in range(0, len(numbers), WIDTH):
            block = np.empty((rows.shape[1], WIDTH))
            for j, k in enumerate(numbers[first : first + WIDTH]):
                block[:, j] = rows[k, self._order]
            blocks.append(block)
        return blocks


def _shared_out(calls: list[Callable[[], Any]]) -> list[Any]:
    """Return what calls return, which two threads make."""
    half = (len(calls) + 1) // 2

    def make(some: list[Callable[[], Any]]) -> list[Any]:
        return [call() for call in some]

    if half == len(calls):
        return make(calls)
    first, second = both(partial(make, calls[:half]), partial(make, calls[half:]))
    return [*first, *second]
