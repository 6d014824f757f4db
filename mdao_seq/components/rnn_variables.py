"""Where each variable of an `RNNComp` stands in the arrays of its network."""

from copy import copy
from typing import NamedTuple

import numpy as np

from mdao_seq.components.flat_variables import FlatVariables
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
    flat_inputs, flat_outputs : FlatVariables
        Signals, static inputs, states, weights, in this order.
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
        self._columns = [signal.name for signal in (*self.sequences, *self.statics)]
        self._lay_out()

    def _lay_out(self):
        sequence = (self.batch_size, self.seq_len)
        self.flat_inputs = FlatVariables(
            {signal.name: sequence for signal in self.sequences}
            | {signal.name: sequence[:1] for signal in self.statics}
            | dict.fromkeys(self.states_in, self.state_shape)
            | {name: self.model.weights[name].shape for name in self.weights}
        )
        self.flat_outputs = FlatVariables(
            {signal.name: self.output_shape for signal in self.outputs}
            | dict.fromkeys(self.states_out, self.state_shape)
        )

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
        other._lay_out()
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
        return self._columns[column], [lane, t] if column < len(self.sequences) else [lane]

    def point(self, values):
        """Return the point of all inputs, of which `values` are those of `flat_inputs`.

        It has arrays of its own but for states and weights, which are views.

        Raises
        ------
        InputError
            If an input is not finite; it names the input and the entry.
        """
        if not np.isfinite(values).all():
            for name, value in self.flat_inputs.by_name(values):
                check_finite(f'input {name!r}', value)
        return self._parts(_real_if_it_is(values), self.states_in, self.weights)

    def change(self, d_inputs):
        """Return the change that those inputs make which are among `d_inputs`."""
        return self._parts(
            self.flat_inputs.get(d_inputs),
            any(name in d_inputs for name in self.states_in),
            any(name in d_inputs for name in self.weights),
        )

    def _parts(self, values, with_states, with_weights):
        sequences, statics = len(self.sequences), len(self.statics)
        # A network takes one time step after the other.
        x = np.empty((self.seq_len, self.batch_size, sequences + statics), values.dtype)
        end = sequences * self.batch_size * self.seq_len
        x[..., :sequences] = values[:end].reshape(sequences, self.batch_size, self.seq_len).T
        if statics:
            of_statics = values[end : end + statics * self.batch_size]
            x[..., sequences:] = of_statics.reshape(statics, self.batch_size).T
        state = weights = None
        if with_states or with_weights:
            named = dict(self.flat_inputs.by_name(values))
            if with_states:
                state = tuple(named[name] for name in self.states_in)
            if with_weights:
                weights = {
                    name: named[name] if name in named else np.zeros_like(weight)
                    for name, weight in self.model.weights.items()
                }
        return Point(x.swapaxes(0, 1), state, weights)

    def values(self, trace):
        """Return what a run gave, as `flat_outputs` has it."""
        return self._joined(trace.outputs, trace.final_state if self.states_out else ())

    def add_change(self, change, d_outputs):
        """Add a change to those outputs that are among `d_outputs`."""
        states = change.final_state if self.states_out else ()
        self.flat_outputs.add(self._joined(change.outputs, states), d_outputs)

    def _joined(self, outputs, states):
        if self.steps is not None:
            outputs = np.take_along_axis(outputs, self.steps[..., np.newaxis], axis=1)
        values = outputs.transpose(2, 0, 1).ravel()
        return np.concatenate([values, *map(np.ravel, states)]) if states else values

    def sensitivity(self, d_outputs):
        """Return the sensitivities (y_bar, final_bar) that stand in `d_outputs`."""
        values = self.flat_outputs.get(d_outputs)
        steps = self.seq_len if self.steps is None else self.steps.shape[1]
        shape = (len(self.outputs), self.batch_size, steps)
        y_bar = values[: np.prod(shape)].reshape(shape).transpose(1, 2, 0)
        if self.steps is not None:
            chosen = y_bar
            y_bar = np.zeros((self.batch_size, self.seq_len, len(self.outputs)), chosen.dtype)
            np.put_along_axis(y_bar, self.steps[..., np.newaxis], chosen, axis=1)
        if not any(name in d_outputs for name in self.states_out):
            return y_bar, None
        named = dict(self.flat_outputs.by_name(values))
        return y_bar, tuple(named[name] for name in self.states_out)

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
        sequences = len(self.sequences)
        if any(name in d_inputs for name in self._columns):
            x_bar = bars.inputs()
        else:
            x_bar = np.zeros((self.batch_size, self.seq_len, len(self._columns)))
        found = [x_bar[..., :sequences].transpose(2, 0, 1)]
        if self.statics:
            found.append(x_bar[..., sequences:].sum(axis=1).T)
        if self.states_in:
            zero = np.zeros(self.state_shape)
            found += [zero] * len(self.states_in) if constant_state else bars.initial_state()
        if self.weights:
            if any(name in d_inputs for name in self.weights):
                weights_bar = bars.weights()
            else:
                weights_bar = {n: np.zeros(w.shape) for n, w in self.model.weights.items()}
            found += [weights_bar[name] for name in self.weights]
        self.flat_inputs.add(np.concatenate([each.ravel() for each in found]), d_inputs)


def _real_if_it_is(value):
    """Return a complex array without imaginary parts as the real one."""
    return value.real if np.iscomplexobj(value) and not np.any(value.imag) else value
