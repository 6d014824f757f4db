"""One recurrent layer over all time steps, and its products.

Arrays are time-major here, ``(seq_len, batch_size, …)``, so that a time step is one contiguous
block and the product with the input weights is one matrix product for all time steps.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.arrays import flat, over_time, times
from mdao_seq.sequence.cells.cell import Array, Arrays, Cell


class LayerWeights(NamedTuple):
    """Weights of one layer; the gates' rows stand below one another, as in PyTorch.

    Attributes
    ----------
    weight_ih : ndarray (num_gates * hidden_size, input_size)
    weight_hh : ndarray (num_gates * hidden_size, hidden_size)
    bias_ih, bias_hh : ndarray (num_gates * hidden_size,) or None
    """

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None


class LayerTrace:
    """A layer run once from zero states, with what its products need.

    Parameters
    ----------
    cell : Cell
        The elementwise part.
    weights : LayerWeights
        The matrices.
    inputs : ndarray (seq_len, batch_size, input_size)
        Input of each time step.

    Attributes
    ----------
    hidden : ndarray (seq_len, batch_size, hidden_size)
        h after each time step.
    """

    def __init__(self, cell: Cell, weights: LayerWeights, inputs: Array):
        self._cell = cell
        self._weights = weights
        self._input_sequence = inputs
        seq_len, batch_size, _ = inputs.shape
        hidden_size = weights.weight_hh.shape[1]
        self._gates_shape = (batch_size, cell.num_gates, hidden_size)

        drive = times(inputs, weights.weight_ih.T)
        if weights.bias_ih is not None:
            drive = drive + weights.bias_ih
        states = self._zero_states(drive.dtype)
        self._states = [states]
        self._kept: list[Arrays] = []
        weight_hh = weights.weight_hh.T
        for drive_now in drive.reshape(seq_len, *self._gates_shape):
            recurrent = states[0] @ weight_hh
            if weights.bias_hh is not None:
                recurrent = recurrent + weights.bias_hh
            states, kept = cell.step(drive_now, recurrent.reshape(self._gates_shape), states)
            self._states.append(states)
            self._kept.append(kept)
        self.hidden = over_time([states[0] for states in self._states[1:]])

    @cached_property
    def _slopes(self) -> Arrays:
        before = _each_over_time(self._states[:-1])
        return self._cell.slopes(_each_over_time(self._kept), before)

    def jvp(self, d_inputs: Array) -> Array:
        """Return the change of `hidden` for a change of the inputs.

        Parameters
        ----------
        d_inputs : ndarray (seq_len, batch_size, input_size)
            Change of the inputs.

        Returns
        -------
        ndarray (seq_len, batch_size, hidden_size)
            Change of `hidden`.
        """
        d_drive = times(d_inputs, self._weights.weight_ih.T)
        d_states = self._zero_states(d_drive.dtype)
        d_hidden = []
        weight_hh = self._weights.weight_hh.T
        d_drive = d_drive.reshape(-1, *self._gates_shape)
        for slopes, d_drive_now in zip(zip(*self._slopes, strict=True), d_drive, strict=True):
            d_recurrent = (d_states[0] @ weight_hh).reshape(self._gates_shape)
            d_states = self._cell.jvp(slopes, d_drive_now, d_recurrent, d_states)
            d_hidden.append(d_states[0])
        return over_time(d_hidden)

    def vjp(self, hidden_bar: Array) -> 'LayerSensitivities':
        """Sweep back through time.

        Parameters
        ----------
        hidden_bar : ndarray (seq_len, batch_size, hidden_size)
            Sensitivities to `hidden`.

        Returns
        -------
        LayerSensitivities
            From which those to inputs and weights are one matrix product each.
        """
        states_bar = self._zero_states(hidden_bar.dtype)
        weight_hh = self._weights.weight_hh
        flat_gates = (hidden_bar.shape[1], weight_hh.shape[0])
        drive_bars, recurrent_bars = [], []
        backwards = zip(*(slope[::-1] for slope in self._slopes), strict=True)
        for slopes, h_bar in zip(backwards, hidden_bar[::-1], strict=True):
            states_bar = (states_bar[0] + h_bar, *states_bar[1:])
            drive_bar, recurrent_bar, states_bar = self._cell.vjp(slopes, states_bar)
            through_product = recurrent_bar.reshape(flat_gates) @ weight_hh
            states_bar = (through_product + states_bar[0], *states_bar[1:])
            drive_bars.append(drive_bar)
            recurrent_bars.append(recurrent_bar)
        before = over_time([states[0] for states in self._states[:-1]])
        return LayerSensitivities(
            self._weights,
            self._input_sequence,
            before,
            over_time(drive_bars[::-1]),
            over_time(recurrent_bars[::-1]),
        )

    def _zero_states(self, dtype: np.dtype) -> Arrays:
        batch_size, _, hidden_size = self._gates_shape
        zero = np.zeros((batch_size, hidden_size), dtype=dtype)
        return (zero,) * self._cell.num_states


class LayerSensitivities:
    """What one sweep back through a layer found.

    Parameters
    ----------
    weights : LayerWeights
        Weights of the layer.
    inputs, before : ndarray (seq_len, batch_size, input_size or hidden_size)
        Input of, and h before, each time step.
    drive_bar, recurrent_bar : ndarray (seq_len, batch_size, num_gates, hidden_size)
        Sensitivities to the products of the weights with `inputs` and with `before`.
    """

    def __init__(
        self,
        weights: LayerWeights,
        inputs: Array,
        before: Array,
        drive_bar: Array,
        recurrent_bar: Array,
    ):
        rows = weights.weight_hh.shape[0]
        self._weights = weights
        self._input_sequence = inputs
        self._before = before
        self._drive_bar = drive_bar.reshape(*drive_bar.shape[:2], rows)
        self._recurrent_bar = recurrent_bar.reshape(*recurrent_bar.shape[:2], rows)

    def inputs(self) -> Array:
        """Return the sensitivities to the inputs, (seq_len, batch_size, input_size)."""
        return times(self._drive_bar, self._weights.weight_ih)

    def weights(self) -> LayerWeights:
        """Return the sensitivities to the weights, in their shapes."""
        drive_bar = flat(self._drive_bar)
        recurrent_bar = flat(self._recurrent_bar)
        has_bias = self._weights.bias_ih is not None
        return LayerWeights(
            weight_ih=drive_bar.T @ flat(self._input_sequence),
            weight_hh=recurrent_bar.T @ flat(self._before),
            bias_ih=drive_bar.sum(axis=0) if has_bias else None,
            bias_hh=recurrent_bar.sum(axis=0) if has_bias else None,
        )


def _each_over_time(steps: list[Arrays]) -> Arrays:
    return tuple(over_time(list(one)) for one in zip(*steps, strict=True))
