"""A recurrent network as a surrogate model of OpenMDAO's MetaModelUnStructuredComp."""

from numbers import Integral

import numpy as np
import openmdao.api as om

from mdao_seq.sequence.model import SequenceModel


class RNNSurrogate(om.SurrogateModel):
    """A network from sequences and scalars to one sequence, trained when the component first runs.

    `MetaModelUnStructuredComp` hands all its inputs to the surrogate of each output as one row, in
    the order in which they were added. Of this row, with ``seq_len`` time steps, inputs of that
    size are sequences, those of size 1 are constant over time.

    Attributes
    ----------
    model : SequenceModel or None
        The network, with inputs x0, x1, … and outputs y0, …, once it is trained.
    history : History or None
        What happened in training.

    Raises
    ------
    ValueError
        When it is trained, if the sizes of inputs and outputs do not fit `seq_len`.

    Examples
    --------
    >>> surrogate = RNNSurrogate(seq_len=24, cell='gru', hidden_size=8, fit={'epochs': 200})
    >>> comp = om.MetaModelUnStructuredComp(default_surrogate=surrogate)
    >>> comp.add_input('pump', np.zeros(24))
    >>> comp.add_output('level', np.zeros(24))
    """

    def _declare_options(self):
        """Declare the options."""
        declare = self.options.declare
        declare('seq_len', types=Integral, lower=1, desc='Time steps in a sequence.')
        declare(
            'input_sizes',
            default=None,
            types=(list, tuple),
            allow_none=True,
            desc='Sizes of the inputs in their order, each seq_len or 1. None: as many sequences '
            'as fit, then scalars.',
        )
        declare('cell', default='lstm', desc='As of SequenceModel.')
        declare('hidden_size', default=16, types=Integral, desc='As of SequenceModel.')
        declare('num_layers', default=1, types=Integral, desc='As of SequenceModel.')
        declare('time_scale', default=None, allow_none=True, desc='As of SequenceModel.')
        declare('seed', default=0, types=Integral, desc='Of the initial weights and the training.')
        declare('fit', default={}, types=dict, desc='Settings of SequenceModel.fit.')

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.model = self.history = None

    def train(self, x, y):
        """Train the network.

        Parameters
        ----------
        x : ndarray (cases, inputs)
            Rows of all inputs.
        y : ndarray (cases, seq_len)
            The output; or (cases, seq_len * k) of one with k columns.
        """
        super().train(x, y)
        x, y = np.atleast_2d(x), np.atleast_2d(y)
        options = self.options
        seq_len = options['seq_len']
        if y.shape[1] % seq_len:
            raise ValueError(
                f'RNNSurrogate: the output has {y.shape[1]} entries; with seq_len={seq_len} it '
                'must be a sequence of so many time steps, or several columns of them'
            )
        self._places = self._sequences_and_scalars(x.shape[1])
        sequences, scalars = self._places
        names = [f'x{k}' for k in range(len(sequences) + len(scalars))]
        self.model = SequenceModel(
            names[: len(sequences)],
            [f'y{k}' for k in range(y.shape[1] // seq_len)],
            names[len(sequences) :],
            cell=options['cell'],
            hidden_size=options['hidden_size'],
            num_layers=options['num_layers'],
            time_scale=options['time_scale'],
            seed=options['seed'],
        )
        columns = y.reshape(len(y), seq_len, -1)
        self.history = self.model.fit(
            self._named(x),
            {f'y{k}': columns[..., k] for k in range(columns.shape[2])},
            **({'seed': options['seed']} | options['fit']),
        )

    def predict(self, x):
        """Return the output at one point.

        Parameters
        ----------
        x : ndarray (inputs,)
            One row of all inputs; real or complex.

        Returns
        -------
        ndarray (seq_len * columns,)
        """
        super().predict(x)
        return self._run(x).outputs.ravel()

    def linearize(self, x):
        """Return the derivatives of the output at one point, exactly.

        Parameters
        ----------
        x : ndarray (inputs,)
            One row of all inputs.

        Returns
        -------
        ndarray (seq_len * columns, inputs)
        """
        trace = self._run(x)
        sequences, scalars = self._places
        size = trace.outputs.size
        jacobian = np.empty((size, np.size(x)), dtype=trace.outputs.dtype)
        for row in range(size):
            y_bar = np.zeros(trace.outputs.shape)
            y_bar.flat[row] = 1.0
            x_bar = trace.vjp(y_bar, with_weights=False).inputs()[0]
            for column, place in enumerate(sequences):
                jacobian[row, place] = x_bar[:, column]
            for column, place in enumerate(scalars, len(sequences)):
                jacobian[row, place] = x_bar[:, column].sum()
        return jacobian

    def _run(self, x):
        values = self._named(np.reshape(x, (1, -1)))
        return self.model.forward(self.model.pack_inputs(values))

    def _named(self, x):
        """Return rows of inputs as values of the network's inputs."""
        sequences, scalars = self._places
        return {
            signal.name: x[:, place]
            for signal, place in zip(
                (*self.model.inputs, *self.model.static_inputs), (*sequences, *scalars), strict=True
            )
        }

    def _sequences_and_scalars(self, size):
        """Return where in a row each sequence (slice) and each scalar (int) stands."""
        seq_len, sizes = self.options['seq_len'], self.options['input_sizes']
        if sizes is None:
            sizes = [seq_len] * (size // seq_len) + [1] * (size % seq_len)
        if sum(sizes) != size or not set(sizes) <= {seq_len, 1}:
            raise ValueError(
                f'RNNSurrogate: input_sizes={list(sizes)} for {size} entries of all inputs; each '
                f'must be seq_len={seq_len} or 1, and they must add up'
            )
        if seq_len not in sizes:
            raise ValueError(
                f'RNNSurrogate: the inputs have {size} entries, fewer than one sequence of '
                f'seq_len={seq_len}'
            )
        sequences, scalars, start = [], [], 0
        for each in sizes:
            if each == seq_len:
                sequences.append(slice(start, start + each))
            else:
                scalars.append(start)
            start += each
        return sequences, scalars
