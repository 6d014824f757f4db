"""A recurrent network as an OpenMDAO component."""

from pathlib import Path

import numpy as np
import openmdao.api as om

from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.model import SequenceModel

# States that the sequences run at once may pass through: their trace is kept in memory, 8 bytes a
# state and some ten arrays of them.
LARGEST_BATCH = 2**21


class RNNComp(om.ExplicitComponent):
    """Sequences from sequences, through a recurrent network, with exact derivatives.

    With x_t the normalised inputs at time step t (static inputs repeated) and h_t, c_t the states
    of the layers, which start from zero or from inputs,

        h_t, c_t = cell(x_t, h_{t-1}, c_{t-1}),   y_t = W h_t + b,

    where y_t is brought back to the units of the outputs (see `SequenceModel`). Matrix-free: a
    forward product is one sweep through time, a reverse product one sweep back, and the network is
    run and linearised once for each input point.

    Inputs
    ------
    <each of model.inputs> : (batch_size, seq_len)
        In the units of its signal.
    <each of model.static_inputs> : (batch_size,)
        Constant over time, in the units of its signal.
    h0, c0 : (num_layers, batch_size, hidden_size)
        States before the first time step, with ``initial_state='input'``; c0 of an LSTM only.

    Outputs
    -------
    <each of model.outputs> : (batch_size, seq_len)
        In the units of its signal.
    hn, cn : (num_layers, batch_size, hidden_size)
        States after the last time step, with ``final_state=True``; cn of an LSTM only. Connected to
        h0 and c0 of another RNNComp of the same model, they chain two segments of a sequence.

    Raises
    ------
    openmdao.api.AnalysisError
        If an input is not finite; it names the component, the input and the entry.
    FileNotFoundError, mdao_seq.sequence.errors.WeightFileError
        At setup, if the option `model` is a path and no model can be read from it.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare(
            'model',
            types=(SequenceModel, str, Path),
            desc='The network, or the path of a file that SequenceModel.save wrote, read at setup.',
        )
        self.options.declare(
            'batch_size',
            types=int,
            default=1,
            lower=1,
            desc='Sequences that run side by side through the same network.',
        )
        self.options.declare('seq_len', types=int, lower=1, desc='Time steps in a sequence.')
        self.options.declare(
            'initial_state',
            values=('zeros', 'input'),
            default='zeros',
            desc='States before the first time step: zeros, or the inputs h0 (and c0 of an LSTM).',
        )
        self.options.declare(
            'final_state',
            types=bool,
            default=False,
            desc='Whether the states after the last time step are outputs, hn (and cn of an LSTM).',
        )

    def setup(self):
        """Declare inputs, and outputs that start at the means of the training data."""
        model = self.options['model']
        if not isinstance(model, SequenceModel):
            try:
                model = SequenceModel.load(model)
            except FileNotFoundError as error:
                raise FileNotFoundError(f'{self.msginfo}: {error}') from None
        self._model = model
        self._traced_at = self._trace = None
        self._shape = (self.options['batch_size'], self.options['seq_len'])

        for signal in self._model.inputs:
            self.add_input(signal.name, shape=self._shape, units=signal.units, desc=signal.desc)
        for signal in self._model.static_inputs:
            self.add_input(signal.name, shape=self._shape[0], units=signal.units, desc=signal.desc)
        means = self._model.output_normalization.mean
        for signal, mean in zip(self._model.outputs, means, strict=True):
            self.add_output(
                signal.name, val=mean, shape=self._shape, units=signal.units, desc=signal.desc
            )
        self._state_in = self._state_out = ()
        state_shape = (model.num_layers, self._shape[0], model.hidden_size)
        if self.options['initial_state'] == 'input':
            self._state_in = tuple(f'{name}0' for name in model.state_names)
            for name in self._state_in:
                self.add_input(name, val=0.0, shape=state_shape, desc='before the first time step')
        if self.options['final_state']:
            self._state_out = tuple(f'{name}n' for name in model.state_names)
            for name in self._state_out:
                self.add_output(name, val=0.0, shape=state_shape, desc='after the last time step')

    def compute(self, inputs, outputs):
        """Run the network."""
        trace = self._traced(inputs)
        for column, signal in enumerate(self._model.outputs):
            outputs[signal.name] = trace.outputs[..., column]
        if self._state_out:
            for name, state in zip(self._state_out, trace.final_state, strict=True):
                outputs[name] = state

    def compute_batch(self, inputs, outputs):
        """Run the network at many points, which ride in the batch axis of its sequences."""
        of_signals = {n: _joined(v) for n, v in inputs.items() if n not in self._state_in}
        x = self._packed(of_signals)
        states = [_joined_states(inputs[name]) for name in self._state_in]
        finals = {name: np.empty_like(_joined_states(outputs[name])) for name in self._state_out}
        lanes = max(1, LARGEST_BATCH // (x.shape[1] * self._model.num_states))
        for start in range(0, len(x), lanes):
            chunk = slice(start, start + lanes)
            state = tuple(each[:, chunk] for each in states) or None
            trace = self._model.forward(x[chunk], state=state)
            for column, signal in enumerate(self._model.outputs):
                _joined(outputs[signal.name])[chunk] = trace.outputs[..., column]
            if finals:
                for final, after in zip(finals.values(), trace.final_state, strict=True):
                    final[:, chunk] = after
        for name, final in finals.items():
            points = outputs[name]
            points[:] = final.reshape(len(final), len(points), -1, final.shape[2]).swapaxes(0, 1)

    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        """Add the product of the derivatives with `d_inputs`, or their transpose's."""
        columns_out = self._columns(self._model.outputs, d_outputs)
        columns_in = self._columns((*self._model.inputs, *self._model.static_inputs), d_inputs)
        states_out = [(k, n) for k, n in enumerate(self._state_out) if n in d_outputs]
        states_in = [(k, n) for k, n in enumerate(self._state_in) if n in d_inputs]
        if not (columns_out or states_out) or not (columns_in or states_in):
            return
        trace = self._traced(inputs)
        if mode == 'fwd':
            d_x = np.zeros((*self._shape, self._model.input_size), dtype=_dtype(d_inputs))
            for name, column in columns_in:
                # A static input's change is repeated over time, as the input itself is.
                d_x[..., column] = d_inputs[name].reshape(self._shape[0], -1)
            change = trace.jvp(d_x, self._states(states_in, d_inputs))
            for name, column in columns_out:
                d_outputs[name] += change.outputs[..., column]
            for k, name in states_out:
                d_outputs[name] += change.final_state[k]
        else:
            y_bar = np.zeros((*self._shape, self._model.output_size), dtype=_dtype(d_outputs))
            for name, column in columns_out:
                y_bar[..., column] = d_outputs[name]
            bars = trace.vjp(y_bar, self._states(states_out, d_outputs))
            x_bar = bars.inputs() if columns_in else None
            for name, column in columns_in:
                static = column >= len(self._model.inputs)
                d_inputs[name] += x_bar[..., column].sum(axis=1) if static else x_bar[..., column]
            state_bar = bars.initial_state() if states_in else ()
            for k, name in states_in:
                d_inputs[name] += state_bar[k]

    def _states(self, chosen, vector):
        """Return a state of what is chosen of a vector, zeros for the others; None for nothing."""
        if not chosen:
            return None
        shape = vector[chosen[0][1]].shape
        state = [np.zeros(shape, dtype=_dtype(vector)) for _ in self._model.state_names]
        for k, name in chosen:
            state[k] = vector[name]
        return tuple(state)

    @staticmethod
    def _columns(signals, variables):
        """Return (name, column) of those signals that are among the variables."""
        return [(each.name, k) for k, each in enumerate(signals) if each.name in variables]

    def _traced(self, inputs):
        """Return the run at `inputs`, made once for each input point and set of weights."""
        point = {name: inputs[name] for name in inputs}
        if (
            self._trace is None
            or not all(np.array_equal(point[name], at) for name, at in self._traced_at.items())
            or not self._model.is_current(self._trace)
        ):
            x = self._packed({n: v for n, v in point.items() if n not in self._state_in})
            state = tuple(_real_if_it_is(point[name]) for name in self._state_in)
            self._trace = self._model.forward(_real_if_it_is(x), state=state or None)
            self._traced_at = {name: value.copy() for name, value in point.items()}
        return self._trace

    def _packed(self, inputs):
        try:
            return self._model.pack_inputs(inputs)
        except InputError as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error


def _joined(value):
    """Join the axis of points and that of sequences, without a copy."""
    return value.reshape(-1, *value.shape[2:])


def _joined_states(value):
    """Return (points, num_layers, batch_size, hidden_size) with the points among the lanes."""
    points, num_layers, batch_size, hidden_size = value.shape
    return value.swapaxes(0, 1).reshape(num_layers, points * batch_size, hidden_size)


def _real_if_it_is(value):
    """Return a complex array without imaginary parts as the real one."""
    return value.real if np.iscomplexobj(value) and not np.any(value.imag) else value


def _dtype(vector):
    return next(iter(vector.values())).dtype
