"""A recurrent network of arrays: its weights, its runs and single steps."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mdao_seq.sequence.cells import make_cell
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.engines import check_engine, engine_named
from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.input_range import InputRange
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.tensors import check_num_steps, check_state, checked_lengths
from mdao_seq.sequence.trace import Trace
from mdao_seq.sequence.truncated_trace import TruncatedTrace
from mdao_seq.sequence.weights import checked_weights, initial_weights, learned_state, weight_shapes


class Network:
    """Layers of one cell, a linear head, and the normalisation before and behind them.

    `SequenceModel` gives its columns names, and describes the parameters.

    Parameters
    ----------
    input_size, output_size : int
        Columns of the inputs and of the outputs.
    cell, hidden_size, num_layers, nonlinearity, bias, feedthrough, initial_state, time_scale, seed,
    engine
        As of `SequenceModel`.

    Attributes
    ----------
    input_normalization, output_normalization : Normalization
        They change nothing until they are set.
    input_range : InputRange or None
        What the inputs were in training. None: not known.

    Raises
    ------
    ValueError
        If a parameter is wrong; the message names it.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int,
        nonlinearity: str,
        bias: bool,
        feedthrough: bool,
        initial_state: str,
        time_scale: float | None,
        seed: int,
        engine: str,
    ):
        if initial_state not in ('zeros', 'learned'):
            raise ValueError(f"initial_state {initial_state!r} is not one of 'zeros', 'learned'")
        for name, value in (('hidden_size', hidden_size), ('num_layers', num_layers)):
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f'{name} = {value!r}: must be an integer of at least 1')
        self._cell = make_cell(cell, nonlinearity)
        self.engine = engine
        self.hidden_size = int(hidden_size)
        self.num_layers = int(num_layers)
        self.bias = bool(bias)
        self.feedthrough = bool(feedthrough)
        self.initial_state = initial_state
        self.input_size = input_size
        self.output_size = output_size
        self.input_normalization = Normalization.identity(input_size)
        self.output_normalization = Normalization.identity(output_size)
        self.input_range: InputRange | None = None
        self.time_scale = time_scale
        self.weights = initial_weights(self._shapes, self._cell, hidden_size, seed, time_scale)

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
            self._cell,
            self.input_size,
            self.hidden_size,
            self.num_layers,
            self.output_size,
            bias=self.bias,
            feedthrough=self.feedthrough,
            learned_states=self.initial_state == 'learned',
        )

    def forward(
        self,
        x: Array,
        weights: Mapping[str, Array] | None = None,
        state: tuple[Array, ...] | None = None,
        lengths: ArrayLike | None = None,
        num_steps: int | None = None,
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
            run. None: the learned ones, or zeros.
        lengths : array_like of int (batch_size,) or None
            Time steps of each sequence, at least 1; the steps past it give zeros, count in no
            derivative, and leave the state as it is. None: all have the whole length.
        num_steps : int or None
            How many time steps back the derivatives look, at least 1, as in truncated
            backpropagation through time. None: all of them, which is exact.

        Returns
        -------
        Trace
            With ``outputs``, ``final_state``, ``jvp`` and ``vjp``.

        Raises
        ------
        InputError
            For a wrong shape.
        ValueError
            For a num_steps that is none.
        """
        if x.ndim != 3 or x.shape[2] != self.input_size or 0 in x.shape:
            raise InputError(
                f'x has shape {x.shape}; it must be (batch_size, seq_len, {self.input_size})'
            )
        if state is not None:
            check_state(state, self._cell, (self.num_layers, x.shape[0], self.hidden_size))
        if num_steps is not None:
            check_num_steps(num_steps)
        made_of = (
            engine_named(self._engine),
            self._cell,
            self._weights if weights is None else weights,
            self.input_normalization,
            self.output_normalization,
            x,
            state,
            None if lengths is None else checked_lengths(lengths, x.shape[:2]),
        )
        if num_steps is None or num_steps > x.shape[1]:
            return Trace(*made_of)
        return TruncatedTrace(*made_of, num_steps=num_steps)

    def step(
        self, x: Array, state: tuple[Array, ...] | None = None
    ) -> tuple[Array, tuple[Array, ...]]:
        """Make one time step.

        Parameters
        ----------
        x : ndarray (batch_size, input_size)
            Inputs of this step in the units of the signals; real or complex.
        state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            As the step before returned it. None: before the first.

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

    def first_state(self, batch_size: int) -> tuple[Array, ...]:
        """Return the states before the first time step, where none are given.

        Parameters
        ----------
        batch_size : int
            Sequences.

        Returns
        -------
        tuple of ndarray (num_layers, batch_size, hidden_size)
            The learned ones, or zeros.
        """
        zero = np.zeros((self.num_layers, batch_size, self.hidden_size))
        return learned_state(self._weights, batch_size) or (zero,) * self._cell.num_states

    def is_current(self, trace: Trace, weights: Iterable[str] | None = None) -> bool:
        """Return whether `forward` would make this trace again from its inputs.

        Where `weights` are among the inputs, those of the network do not matter.
        """
        made_with = trace.made_with
        now = (
            self._weights if weights is None else made_with[0],
            self.input_normalization,
            self.output_normalization,
        )
        return all(one is other for one, other in zip(made_with, now, strict=True))
