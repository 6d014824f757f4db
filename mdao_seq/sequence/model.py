"""The recurrent network that an engineer names the inputs and outputs of."""

import os
from collections.abc import Iterable, Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mdao_seq.sequence.cells import make_cell
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.engines import AUTO, check_engine, engine_named
from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.signal import Signal, refuse_repeats, signals
from mdao_seq.sequence.tensors import check_state, checked_lengths, packed, unpacked
from mdao_seq.sequence.torch_weights import joined, read_state_dict, split
from mdao_seq.sequence.trace import Trace
from mdao_seq.sequence.training import History, train
from mdao_seq.sequence.weight_file import read_model_file, write_model_file
from mdao_seq.sequence.weights import checked_weights, initial_weights, weight_shapes


class SequenceModel:
    """A recurrent network from named sequences to named sequences.

    Layers of one cell (see `mdao_seq.sequence.cells`) from zero states, a linear head, and the
    normalisation of every signal, which is part of the network: values go in and come out in the
    signals' units. Numerics are float64; complex inputs give complex outputs, for complex step.

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
        seed: int = 0,
        engine: str = AUTO,
    ):
        self.inputs = signals('inputs', inputs)
        self.static_inputs = signals('static_inputs', static_inputs, least=0)
        self.outputs = signals('outputs', outputs)
        refuse_repeats(
            'inputs, static_inputs and outputs', self.inputs + self.static_inputs + self.outputs
        )
        for name, value in (('hidden_size', hidden_size), ('num_layers', num_layers)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f'{name} = {value!r}: must be an integer of at least 1')
        self._cell = make_cell(cell, nonlinearity)
        self.engine = engine
        self.hidden_size = int(hidden_size)
        self.num_layers = int(num_layers)
        self.bias = bool(bias)
        self.input_normalization = Normalization.identity(self.input_size)
        self.output_normalization = Normalization.identity(self.output_size)
        self.weights = initial_weights(self._shapes, hidden_size, seed)

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

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of a copy or a pickle; its weights are again read-only."""
        self.__dict__.update(state)
        self.weights = self._weights

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` has set the normalisation."""
        return not (self.input_normalization.is_identity and self.output_normalization.is_identity)

    @property
    def cell(self) -> str:
        """Name of the cell."""
        return self._cell.name

    @property
    def nonlinearity(self) -> str:
        """Nonlinearity of the cell."""
        return self._cell.nonlinearity

    @property
    def engine(self) -> str:
        """What runs the time loops; assign another to change it."""
        return self._engine

    @engine.setter
    def engine(self, name: str) -> None:
        check_engine(name)
        self._engine = name

    @property
    def input_size(self) -> int:
        """Number of inputs and static inputs."""
        return len(self.inputs) + len(self.static_inputs)

    @property
    def output_size(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    @property
    def num_states(self) -> int:
        """Number of hidden states of a sequence at one time step."""
        return self.hidden_size * self.num_layers

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of what `forward` takes and gives as a state: h, and c of an LSTM."""
        return ('h', 'c')[: self._cell.num_states]

    @property
    def num_weights(self) -> int:
        """Number of scalar weights."""
        return sum(weight.size for weight in self._weights.values())

    @property
    def weights(self) -> Mapping[str, Array]:
        """Read-only weights by PyTorch's names; assign a mapping to replace them all.

        `Trace` objects keep the weights that they were made with.
        """
        return MappingProxyType(self._weights)

    @weights.setter
    def weights(self, given: Mapping[str, Array]) -> None:
        self._weights = checked_weights(self._shapes, given)

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return weight_shapes(
            self._cell.num_gates,
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.output_size,
            self.bias,
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

    def forward(
        self,
        x: Array,
        weights: Mapping[str, Array] | None = None,
        state: tuple[Array, ...] | None = None,
        lengths: ArrayLike | None = None,
    ) -> Trace:
        """Run the network and keep what the products with its derivatives need.

        Parameters
        ----------
        x : ndarray (batch_size, seq_len, input_size)
            Inputs in the units of the signals; real or complex.
        weights : mapping or None
            Weights to run with, by name; not checked. None: the model's.
        state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            States before the first time step, h (and c of an LSTM), as ``final_state`` of another
            run. None: zeros.
        lengths : array_like of int (batch_size,) or None
            Time steps of each sequence, at least 1; the steps past it give zeros, count in no
            derivative, and leave the state as it is. None: all have the whole length.

        Returns
        -------
        Trace
            With ``outputs``, ``final_state``, ``jvp`` and ``vjp``.

        Raises
        ------
        InputError
            For a wrong shape.
        """
        if x.ndim != 3 or x.shape[2] != self.input_size or 0 in x.shape:
            raise InputError(
                f'x has shape {x.shape}; it must be (batch_size, seq_len, {self.input_size})'
            )
        if state is not None:
            check_state(state, self._cell, (self.num_layers, x.shape[0], self.hidden_size))
        return Trace(
            engine_named(self._engine),
            self._cell,
            self._weights if weights is None else weights,
            self.input_normalization,
            self.output_normalization,
            x,
            state,
            None if lengths is None else checked_lengths(lengths, x.shape[:2]),
        )

    def step(
        self, x: Array, state: tuple[Array, ...] | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """Make one time step.

        Parameters
        ----------
        x : ndarray (batch_size, input_size)
            Inputs of this step in the units of the signals; real or complex.
        state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            As the step before returned it. None: zeros, before the first.

        Returns
        -------
        y : ndarray (batch_size, output_size)
            Outputs of this step, in the units of the signals.
        state : tuple of ndarray (num_layers, batch_size, hidden_size)
            States after it.

        Raises
        ------
        InputError
            For a wrong shape.
        """
        if x.ndim != 2:
            raise InputError(
                f'x has shape {x.shape}; of one step it must be (batch_size, {self.input_size})'
            )
        trace = self.forward(x[:, np.newaxis], state=state)
        return trace.outputs[:, 0], trace.final_state

    def is_current(self, trace: Trace) -> bool:
        """Return whether `forward` would make this trace again from its inputs."""
        now = (self._weights, self.input_normalization, self.output_normalization)
        return all(one is other for one, other in zip(trace.made_with, now, strict=True))

    def fit(
        self,
        inputs: Mapping[str, ArrayLike],
        outputs: Mapping[str, ArrayLike],
        *,
        validation_fraction: float = 0.2,
        epochs: int = 500,
        batch_size: int = 16,
        learning_rate: float = 0.01,
        patience: int = 50,
        clip_norm: float | None = 1.0,
        seed: int = 0,
        progress: bool | None = None,
    ) -> History:
        """Train on sequences, and keep the weights that did best on those held back.

        Minimises the mean squared error of the normalised outputs by Adam, from the present
        weights. The first call sets the normalisation, from the sequences trained on; later calls
        keep it, so that they continue where the one before stopped.

        Parameters
        ----------
        inputs : mapping
            As for `predict`, real.
        outputs : mapping
            ``(batch_size, seq_len)`` of each output, in the units of the signals, real.
        validation_fraction : float
            Fraction of the sequences, in [0, 1), that is not trained on; their error decides which
            weights are kept and when to stop. 0: the error in training decides.
        epochs : int
            Most passes over the training sequences.
        batch_size : int
            Sequences in one step of Adam.
        learning_rate : float
            Step of Adam at the beginning; halved after every 0.4 `patience` epochs without a better
            validation error.
        patience : int
            Epochs without a better validation error before training stops.
        clip_norm : float or None
            Longest gradient (2-norm over all weights); longer ones are shortened to it. None: any.
        seed : int
            Seeds the choice of validation sequences and the order of training. The same seed and
            data give the same weights.
        progress : bool or None
            Whether to show a progress bar. None: if standard error is a terminal.

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
            For a parameter out of range.
        TrainingDiverged
            If the loss is no longer finite; the best weights before that are kept.
        """
        x = self.pack_inputs(inputs)
        y = packed('output', self.outputs, (), outputs)
        return train(
            self,
            x,
            y,
            validation_fraction=validation_fraction,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            clip_norm=clip_norm,
            seed=seed,
            progress=progress,
        )

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any] | str | os.PathLike[str],
        inputs: str | Signal | Iterable[str | Signal],
        outputs: str | Signal | Iterable[str | Signal],
        static_inputs: str | Signal | Iterable[str | Signal] = (),
        nonlinearity: str = 'tanh',
    ) -> 'SequenceModel':
        """Return the network of a PyTorch module.

        Parameters
        ----------
        state_dict : mapping or path-like
            ``module.state_dict()`` of a module with one ``torch.nn.RNN``, ``GRU`` or ``LSTM`` and
            one ``torch.nn.Linear`` behind it, or the safetensors file of one. Cell and sizes are
            told by the weights, which become float64.
        inputs, outputs, static_inputs : str, Signal, or iterable of those
            What the columns of its input and output mean, in their order.
        nonlinearity : {'tanh', 'relu'}
            Of a ``torch.nn.RNN``, whose weights do not tell.

        Returns
        -------
        SequenceModel
            With no normalisation, as the module.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        WeightFileError
            If it is no safetensors file.
        ValueError
            If the weights are not of such a module, or not of so many inputs and outputs.
        """
        cell, weights = split(read_state_dict(state_dict))
        model = cls(
            inputs,
            outputs,
            static_inputs,
            cell=cell,
            hidden_size=weights['weight_hh_l0'].shape[1],
            num_layers=sum(name.startswith('weight_hh_l') for name in weights),
            nonlinearity=nonlinearity,
            bias='bias_ih_l0' in weights,
        )
        model.weights = weights
        return model

    def to_torch(self) -> dict[str, Array]:
        """Return the weights as the state dict of a PyTorch module, the normalisation in them.

        Returns
        -------
        dict of str to ndarray
            ``rnn.…`` of a ``torch.nn.RNN``, ``GRU`` or ``LSTM``, ``head.…`` of a
            ``torch.nn.Linear``; float64. They are loaded by ``module.load_state_dict({name:
            torch.from_numpy(value) for name, value in model.to_torch().items()})``.

        Raises
        ------
        ValueError
            If the layers have no biases, and the inputs means to subtract.
        """
        return joined(self)

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
