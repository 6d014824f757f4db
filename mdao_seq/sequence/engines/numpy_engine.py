"""The reference engine: NumPy, for real and complex numbers."""

from typing import ClassVar

import numpy as np

from mdao_seq.sequence.arrays import over_time, times
from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.engines.engine import Engine, Recurrence, Steps


class NumpyEngine(Engine):
    """Steps a cell in Python; each step is a handful of NumPy's operations on all lanes."""

    name: ClassVar[str] = 'numpy'

    def run(self, layer: Recurrence, inputs: Array, initial: Arrays) -> Steps:
        """Go through all time steps (see `Engine.run`)."""
        weight_hh = layer.weight_hh.T
        active = layer.active(len(inputs))
        drive = layer.by_gates(times(inputs, layer.weight_ih.T))
        if layer.bias_ih is not None:
            drive = drive + layer.bias_ih.reshape(drive.shape[2:])
        states = initial
        after, kept = [], []
        for t, driven in enumerate(drive):
            recurrent = states[0] @ weight_hh
            if layer.bias_hh is not None:
                recurrent = recurrent + layer.bias_hh
            new, keep = layer.cell.step(driven, recurrent.reshape(driven.shape), states)
            states = new if active is None else _chosen(active[t], new, states)
            after.append(states)
            kept.append(keep)
        return Steps(layer.cell, _with_first(initial, after), _each_over_time(kept))

    def jvp(
        self,
        layer: Recurrence,
        steps: Steps,
        d_inputs: Array,
        d_initial: Arrays,
        added: tuple[Array, Array] | None = None,
    ) -> Arrays:
        """Push a change through all time steps (see `Engine.jvp`)."""
        weight_hh = layer.weight_hh.T
        active = layer.active(len(d_inputs))
        d_drive = layer.by_gates(times(d_inputs, layer.weight_ih.T))
        if added is not None:
            d_drive = d_drive + added[0]
        states = d_initial
        after = []
        for t, (slopes, driven) in enumerate(
            zip(zip(*steps.slopes, strict=True), d_drive, strict=True)
        ):
            recurrent = (states[0] @ weight_hh).reshape(driven.shape)
            if added is not None:
                recurrent = recurrent + added[1][t]
            new = layer.cell.jvp(slopes, driven, recurrent, states)
            states = new if active is None else _chosen(active[t], new, states)
            after.append(states)
        return _with_first(d_initial, after)

    def vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Array, Arrays]:
        """Pull sensitivities back through all time steps (see `Engine.vjp`)."""
        active = layer.active(len(hidden_bar))
        flat_gates = (hidden_bar.shape[1], layer.weight_hh.shape[0])
        states_bar = final_bar
        drive_bars: list[Array] = []
        recurrent_bars: list[Array] = []
        backwards = zip(*(slope[::-1] for slope in steps.slopes), strict=True)
        for slopes, h_bar in zip(backwards, hidden_bar[::-1], strict=True):
            after = (states_bar[0] + h_bar, *states_bar[1:])
            drive_bar, recurrent_bar, states_bar = layer.cell.vjp(slopes, after)
            if active is not None:
                now = active[-1 - len(drive_bars)]
                drive_bar = np.where(now[..., np.newaxis], drive_bar, 0.0)
                recurrent_bar = np.where(now[..., np.newaxis], recurrent_bar, 0.0)
                states_bar = _chosen(now, states_bar, after)
            through_product = recurrent_bar.reshape(flat_gates) @ layer.weight_hh
            states_bar = (through_product + states_bar[0], *states_bar[1:])
            drive_bars.append(drive_bar)
            recurrent_bars.append(recurrent_bar)
        return over_time(drive_bars[::-1]), over_time(recurrent_bars[::-1]), states_bar


def _chosen(active: Array, these: Arrays, others: Arrays) -> Arrays:
    """Return `these` in the lanes that are active, `others` where they are not."""
    return tuple(np.where(active, *pair) for pair in zip(these, others, strict=True))


def _with_first(first: Arrays, after: list[Arrays]) -> Arrays:
    first = tuple(np.asarray(f, a.dtype) for f, a in zip(first, after[0], strict=True))
    return _each_over_time([first, *after])


def _each_over_time(steps: list[Arrays]) -> Arrays:
    return tuple(over_time(list(one)) for one in zip(*steps, strict=True))
