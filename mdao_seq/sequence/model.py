"""The recurrent network that an engineer names the inputs and outputs of."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.engines import AUTO
from mdao_seq.sequence.exchange.exchanging import Exchanging
from mdao_seq.sequence.signal import Signal, refuse_repeats, signals
from mdao_seq.sequence.tensors import checked_lengths, packed, unpacked
from mdao_seq.sequence.training import History, SeedRuns, Settings, train, train_seeds
from mdao_seq.sequence.training.examples import Examples
from mdao_seq.sequence.weight_file import read_model_file, write_model_file


class SequenceModel(Exchanging):
    """A recurrent network from named sequences to named sequences.

    Layers of one cell (see `mdao_seq.sequence.cells`), a linear head, and the normalisation of
    every signal, which is part of the network: values go in and come out in the signals' units.
    Numerics are float64; complex inputs give complex outputs, for complex step.

    Parameters
    ----------
    inputs : str, Signal, or iterable of those
        Sequences that enter, each (batch_size, seq_len).
    outputs : str, Signal, or iterable of those
        Sequences that leave, each (batch_size, seq_len).
    static_inputs : str, Signal, or iterable of those
        Inputs that are constant over time, each (batch_size,).
    cell : {'elman', 'gru', 'lstm'}
        Recurrent cell.
    hidden_size : int
        Hidden units of each layer.
    num_layers : int
        Layers; each but the first has the hidden states of the one below as its inputs.
    nonlinearity : {'tanh', 'relu'}
        Of the Elman cell; the others have tanh only.
    bias : bool
        Whether the recurrent layers have biases. The head always has one.
    feedthrough : bool
        Whether the head sees the inputs beside the hidden states: an output may follow an input
        at once.
    initial_state : {'zeros', 'learned'}
        States before the first time step, where none are given: zeros, or weights of their own,
        the same for all sequences.
    time_scale : float or None
        Time steps over which the slowest units of a GRU or an LSTM remember before they are trained
        (Tallec and Ollivier, ICLR 2018); about the longest transient in the data is a good choice.
        None: a few. A file that is saved does not keep it.
    seed : int
        Seeds the initial weights, which are uniform in ±1/sqrt(hidden_size) as in PyTorch.
    engine : {'auto', 'numpy', 'numba'}
        What runs the time loops, loaded when the network is first run; 'auto' is numba where it is
        installed. They agree to 1e-13; a file that is saved does not keep it.

    Attributes
    ----------
    inputs, static_inputs, outputs : tuple of Signal
        As passed. The network's `x` has the inputs, then the static inputs along its last axis.
    input_normalization, output_normalization : Normalization
        Set by the first `fit`; until then they change nothing.

    Raises
    ------
    ValueError
        If a parameter is wrong; the message names it.

    Examples
    --------
    >>> model = SequenceModel(
    ...     inputs=[Signal('pump_speed')],
    ...     static_inputs=[Signal('demand', units='m**3/s')],
    ...     outputs=[Signal('level', units='m')],
    ...     hidden_size=8,
    ... )
    >>> values = {'pump_speed': [[1.0, 0.8, 0.9]], 'demand': [0.1]}
    >>> model.predict(values)['level'].shape
    (1, 3)
    """

    def __init__(
        self,
        inputs: str | Signal | Iterable[str | Signal],
        outputs: str | Signal | Iterable[str | Signal],
        static_inputs: str | Signal | Iterable[str | Signal] = (),
        cell: str = 'lstm',
        hidden_size: int = 32,
        num_layers: int = 1,
        nonlinearity: str = 'tanh',
        bias: bool = True,
        feedthrough: bool = False,
        initial_state: str = 'zeros',
        time_scale: float | None = None,
        seed: int = 0,
        engine: str = AUTO,
    ):
        self.inputs = signals('inputs', inputs)
        self.static_inputs = signals('static_inputs', static_inputs, least=0)
        self.outputs = signals('outputs', outputs)
        refuse_repeats(
            'inputs, static_inputs and outputs', self.inputs + self.static_inputs + self.outputs
        )
        super().__init__(
            len(self.inputs) + len(self.static_inputs),
            len(self.outputs),
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            nonlinearity=nonlinearity,
            bias=bias,
            feedthrough=feedthrough,
            initial_state=initial_state,
            time_scale=time_scale,
            seed=seed,
            engine=engine,
        )

    def __repr__(self) -> str:
        """Say what enters, what leaves, and through what."""

        def names(of: Iterable[Signal]) -> str:
            return ', '.join(signal.name for signal in of)

        static = f'; {names(self.static_inputs)}' if self.static_inputs else ''
        return (
            f'SequenceModel({names(self.inputs)}{static} -> {names(self.outputs)}: {self.cell}, '
            f'hidden_size={self.hidden_size}, num_layers={self.num_layers}, '
            f'{self.num_weights} weights{"" if self.is_fitted else ", not fitted"})'
        )

    def predict(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Return the outputs for named inputs.

        Parameters
        ----------
        inputs : mapping
            ``(batch_size, seq_len)`` of each input, ``(batch_size,)`` of each static input, in the
            units of the signals; real or complex.

        Returns
        -------
        dict of str to ndarray (batch_size, seq_len)
            Outputs by name, in the units of the signals.

        Raises
        ------
        InputError
            A ValueError: for a missing or an extra name, a wrong shape, or a value that is not
            finite.
        """
        return unpacked(self.outputs, self.forward(self.pack_inputs(inputs)).outputs)

    def pack_inputs(self, inputs: Mapping[str, ArrayLike]) -> Array:
        """Return named inputs as the array that `forward` takes, checked as by `predict`.

        Parameters
        ----------
        inputs : mapping
            As for `predict`.

        Returns
        -------
        ndarray (batch_size, seq_len, input_size)
            Inputs, then static inputs repeated over time, along the last axis.
        """
        return packed('input', self.inputs, self.static_inputs, inputs)

    def fit(
        self,
        inputs: Mapping[str, ArrayLike],
        outputs: Mapping[str, ArrayLike],
        *,
        lengths: ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
        **settings: Any,
    ) -> History:
        """Train on sequences, and keep the weights that did best on those held back.

        Minimises the mean squared error of the normalised outputs, from the present weights. The
        first call sets the normalisation, from the sequences trained on; later calls keep it, so
        that they continue where the one before stopped.

        Parameters
        ----------
        inputs : mapping
            As for `predict`, real.
        outputs : mapping
            ``(batch_size, seq_len)`` of each output, in the units of the signals, real.
        lengths : array_like of int (batch_size,) or None
            Time steps of each sequence, where they differ; values past them count for nothing.
        checkpoint : str, path-like or None
            File that the run is kept in, every few seconds and when it ends or is interrupted. If
            it exists, training goes on from there, to the same result, to the last bit, as without
            the interruption; a run that has ended is not repeated, unless `epochs` allow more.
        progress : bool or None
            Whether to show a progress bar. None: if standard error is a terminal.
        validation_fraction : float
            Fraction of the sequences, in [0, 1), that is not trained on; their error decides which
            weights are kept and when to stop. Of a single sequence, the last part of it. 0: the
            error in training decides. Default 0.2.
        epochs : int
            Most passes over the training sequences. Default 500.
        optimizer : {'adam', 'lbfgs'}
            Adam, with a step on each batch of sequences; or L-BFGS, with an iteration on all of
            them in each epoch, for data that are few. Default 'adam'.
        batch_size : int
            Sequences in one step of Adam. Default 16.
        learning_rate : float
            Step of Adam at the beginning. Default 0.01.
        schedule : {'plateau', 'constant', 'cosine'} or callable
            How the learning rate goes on: halved after every 0.4 `patience` epochs without a better
            validation error; as it is; down to zero at the last epoch; or by a function of the
            epoch, counted from 0, that returns a factor. Default 'plateau'.
        window : int or None
            Time steps of the windows that sequences are cut into, with a step of Adam on each: the
            state is carried on, its gradient ends at each. None: whole sequences. Default None.
        washout : int
            First time steps of each sequence that count in no error: what the network cannot know
            of the states before. Default 0.
        weight_decay : float
            Added to the gradient, times the weights. Default 0.
        patience : int
            Epochs without a better validation error before training stops. Default 50.
        clip_norm : float or None
            Longest gradient of Adam (2-norm over all weights); longer ones are shortened to it.
            None: any. Default 1.
        seed : int
            Seeds the choice of validation sequences and the order of training. The same seed and
            data give the same weights. Default 0.

        Returns
        -------
        History
            Losses of each epoch, and why it stopped. A KeyboardInterrupt stops it as well, the best
            weights so far kept.

        Raises
        ------
        InputError
            A ValueError: for a missing or an extra name, a wrong shape, or a value that is not
            finite.
        ValueError
            For a setting out of range, or a checkpoint of another run.
        TrainingDiverged
            If the loss is no longer finite; the best weights before that are kept.
        """
        examples = self._examples(inputs, outputs, lengths)
        return train(self, examples, Settings.of(settings), checkpoint, progress)

    def fit_seeds(
        self,
        inputs: Mapping[str, ArrayLike],
        outputs: Mapping[str, ArrayLike],
        *,
        seeds: Sequence[int],
        lengths: ArrayLike | None = None,
        workers: int = 1,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
        **settings: Any,
    ) -> SeedRuns:
        """Train networks like this one from several seeds; this one stays as it is.

        Parameters
        ----------
        inputs, outputs, lengths, progress, **settings
            As for `fit`.
        seeds : sequence of int
            Each seeds the initial weights and the training of one network.
        workers : int
            Processes that share the seeds; the results are the same.
        checkpoint : str, path-like or None
            As for `fit`; each seed has a file of its own, ``<stem>-<seed><suffix>``.

        Returns
        -------
        SeedRuns
            With the `models`, the `best` of them, and `ensemble`.

        Raises
        ------
        ValueError
            As of `fit`, and for no seeds, or one that is there twice.
        """
        examples = self._examples(inputs, outputs, lengths)
        return train_seeds(
            self, examples, Settings.of(settings), seeds, workers, checkpoint, progress
        )

    def like(self, seed: int) -> 'SequenceModel':
        """Return an untrained network of the same signals and sizes.

        Parameters
        ----------
        seed : int
            Seeds its initial weights.
        """
        return type(self)(
            self.inputs,
            self.outputs,
            self.static_inputs,
            cell=self.cell,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            nonlinearity=self.nonlinearity,
            bias=self.bias,
            feedthrough=self.feedthrough,
            initial_state=self.initial_state,
            time_scale=self.time_scale,
            seed=seed,
            engine=self.engine,
        )

    def _examples(
        self,
        inputs: Mapping[str, ArrayLike],
        outputs: Mapping[str, ArrayLike],
        lengths: ArrayLike | None,
    ) -> Examples:
        x = self.pack_inputs(inputs)
        y = packed('output', self.outputs, (), outputs)
        return Examples(x, y, None if lengths is None else checked_lengths(lengths, x.shape[:2]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write signals, weights and normalisation to a safetensors file.

        Parameters
        ----------
        path : str or path-like
            File to write; one that exists is replaced only once the new one is whole.
        """
        write_model_file(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'SequenceModel':
        """Read a model that `save` wrote; its predictions are the same to the last bit.

        Parameters
        ----------
        path : str or path-like
            File to read.

        Returns
        -------
        SequenceModel
            As it was saved.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        WeightFileError
            A ValueError that names the file: if it is damaged, is something else, or is of a
            version not known here.
        """
        return read_model_file(path, cls)
