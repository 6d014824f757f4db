"""The compiled engine: whole time loops of a layer. Its module imports numba."""

from typing import ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.compiled.elman import ElmanLoops
from mdao_seq.sequence.engines.compiled.gru import GRULoops
from mdao_seq.sequence.engines.compiled.loops import CompiledLayer, Loops
from mdao_seq.sequence.engines.compiled.lstm import LSTMLoops
from mdao_seq.sequence.engines.engine import Engine, Recurrence, Steps
from mdao_seq.sequence.engines.numpy_engine import NumpyEngine

LOOPS: dict[type[Cell], Loops] = {
    loops.cell: loops for loops in (ElmanLoops(), GRULoops(), LSTMLoops())
}


class NumbaEngine(Engine):
    """Compiled time loops of the cells that have them.

    NumPy does what these cannot: complex numbers, and cells without compiled loops.
    """

    name: ClassVar[str] = 'numba'

    def __init__(self) -> None:
        self._numpy = NumpyEngine()

    def run(self, layer: Recurrence, drive: Array, initial: Arrays) -> Steps:
        """Go through all time steps (see `Engine.run`)."""
        loops = _loops(layer, drive, *initial)
        if loops is None:
            return self._numpy.run(layer, drive, initial)
        states = tuple(_with_first(first, len(drive)) for first in initial)
        kept = loops.run(
            CompiledLayer(layer, *drive.shape[:2]), np.ascontiguousarray(drive), states
        )
        return Steps(layer.cell, states, kept)

    def jvp(
        self,
        layer: Recurrence,
        steps: Steps,
        d_drive: Array,
        d_recurrent: Array | None,
        d_initial: Arrays,
    ) -> Arrays:
        """Push a change through all time steps (see `Engine.jvp`)."""
        others = () if d_recurrent is None else (d_recurrent,)
        loops = _loops(layer, *steps.states, d_drive, *others, *d_initial)
        if loops is None:
            return self._numpy.jvp(layer, steps, d_drive, d_recurrent, d_initial)
        d_states = tuple(_with_first(first, len(d_drive)) for first in d_initial)
        loops.jvp(
            CompiledLayer(layer, *d_drive.shape[:2]),
            steps,
            np.ascontiguousarray(d_drive),
            None if d_recurrent is None else np.ascontiguousarray(d_recurrent),
            d_states,
        )
        return d_states

    def vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Array, Arrays]:
        """Pull sensitivities back through all time steps (see `Engine.vjp`)."""
        loops = _loops(layer, *steps.states, hidden_bar, *final_bar)
        if loops is None:
            return self._numpy.vjp(layer, steps, hidden_bar, final_bar)
        # The loops leave in these what they come to.
        states_bar = tuple(np.array(bar) for bar in final_bar)
        drive_bar, recurrent_bar = loops.vjp(
            CompiledLayer(layer, *hidden_bar.shape[:2]),
            steps,
            np.ascontiguousarray(hidden_bar),
            states_bar,
        )
        return drive_bar, recurrent_bar, states_bar


def _loops(layer: Recurrence, *arrays: Array) -> Loops | None:
    """Return the compiled loops for a layer and arrays, if there are any."""
    own = [each for each in layer[1:4] if each is not None]
    is_real = all(array.dtype == np.float64 for array in (*own, *arrays))
    return LOOPS.get(type(layer.cell)) if is_real else None


def _with_first(first: Array, seq_len: int) -> Array:
    """Return room for a state before the first step, which is set, and after each."""
    states = np.empty((seq_len + 1, *first.shape))
    states[0] = first
    return states
