"""One sweep back through all blocks of time of a network at once.

Time is cut into blocks, which ride beside one another like sequences of a batch. With the states at
the beginning of a block as its inputs and those at its end as its outputs, a block is a small
network of its own; one sweep gives the derivatives of all of them.
"""

from collections.abc import Sequence

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.linear_steps import LinearSteps


class BlockSweep:
    """Derivatives of the outputs and the last states of each block.

    Parameters
    ----------
    steps : LinearSteps
        Blocks of time, beside one another (see `LinearSteps.in_blocks`).
    batch_size : int
        Sequences; the lanes of `steps` are (blocks, sequences).
    head : ndarray (output_size, hidden_size)
        Derivatives of the outputs by h of the last layer.
    output_steps : sequence of int
        Steps of a block that have outputs in any block.
    with_states : bool
        Whether the last states of the blocks are wanted, too.

    Attributes
    ----------
    by_input : ndarray (rows, blocks, batch_size, input_size, steps of a block)
        Derivatives of all outputs by the normalised inputs, the last step's outputs first (see
        `row`); not set where an input comes after the output.
    last_by_input : ndarray (states, blocks, batch_size, input_size, steps of a block)
        Derivatives of the last states by the inputs.
    by_first : ndarray (rows, blocks, batch_size, states)
        Derivatives of all outputs by the states before the block.
    last_by_first : ndarray (states, blocks, batch_size, states)
        Derivatives of the last states by those before the block.
    """

    def __init__(
        self,
        steps: LinearSteps,
        batch_size: int,
        head: Array,
        output_steps: Sequence[int],
        with_states: bool,
    ):
        blocks = steps.batch_size // batch_size
        size = steps.num_layers * steps.num_states * steps.hidden_size
        self._row_of = {t: len(head) * k for k, t in enumerate(sorted(output_steps, reverse=True))}
        leading = size if with_states else 0
        states = _seeds(steps, leading, leading + len(head) * len(output_steps))
        rows = len(states[0][0])
        by_input = np.zeros(
            (rows, blocks, batch_size, steps.input_size, steps.seq_len), dtype=steps.dtype
        )
        active = leading
        for t in reversed(range(steps.seq_len)):
            if t in self._row_of:
                states[-1][0][active : active + len(head)] += head[:, np.newaxis]
                active += len(head)
            if not active:
                continue
            pulled = steps.pull(t, [tuple(each[:active] for each in layer) for layer in states])
            for layer, new in zip(states, pulled.states, strict=True):
                for each, now in zip(layer, new, strict=True):
                    each[:active] = now
            by_input[:active, ..., t] = pulled.inputs.reshape(active, *by_input.shape[1:4])
        joined = np.concatenate([each for layer in states for each in layer], axis=-1)
        joined = joined.reshape(rows, blocks, batch_size, size)
        self.last_by_input, self.by_input = by_input[:leading], by_input[leading:]
        self.last_by_first, self.by_first = joined[:leading], joined[leading:]

    def row(self, t: int) -> int:
        """Return the first row of the outputs at step `t` of a block."""
        return self._row_of[t]


def _seeds(steps: LinearSteps, leading: int, rows: int) -> list[Arrays]:
    """Return zeros for all rows but the leading, which are the states themselves."""
    shape = (rows, steps.batch_size, steps.hidden_size)
    states = [
        tuple(np.zeros(shape, steps.dtype) for _ in range(steps.num_states))
        for _ in range(steps.num_layers)
    ]
    if leading:
        unit = np.arange(steps.hidden_size)
        for number, each in enumerate(each for layer in states for each in layer):
            each[number * steps.hidden_size + unit, :, unit] = 1.0
    return states
