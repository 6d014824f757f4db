"""Where each variable of an `RNNComp` stands in the arrays of its network."""

from copy import copy
from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.tensors import check_finite, checked_lengths, checked_steps
from mdao_seq.sequence.weights import INITIAL_STATES


class Point(NamedTuple):
    """What a network runs at, or a change of it.

    Attributes
    ----------
    x : ndarray (batch_size, seq_len, input_size)
        Inputs.
    state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
        States before the first time step. None: the network's own, or no change.
    weights : dict of str to ndarray, or None
        Weights by name. None: the network's own, or no change.
    """

    x: np.ndarray
    state: tuple | None
    weights: dict | None

    def arrays(self):
        """Return all of its arrays."""
        return [self.x, *(self.state or ()), *(self.weights or {}).values()]


class RNNVariables:
    """The variables of an `RNNComp`, by kind, and their way into and out of a network.

    Parameters
    ----------
    model : SequenceModel or SequenceEnsemble
        The network.
    batch_size, seq_len : int
        Sequences, and time steps of each.
    output_steps : None, 'last' or iterable of int
        Time steps of the outputs.
    lengths : array_like of int (batch_size,) or None
        Time steps of each sequence.
    initial_state, final_state, weights : bool
        Whether there are inputs h0 (and c0), outputs hn (and cn), inputs for the weights.

    Attributes
    ----------
    sequences, statics, outputs : tuple of Signal
        As of the model.
    states_in, states_out, weights : tuple of str
        Names of the variables for states and weights.
    lengths : ndarray of int64 (batch_size,) or None
        As given.
    steps : ndarray of int (batch_size, number) or None
        Time steps of the outputs of each sequence. None: all.
    """

    def __init__(
        self,
        model,
        batch_size,
        seq_len,
        *,
        output_steps=None,
        lengths=None,
        initial_state=False,
        final_state=False,
        weights=False,
    ):
        self.model = model
        self.batch_size, self.seq_len = batch_size, seq_len
        self.sequences, self.statics, self.outputs = (
            model.inputs,
            model.static_inputs,
            model.outputs,
        )
        self.lengths = None if lengths is None else checked_lengths(lengths, (batch_size, seq_len))
        self.steps = checked_steps(output_steps, batch_size, seq_len, self.lengths)
        self._last_only = isinstance(output_steps, str)
        self.states_in = tuple(f'{name}0' for name in model.state_names) if initial_state else ()
        self.states_out = tuple(f'{name}n' for name in model.state_names) if final_state else ()
        # Learned states count for nothing where others are given.
        unused = INITIAL_STATES if initial_state else ()
        self.weights = tuple(n for n in model.weights if n not in unused) if weights else ()
        self._columns = [(s.name, k) for k, s in enumerate((*self.sequences, *self.statics))]
        self._output_columns = [(signal.name, k) for k, signal in enumerate(self.outputs)]

    @property
    def state_shape(self):
        """(num_layers, batch_size, hidden_size)."""
        return (self.model.num_layers, self.batch_size, self.model.hidden_size)

    @property
    def output_shape(self):
        """(batch_size, time steps), or (batch_size,) of the last one."""
        if self._last_only:
            return (self.batch_size,)
        return (self.batch_size, self.seq_len if self.steps is None else self.steps.shape[1])

    def repeated(self, points):
        """Return those of a network that runs at so many points side by side."""
        other = copy(self)
        other.batch_size = points * self.batch_size
        other.lengths = None if self.lengths is None else np.tile(self.lengths, points)
        other.steps = None if self.steps is None else np.tile(self.steps, (points, 1))
        return other

    def joined(self, name, value):
        """Return an input at many points as that of a network that runs at them side by side."""
        if name in self.states_in:
            return value.swapaxes(0, 1).reshape(self.state_shape)
        return value.reshape(-1, *value.shape[2:])

    def parted(self, name, value, shape):
        """Return an output of a network that runs at many points as (points, …), of this shape."""
        if name in self.states_out:
            points, num_layers, batch_size, hidden_size = shape
            return value.reshape(num_layers, points, batch_size, hidden_size).swapaxes(0, 1)
        return value.reshape(shape)

    def input_at(self, place):
        """Return the name of the input at (sequence, time step, column), and its index."""
        lane, t, column = place
        return self._columns[column][0], [lane, t] if column < len(self.sequences) else [lane]

    def point(self, inputs):
        """Return the point of all inputs.

        Raises
        ------
        InputError
            If an input is not finite; it names the input and the entry.
        """
        point = self._gathered(inputs, np.empty)
        if not all(np.isfinite(array).all() for array in point.arrays()):
            for name, value in inputs.items():
                check_finite(f'input {name!r}', value)
        return Point(
            _real_if_it_is(point.x),
            point.state and tuple(_real_if_it_is(each) for each in point.state),
            point.weights and {n: _real_if_it_is(w) for n, w in point.weights.items()},
        )

    def change(self, d_inputs):
        """Return the change that those inputs make which are among `d_inputs`; None for none."""
        return self._gathered(d_inputs, np.zeros) if len(d_inputs) else None

    def _gathered(self, values, room):
        dtype = np.result_type(*values.values())
        x = room((self.batch_size, self.seq_len, len(self._columns)), dtype)
        for name, column in self._columns:
            if name in values:
                # A static input is repeated over time.
                x[..., column] = values[name].reshape(self.batch_size, -1)
        state = weights = None
        if any(name in values for name in self.states_in):
            state = tuple(
                np.array(values[name]) if name in values else np.zeros(self.state_shape, dtype)
                for name in self.states_in
            )
        if any(name in values for name in self.weights):
            weights = {
                name: np.array(values[name]) if name in values else np.zeros(weight.shape, dtype)
                for name, weight in self.model.weights.items()
            }
        return Point(x, state, weights)

    def put(self, trace, outputs):
        """Set the outputs to what a run gave."""
        for name, value in self._of(trace.outputs, trace.final_state if self.states_out else ()):
            outputs[name] = value

    def add_change(self, change, d_outputs):
        """Add a change to those outputs that are among `d_outputs`."""
        for name, value in self._of(change.outputs, change.final_state):
            if name in d_outputs:
                d_outputs[name] += value

    def _of(self, outputs, states):
        """Yield the names and values of all outputs."""
        if self.steps is not None:
            outputs = np.take_along_axis(outputs, self.steps[..., np.newaxis], axis=1)
        for name, column in self._output_columns:
            value = outputs[..., column]
            yield name, value[:, 0] if self._last_only else value
        yield from zip(self.states_out, states, strict=False)

    def sensitivity(self, d_outputs):
        """Return the sensitivities (y_bar, final_bar) that stand in `d_outputs`; None for none."""
        if not len(d_outputs):
            return None
        dtype = np.result_type(*d_outputs.values())
        steps = self.seq_len if self.steps is None else self.steps.shape[1]
        y_bar = np.zeros((self.batch_size, steps, len(self.outputs)), dtype)
        for name, column in self._output_columns:
            if name in d_outputs:
                y_bar[..., column] = d_outputs[name].reshape(self.batch_size, -1)
        if self.steps is not None:
            chosen, y_bar = (
                y_bar,
                np.zeros((self.batch_size, self.seq_len, len(self.outputs)), dtype),
            )
            np.put_along_axis(y_bar, self.steps[..., np.newaxis], chosen, axis=1)
        if not any(name in d_outputs for name in self.states_out):
            return y_bar, None
        zero = np.zeros(self.state_shape, dtype)
        return y_bar, tuple(
            d_outputs[name] if name in d_outputs else zero for name in self.states_out
        )

    def add_sensitivities(self, bars, d_inputs, constant_state):
        """Add the sensitivities that a sweep back found to those inputs that are among `d_inputs`.

        Parameters
        ----------
        bars : Sensitivities
            What it found.
        d_inputs : mapping
            What is added to.
        constant_state : bool
            Whether the states before the first step count as constants.
        """
        if any(name in d_inputs for name, _ in self._columns):
            x_bar = bars.inputs()
            for name, column in self._columns:
                if name in d_inputs:
                    bar = x_bar[..., column]
                    d_inputs[name] += bar if column < len(self.sequences) else bar.sum(axis=1)
        if not constant_state and any(name in d_inputs for name in self.states_in):
            for name, bar in zip(self.states_in, bars.initial_state(), strict=True):
                if name in d_inputs:
                    d_inputs[name] += bar
        if any(name in d_inputs for name in self.weights):
            weights_bar = bars.weights()
            for name in self.weights:
                if name in d_inputs:
                    d_inputs[name] += weights_bar[name]


def _real_if_it_is(value):
    """Return a complex array without imaginary parts as the real one."""
    return value.real if np.iscomplexobj(value) and not np.any(value.imag) else value
