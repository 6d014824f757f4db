"""A recurrent network as an OpenMDAO component."""

from pathlib import Path

import numpy as np
import openmdao.api as om

from mdao_seq.components.derivative_options import declare_differences, settle_partials
from mdao_seq.components.rnn_options import declare_rnn_options
from mdao_seq.components.rnn_partials import declare_causal, difference_settings
from mdao_seq.components.rnn_variables import RNNVariables
from mdao_seq.sequence.ensemble import SequenceEnsemble
from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.model import SequenceModel
from mdao_seq.sequence.weight_file import has_several

# States that the sequences run at once may pass through: their trace is kept in memory, 8 bytes a
# state and some ten arrays of them.
LARGEST_BATCH = 2**21


class RNNComp(om.ExplicitComponent):
    """Sequences from sequences, through a recurrent network, with exact derivatives.

    With x_t the normalised inputs at time step t (static inputs repeated) and h_t, c_t the states
    of the layers,

        h_t, c_t = cell(x_t, h_{t-1}, c_{t-1}),   y_t = W h_t + V x_t + b,

    where y_t is brought back to the units of the outputs (see `SequenceModel`). By default
    matrix-free: a forward product is one sweep through time, a reverse product one sweep back, and
    the network is run and linearised once for each input point. The option `partials` has the
    causal entries of the Jacobian filled in, or differences; `num_steps` truncates derivatives,
    which are then not those of the outputs: `check_partials` is expected to show it.

    Inputs
    ------
    <each of model.inputs> : (batch_size, seq_len)
        In the units of its signal.
    <each of model.static_inputs> : (batch_size,)
        Constant over time, in the units of its signal.
    h0, c0 : (num_layers, batch_size, hidden_size)
        States before the first time step, with ``initial_state='input'``; c0 of an LSTM only.
    <each of model.weights> : its shape
        With ``weights_as_inputs=True``; they start from those of the model.

    Outputs
    -------
    <each of model.outputs> : (batch_size, seq_len)
        In the units of its signal; of the steps of the option `output_steps` only, or
        (batch_size,) with ``output_steps='last'``.
    hn, cn : (num_layers, batch_size, hidden_size)
        States after the last time step, with ``final_state=True``; cn of an LSTM only. Connected to
        h0 and c0 of another RNNComp of the same model, they chain two segments of a sequence.

    Raises
    ------
    openmdao.api.AnalysisError
        If an input is not finite, or outside the range of training with ``outside_range='raise'``;
        it names the component, the input and the entry.
    FileNotFoundError, mdao_seq.sequence.errors.WeightFileError
        At setup, if the option `model` is a path and no model can be read from it.
    ValueError
        At setup, for options that are wrong or do not go together; it names them.
    """

    def initialize(self):
        """Declare the options."""
        declare_rnn_options(self.options)

    def setup(self):
        """Declare inputs, and outputs that start at the means of the training data."""
        options = self.options
        self._model = model = self._read_model()
        self._trace = self._traced_at = None
        self._told = set()
        self._constant_state = options['truncate']
        self._is_truncated = options['truncate'] or options['num_steps'] is not None
        try:
            self._variables = variables = RNNVariables(
                model,
                options['batch_size'],
                options['seq_len'],
                output_steps=options['output_steps'],
                lengths=options['lengths'],
                initial_state=options['initial_state'] == 'input',
                final_state=options['final_state'],
                weights=options['weights_as_inputs'],
            )
        except InputError as error:
            raise InputError(f'{self.msginfo}: {error}') from None
        self._check_options()
        settle_partials(self)

        shape = (variables.batch_size, variables.seq_len)
        for signal in variables.sequences:
            self.add_input(signal.name, shape=shape, units=signal.units, desc=signal.desc)
        for signal in variables.statics:
            self.add_input(signal.name, shape=shape[0], units=signal.units, desc=signal.desc)
        start = model.first_state(variables.batch_size)
        for name, state in zip(variables.states_in, start, strict=False):
            self.add_input(name, val=state, desc='before the first time step')
        for name in variables.weights:
            self.add_input(name, val=model.weights[name], desc='weights of the network')
        means = model.output_normalization.mean
        for signal, mean in zip(variables.outputs, means, strict=True):
            self.add_output(
                signal.name,
                val=mean,
                shape=variables.output_shape,
                units=signal.units,
                desc=signal.desc,
            )
        for name in variables.states_out:
            self.add_output(
                name, val=0.0, shape=variables.state_shape, desc='after the last time step'
            )

    def setup_partials(self):
        """Declare the causal entries, or differences; matrix-free there is nothing to declare."""
        if self.options['partials'] == 'sparse':
            self._causality, self._filled = declare_causal(self, self._variables)
        elif self.options['partials'] == 'fd':
            declare_differences(self, difference_settings(self, self._variables))

    def compute(self, inputs, outputs):
        """Run the network."""
        variables = self._variables
        variables.flat_outputs.put(variables.values(self._traced(inputs)), outputs)

    def compute_batch(self, inputs, outputs):
        """Run the network at many points, which ride in the batch axis of its sequences."""
        points = len(next(iter(inputs.values())))
        # Sequences that run side by side share their weights.
        at_once = 1
        if not self._variables.weights:
            sequence = np.prod(self._variables.state_shape) * self._variables.seq_len
            at_once = max(1, LARGEST_BATCH // sequence)
        for first in range(0, points, at_once):
            chunk = slice(first, min(first + at_once, points))
            variables = self._variables.repeated(chunk.stop - first)
            joined = {name: variables.joined(name, each[chunk]) for name, each in inputs.items()}
            point = self._point(variables.flat_inputs.get(joined), variables)
            values = variables.values(self._forward(point, variables))
            for name, value in variables.flat_outputs.by_name(values):
                outputs[name][chunk] = variables.parted(name, value, outputs[name][chunk].shape)

    def compute_partials(self, inputs, partials):
        """Fill in the causal entries."""
        if self.options['partials'] != 'sparse':
            return
        variables = self._variables
        trace = self._traced(inputs)
        self._tell_of_truncation()
        entries = trace.jacobian(
            self._causality, len(variables.statics), with_final=bool(variables.states_out)
        )
        for key, of, wrt in self._filled:
            partials[of, wrt] = entries[key]

    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        """Add the product of the derivatives with `d_inputs`, or their transpose's."""
        variables = self._variables
        trace = self._traced(inputs)
        self._tell_of_truncation()
        if mode == 'fwd':
            d_x, d_state, d_weights = variables.change(d_inputs)
            d_state = None if self._constant_state else d_state
            variables.add_change(trace.jvp(d_x, d_state, d_weights), d_outputs)
        else:
            with_weights = any(name in d_inputs for name in variables.weights)
            bars = trace.vjp(*variables.sensitivity(d_outputs), with_weights=with_weights)
            variables.add_sensitivities(bars, d_inputs, self._constant_state)

    def _read_model(self):
        model = self.options['model']
        if not isinstance(model, str | Path):
            return model
        try:
            kind = SequenceEnsemble if has_several(model) else SequenceModel
            return kind.load(model)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{self.msginfo}: {error}') from None

    def _check_options(self):
        partials = self.options['partials']
        states = self.options['initial_state'] == 'input' or self.options['final_state']
        if isinstance(self._model, SequenceEnsemble):
            if self.options['weights_as_inputs']:
                raise ValueError(
                    f'{self.msginfo}: weights_as_inputs=True with an ensemble: each of its models '
                    'has weights of its own; take one of ensemble.models'
                )
            if partials == 'sparse' and states:
                raise ValueError(
                    f"{self.msginfo}: partials='sparse' with an ensemble has no entries for its "
                    "states; take 'matrix_free', or leave initial_state and final_state out"
                )
        if partials == 'sparse' and self.options['weights_as_inputs']:
            raise ValueError(
                f"{self.msginfo}: partials='sparse' has no entries for weights, on which every "
                "output depends; with weights_as_inputs=True take 'matrix_free'"
            )
        if partials == 'fd' and self.options['num_steps'] is not None:
            raise ValueError(
                f"{self.msginfo}: num_steps={self.options['num_steps']} with partials='fd': "
                'differences look all time steps back; leave num_steps out'
            )
        if self.options['truncate'] and self.options['initial_state'] != 'input':
            raise ValueError(
                f'{self.msginfo}: truncate=True is about the inputs h0 and c0; there are none '
                "without initial_state='input'"
            )

    def _traced(self, inputs):
        """Return the run at `inputs`, made once for each input point and set of weights."""
        values = self._variables.flat_inputs.get(inputs)
        if (
            self._trace is None
            or not np.array_equal(values, self._traced_at)
            or not self._model.is_current(self._trace, self._variables.weights or None)
        ):
            self._trace, self._traced_at = None, np.array(values)
            point = self._point(self._traced_at, self._variables)
            self._check_range(point.x)
            self._trace = self._forward(point, self._variables)
        return self._trace

    def _point(self, values, variables):
        try:
            return variables.point(values)
        except InputError as error:
            raise om.AnalysisError(f'{self.msginfo}: {error}') from error

    def _forward(self, point, variables):
        return self._model.forward(
            point.x,
            point.weights,
            point.state,
            variables.lengths,
            self.options['num_steps'],
        )

    def _check_range(self, x):
        """Speak up where an input is outside the range that it had in training."""
        if self._model.input_range is None or self.options['outside_range'] == 'ignore':
            return
        outlier = self._model.input_range.outlier(x, self._variables.lengths)
        if outlier is None:
            return
        name, place = self._variables.input_at(outlier.place)
        message = (
            f'input {name!r}{place} = {outlier.value:.6g} is outside the range of training, '
            f'{outlier.low:.6g} to {outlier.high:.6g}: the network extrapolates'
        )
        if self.options['outside_range'] == 'raise':
            raise om.AnalysisError(
                f"{self.msginfo}: {message}; bound its design variable, or set outside_range='warn'"
            )
        self._tell(name, f'{message}. This is said once.', om.OpenMDAOWarning)

    def _tell_of_truncation(self):
        if self._is_truncated:
            self._tell(
                'truncation',
                f'num_steps={self.options["num_steps"]}, truncate={self.options["truncate"]}: the '
                'derivatives are truncated, so that check_partials and check_totals differ from '
                'them on purpose. This is said once.',
                om.DerivativesWarning,
            )

    def _tell(self, about, message, category):
        """Warn of something once for each setup."""
        if about not in self._told:
            self._told.add(about)
            om.issue_warning(message, prefix=self.msginfo, category=category)
