"""From block to block: what states and outputs depend on in earlier blocks of time."""

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.jacobian.block_sweep import BlockSweep


class BlockChain:
    """What the states before a block depend on, from block to block.

    Parameters
    ----------
    sweep : BlockSweep
        Derivatives of each block.
    seq_len : int
        Time steps in all.

    Attributes
    ----------
    earlier : ndarray (input_size, batch_size, states, seq_len)
        Their derivatives by the inputs before the block.
    by_start : ndarray (batch_size, states, states)
        Their derivatives by the states before the first step.
    """

    def __init__(self, sweep: BlockSweep, seq_len: int):
        self.sweep = sweep
        # One matrix for each block and sequence.
        self._by_first = np.ascontiguousarray(sweep.by_first.transpose(1, 2, 0, 3))
        self._last_by_first = np.ascontiguousarray(sweep.last_by_first.transpose(1, 2, 0, 3))
        _, batch_size, _, states = self._by_first.shape
        input_size, rows = sweep.by_input.shape[3], len(sweep.last_by_input)
        self.earlier = np.zeros((input_size, batch_size, rows, seq_len), self._by_first.dtype)
        self.by_start = np.broadcast_to(np.eye(states), (batch_size, states, states))

    def outputs_by_earlier(self, block: int, steps: slice) -> Array:
        """Return derivatives of a block's outputs, (input_size, batch_size, rows, time steps)."""
        if steps.start == steps.stop:
            return np.empty((*self.earlier.shape[:2], self._by_first.shape[2], 0))
        return self._by_first[block] @ self.earlier[..., steps]

    def outputs_by_start(self, block: int) -> Array:
        """Return those by the states before the first step, (batch_size, rows, states)."""
        return self._by_first[block] @ self.by_start

    def go_past(self, block: int, steps: slice) -> None:
        """Go to the next block, with what the states depend on at these time steps before it."""
        through = self._last_by_first[block]
        self.earlier[..., steps] = through @ self.earlier[..., steps]
        own = self.sweep.last_by_input[:, block].transpose(2, 1, 0, 3)
        length = min(own.shape[-1], self.earlier.shape[-1] - steps.stop)
        self.earlier[..., steps.stop : steps.stop + length] = own[..., :length]
        self.by_start = through @ self.by_start
