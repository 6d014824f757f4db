"""The compiled engine: whole time loops of a layer. Its module imports numba."""

from typing import ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.compiled.elman import ElmanLoops
from mdao_seq.sequence.engines.compiled.gru import GRULoops
from mdao_seq.sequence.engines.compiled.loops import CompiledLayer, CompiledSteps, Loops, flat
from mdao_seq.sequence.engines.compiled.lstm import LSTMLoops
from mdao_seq.sequence.engines.engine import Engine, Recurrence, Steps
from mdao_seq.sequence.engines.numpy_engine import NumpyEngine

LOOPS: dict[type[Cell], Loops] = {
    loops.cell: loops for loops in (ElmanLoops(), GRULoops(), LSTMLoops())
}


# Products of so many numbers stay in a processor's cache until the loops have used them.
_IN_CACHE = 2**17


class NumbaEngine(Engine):
    """Compiled time loops of the cells that have them, in windows of time that the cache can hold.

    NumPy does what these cannot: complex numbers, and cells without compiled loops.
    """

    name: ClassVar[str] = 'numba'

    def __init__(self) -> None:
        self._numpy = NumpyEngine()

    def run(self, layer: Recurrence, inputs: Array, initial: Arrays) -> Steps:
        """Go through all time steps (see `Engine.run`)."""
        loops = _loops(layer, inputs, *initial)
        if loops is None:
            return self._numpy.run(layer, inputs, initial)
        seq_len, batch_size = inputs.shape[:2]
        rows, hidden_size = layer.weight_hh.shape
        compiled = CompiledLayer(layer, seq_len, batch_size)
        states = tuple(_with_first(first, seq_len) for first in initial)
        kept = loops.room(seq_len, batch_size, hidden_size)
        windows = _windows(seq_len, batch_size * rows)
        room = None if loops.keeps_drive else _room(windows, batch_size, rows)
        for window in windows:
            drive = flat(kept[0][window]) if room is None else room[: window.stop - window.start]
            _set_products(drive, inputs[window], layer.weight_ih)
            loops.run(
                compiled.since(window.start),
                drive,
                _in_window(states, window),
                tuple(each[window] for each in kept),
            )
        return CompiledSteps(compiled, states, kept or (states[0][1:],))

    def jvp(
        self,
        layer: Recurrence,
        steps: Steps,
        d_inputs: Array,
        d_initial: Arrays,
        added: tuple[Array, Array] | None = None,
    ) -> Arrays:
        """Push a change through all time steps (see `Engine.jvp`)."""
        changes = d_inputs, *(added or ()), *d_initial
        if not isinstance(steps, CompiledSteps) or not _are_real(*changes):
            return self._numpy.jvp(layer, steps, d_inputs, d_initial, added)
        loops, compiled = LOOPS[type(layer.cell)], steps.layer
        seq_len, batch_size = d_inputs.shape[:2]
        rows = len(layer.weight_hh)
        d_states = tuple(_with_first(first, seq_len) for first in d_initial)
        windows = _windows(seq_len, batch_size * rows)
        room = _room(windows, batch_size, rows)
        for window in windows:
            d_drive = room[: window.stop - window.start]
            _set_products(d_drive, d_inputs[window], layer.weight_ih)
            d_recurrent = None
            if added is not None:
                d_drive += flat(added[0][window])
                d_recurrent = flat(added[1][window])
            loops.jvp(
                compiled.since(window.start),
                steps.part(window),
                d_drive,
                d_recurrent,
                _in_window(d_states, window),
            )
        return d_states

    def vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Array, Arrays]:
        """Pull sensitivities back through all time steps (see `Engine.vjp`)."""
        if not isinstance(steps, CompiledSteps) or not _are_real(hidden_bar, *final_bar):
            return self._numpy.vjp(layer, steps, hidden_bar, final_bar)
        loops, compiled = LOOPS[type(layer.cell)], steps.layer
        seq_len, batch_size = hidden_bar.shape[:2]
        shape = (seq_len, batch_size, len(layer.weight_hh))
        bars = tuple(np.empty(shape) for _ in range(1 + loops.has_two_bars))
        # The loops leave in these what they come to.
        states_bar = tuple(np.array(bar) for bar in final_bar)
        loops.vjp(
            compiled,
            steps,
            np.ascontiguousarray(hidden_bar),
            states_bar,
            bars,
        )
        return layer.by_gates(bars[0]), layer.by_gates(bars[-1]), states_bar

    def inputs_vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Arrays]:
        """Pull sensitivities back to the inputs only (see `Engine.inputs_vjp`)."""
        if not isinstance(steps, CompiledSteps) or not _are_real(hidden_bar, *final_bar):
            return self._numpy.inputs_vjp(layer, steps, hidden_bar, final_bar)
        loops, compiled = LOOPS[type(layer.cell)], steps.layer
        seq_len, batch_size = hidden_bar.shape[:2]
        rows = len(layer.weight_hh)
        hidden_bar = np.ascontiguousarray(hidden_bar)
        states_bar = tuple(np.array(bar) for bar in final_bar)
        inputs_bar = np.empty((seq_len, batch_size, layer.weight_ih.shape[1]))
        windows = _windows(seq_len, batch_size * rows)
        rooms = [_room(windows, batch_size, rows) for _ in range(1 + loops.has_two_bars)]
        for window in reversed(windows):
            bars = tuple(room[: window.stop - window.start] for room in rooms)
            loops.vjp(
                compiled.since(window.start),
                steps.part(window),
                hidden_bar[window],
                states_bar,
                bars,
            )
            _set_products(inputs_bar[window], bars[0], layer.weight_ih.T)
        return inputs_bar, states_bar


def _loops(layer: Recurrence, *arrays: Array) -> Loops | None:
    """Return the compiled loops for a layer and arrays, if there are any."""
    own = [each for each in layer[1:5] if each is not None]
    return LOOPS.get(type(layer.cell)) if _are_real(*own, *arrays) else None


def _are_real(*arrays: Array) -> bool:
    return all(array.dtype == np.float64 for array in arrays)


def _windows(seq_len: int, size: int) -> list[slice]:
    """Return windows of time; `size` numbers are in one time step."""
    length = max(1, _IN_CACHE // size)
    return [slice(k, min(k + length, seq_len)) for k in range(0, seq_len, length)]


def _room(windows: list[slice], batch_size: int, rows: int) -> Array:
    """Return room for products in one of these windows."""
    return np.empty((windows[0].stop, batch_size, rows))


def _set_products(products: Array, inputs: Array, weight: Array) -> None:
    """Set `products` (…, rows) to the products of inputs (…, size) with a weight (rows, size)."""
    np.matmul(
        inputs.reshape(-1, inputs.shape[2]), weight.T, out=products.reshape(-1, products.shape[2])
    )


def _in_window(states: Arrays, window: slice) -> Arrays:
    return tuple(each[window.start : window.stop + 1] for each in states)


def _with_first(first: Array, seq_len: int) -> Array:
    """Return room for a state before the first step, which is set, and after each."""
    states = np.empty((seq_len + 1, *first.shape))
    states[0] = first
    return states
