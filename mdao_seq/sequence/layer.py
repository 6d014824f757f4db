"""One recurrent layer over all time steps, and its products.

Arrays are time-major here, ``(seq_len, batch_size, …)``, so that a time step is one contiguous
block and the product with the input weights is one matrix product for all time steps. An engine
takes the states from step to step.
"""

from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.arrays import flat, times
from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.engine import Engine, Recurrence


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
    """A layer run once, with what its products need.

    Parameters
    ----------
    engine : Engine
        Takes the states from step to step.
    cell : Cell
        The elementwise part.
    weights : LayerWeights
        The matrices.
    inputs : ndarray (seq_len, batch_size, input_size)
        Input of each time step.
    initial : tuple of ndarray (batch_size, hidden_size) or None
        States before the first step. None: zeros.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each lane: the later ones leave its states as they are. None: all.

    Attributes
    ----------
    weights : LayerWeights
        The matrices.
    recurrence : Recurrence
        What is the same in all time steps.
    steps : Steps
        States, and what the derivatives need of each step.
    hidden : ndarray (seq_len, batch_size, hidden_size)
        h after each time step.
    final : tuple of ndarray (batch_size, hidden_size)
        States after the last.
    """

    def __init__(
        self,
        engine: Engine,
        cell: Cell,
        weights: LayerWeights,
        inputs: Array,
        initial: Arrays | None = None,
        lengths: Array | None = None,
    ):
        self._engine = engine
        self.weights = weights
        self._input_sequence = inputs
        self.recurrence = Recurrence(
            cell, weights.weight_ih, weights.weight_hh, weights.bias_ih, weights.bias_hh, lengths
        )
        if initial is None:
            initial = self._zero_states(np.result_type(inputs, weights.weight_hh))
        self.steps = engine.run(self.recurrence, inputs, initial)
        self.hidden = self.steps.states[0][1:]
        self.final = tuple(state[-1] for state in self.steps.states)

    def jvp(
        self,
        d_inputs: Array,
        d_initial: Arrays | None = None,
        d_weights: LayerWeights | None = None,
    ) -> tuple[Array, Arrays]:
        """Return the changes of `hidden` and of `final`.

        Parameters
        ----------
        d_inputs : ndarray (seq_len, batch_size, input_size)
            Change of the inputs.
        d_initial : tuple of ndarray (batch_size, hidden_size) or None
            Change of the states before the first step. None: zeros.
        d_weights : LayerWeights or None
            Change of the weights. None: zeros.

        Returns
        -------
        d_hidden : ndarray (seq_len, batch_size, hidden_size)
            Change of `hidden`.
        d_final : tuple of ndarray (batch_size, hidden_size)
            Change of `final`.
        """
        if d_initial is None:
            d_initial = self._zero_states(d_inputs.dtype)
        added = None if d_weights is None else self.product_changes(d_weights)
        d_states = self._engine.jvp(self.recurrence, self.steps, d_inputs, d_initial, added)
        return d_states[0][1:], tuple(state[-1] for state in d_states)

    def product_changes(self, d_weights: LayerWeights) -> tuple[Array, Array]:
        """Return how the products of the weights change with these, at unchanged states.

        Parameters
        ----------
        d_weights : LayerWeights
            Change of the weights.

        Returns
        -------
        d_drive, d_recurrent : ndarray (seq_len, batch_size, num_gates, hidden_size)
            Changes of the products with the inputs, and with h before each step.
        """
        d_drive = times(self._input_sequence, d_weights.weight_ih.T)
        d_recurrent = times(self.steps.states[0][:-1], d_weights.weight_hh.T)
        if d_weights.bias_ih is not None:
            d_drive = d_drive + d_weights.bias_ih
        if d_weights.bias_hh is not None:
            d_recurrent = d_recurrent + d_weights.bias_hh
        return self.recurrence.by_gates(d_drive), self.recurrence.by_gates(d_recurrent)

    def vjp(self, hidden_bar: Array, final_bar: Arrays | None = None) -> 'LayerSensitivities':
        """Sweep back through time.

        Parameters
        ----------
        hidden_bar : ndarray (seq_len, batch_size, hidden_size)
            Sensitivities to `hidden`.
        final_bar : tuple of ndarray (batch_size, hidden_size) or None
            Further ones to `final`. None: zeros.

        Returns
        -------
        LayerSensitivities
            From which those to inputs and weights are one matrix product each.
        """
        if final_bar is None:
            final_bar = self._zero_states(hidden_bar.dtype)
        drive_bar, recurrent_bar, initial_bar = self._engine.vjp(
            self.recurrence, self.steps, hidden_bar, final_bar
        )
        return self.sensitivities(drive_bar, recurrent_bar, initial_bar)

    def inputs_vjp(
        self, hidden_bar: Array, final_bar: Arrays | None = None
    ) -> 'InputSensitivities':
        """Sweep back through time, for the inputs and the initial states only.

        Parameters
        ----------
        hidden_bar, final_bar
            As of `vjp`.

        Returns
        -------
        InputSensitivities
            What was found.
        """
        if final_bar is None:
            final_bar = self._zero_states(hidden_bar.dtype)
        return InputSensitivities(
            *self._engine.inputs_vjp(self.recurrence, self.steps, hidden_bar, final_bar)
        )

    def sensitivities(
        self, drive_bar: Array, recurrent_bar: Array, initial_bar: Arrays
    ) -> 'LayerSensitivities':
        """Return those of this layer that a sweep back has found.

        Parameters
        ----------
        drive_bar, recurrent_bar : ndarray (seq_len, batch_size, num_gates, hidden_size)
            To the products of the weights with the inputs, and with h before each step.
        initial_bar : tuple of ndarray (batch_size, hidden_size)
            To the states before the first step.
        """
        before = self.steps.states[0][:-1]
        return LayerSensitivities(
            self.weights, self._input_sequence, before, drive_bar, recurrent_bar, initial_bar
        )

    def _zero_states(self, dtype: np.dtype) -> Arrays:
        hidden_size = self.weights.weight_hh.shape[1]
        zero = np.zeros((self._input_sequence.shape[1], hidden_size), dtype=dtype)
        return (zero,) * self.recurrence.cell.num_states


class InputSensitivities:
    """What a sweep back through a layer found of its inputs and initial states.

    Parameters
    ----------
    inputs_bar : ndarray (seq_len, batch_size, input_size)
        Sensitivities to the inputs.
    initial : tuple of ndarray (batch_size, hidden_size)
        Sensitivities to the states before the first step.
    """

    def __init__(self, inputs_bar: Array, initial: Arrays):
        self._inputs_bar = inputs_bar
        self.initial = initial

    def inputs(self) -> Array:
        """Return the sensitivities to the inputs, (seq_len, batch_size, input_size)."""
        return self._inputs_bar

    def weights(self) -> LayerWeights:
        """Refuse: these were not asked for."""
        raise RuntimeError('vjp was called with with_weights=False')


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
    initial : tuple of ndarray (batch_size, hidden_size)
        Sensitivities to the states before the first step.
    """

    def __init__(
        self,
        weights: LayerWeights,
        inputs: Array,
        before: Array,
        drive_bar: Array,
        recurrent_bar: Array,
        initial: Arrays,
    ):
        rows = weights.weight_hh.shape[0]
        self._weights = weights
        self._input_sequence = inputs
        self._before = before
        self._drive_bar = drive_bar.reshape(*drive_bar.shape[:2], rows)
        self._recurrent_bar = recurrent_bar.reshape(*recurrent_bar.shape[:2], rows)
        self.initial = initial

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
