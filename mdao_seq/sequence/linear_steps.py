"""The derivative of each time step of a network, for many changes or sensitivities at once.

A layer's engine takes one change through all time steps of that layer. Here all layers make one
time step together, and there may be axes before that of the sequences, along which many changes or
sensitivities go through the same step: what a truncated gradient and a whole Jacobian are made of.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.layer import LayerTrace, LayerWeights


class Pulled(NamedTuple):
    """What comes back through one time step.

    Attributes
    ----------
    inputs : ndarray (…, batch_size, input_size)
        Sensitivities to the inputs of the step.
    drives, recurrents : list of ndarray (…, batch_size, num_gates, hidden_size)
        To the products of each layer's weights with its input and its state.
    states : list of tuple of ndarray (…, batch_size, hidden_size)
        To the states of each layer before the step.
    """

    inputs: Array
    drives: list[Array]
    recurrents: list[Array]
    states: list[Arrays]


class LinearSteps:
    """The time steps of a network, linearised.

    Parameters
    ----------
    cell : Cell
        Cell of every layer.
    weights : sequence of LayerWeights
        Of each layer.
    slopes : sequence of tuple of ndarray (seq_len, batch_size, …)
        Of each layer, as `Cell.slopes` returns them.
    active : ndarray of bool (seq_len, batch_size, 1) or None
        Whether a step is one of its sequence: others leave its states as they are. None: all are.

    Attributes
    ----------
    seq_len, batch_size, hidden_size : int
        Time steps, sequences, and hidden units of a layer.
    """

    def __init__(
        self,
        cell: Cell,
        weights: Sequence[LayerWeights],
        slopes: Sequence[Arrays],
        active: Array | None,
    ):
        self._cell = cell
        self._weights = weights
        self._slopes = slopes
        self._active = active
        self.seq_len, self.batch_size = slopes[0][0].shape[:2]
        self.hidden_size = weights[0].weight_hh.shape[1]

    @classmethod
    def of(cls, layers: Sequence[LayerTrace]) -> 'LinearSteps':
        """Return those of layers that have been run, the first of them first."""
        recurrence = layers[0].recurrence
        return cls(
            recurrence.cell,
            [layer.weights for layer in layers],
            [layer.steps.slopes for layer in layers],
            recurrence.active(len(layers[0].hidden)),
        )

    @property
    def input_size(self) -> int:
        """Inputs of the network."""
        return self._weights[0].weight_ih.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Of the derivatives."""
        return np.result_type(self._slopes[0][0], self._weights[0].weight_hh)

    @property
    def num_gates(self) -> int:
        """Gates of a layer."""
        return self._cell.num_gates

    @property
    def num_layers(self) -> int:
        """Layers."""
        return len(self._weights)

    @property
    def num_states(self) -> int:
        """Kinds of state that a layer has."""
        return self._cell.num_states

    def in_blocks(self, length: int, lanes: slice) -> 'LinearSteps':
        """Return blocks of time as if they were sequences of their own.

        Parameters
        ----------
        length : int
            Time steps of a block. The last block is filled up with steps that change nothing.
        lanes : slice
            Which sequences.

        Returns
        -------
        LinearSteps
            Of `length` steps; its lane ``block * number of sequences + sequence`` is a block.
        """
        if length == self.seq_len:
            active = None if self._active is None else self._active[:, lanes]
            slopes = [tuple(each[:, lanes] for each in layer) for layer in self._slopes]
            return LinearSteps(self._cell, self._weights, slopes, active)
        given = self._active
        if given is None:
            given = np.ones((self.seq_len, self.batch_size, 1), dtype=bool)
        return LinearSteps(
            self._cell,
            self._weights,
            [tuple(_blocks(each[:, lanes], length) for each in layer) for layer in self._slopes],
            _blocks(given[:, lanes], length),
        )

    def push(
        self,
        t: int,
        d_inputs: Array,
        d_states: list[Arrays],
        added: Sequence[tuple[Array, Array]] | None = None,
    ) -> list[Arrays]:
        """Push changes through time step `t`.

        Parameters
        ----------
        t : int
            Time step.
        d_inputs : ndarray (…, batch_size, input_size)
            Changes of the normalised inputs of this step.
        d_states : list of tuple of ndarray (…, batch_size, hidden_size)
            Changes of the states of each layer before it.
        added : sequence of (ndarray, ndarray) or None
            Further changes of the products of each layer's weights with its input and its state,
            (seq_len, batch_size, num_gates, hidden_size).

        Returns
        -------
        list of tuple of ndarray (…, batch_size, hidden_size)
            Changes of the states after it.
        """
        after = []
        d_below = d_inputs
        for number, weights in enumerate(self._weights):
            d_drive = self._by_gates(_product(d_below, weights.weight_ih.T))
            d_recurrent = self._by_gates(_product(d_states[number][0], weights.weight_hh.T))
            if added is not None:
                d_drive = d_drive + added[number][0][t]
                d_recurrent = d_recurrent + added[number][1][t]
            slopes = tuple(each[t] for each in self._slopes[number])
            new = self._cell.jvp(slopes, d_drive, d_recurrent, d_states[number])
            after.append(self._if_active(t, new, d_states[number]))
            d_below = after[-1][0]
        return after

    def pull(self, t: int, states_bar: list[Arrays]) -> Pulled:
        """Pull sensitivities back through time step `t`: the transpose of `push`.

        Parameters
        ----------
        t : int
            Time step.
        states_bar : list of tuple of ndarray (…, batch_size, hidden_size)
            Sensitivities to the states of each layer after it, the outputs' part in them.

        Returns
        -------
        Pulled
            Sensitivities to what goes into the step.
        """
        drives: list[Array] = []
        recurrents: list[Array] = []
        states: list[Arrays] = []
        from_above: Array | float = 0.0
        for number in reversed(range(self.num_layers)):
            weights = self._weights[number]
            after = (states_bar[number][0] + from_above, *states_bar[number][1:])
            slopes = tuple(each[t] for each in self._slopes[number])
            drive_bar, recurrent_bar, before = self._cell.vjp(slopes, after)
            if self._active is not None:
                now = self._active[t][..., np.newaxis]
                same = recurrent_bar is drive_bar
                drive_bar = np.where(now, drive_bar, 0.0)
                recurrent_bar = drive_bar if same else np.where(now, recurrent_bar, 0.0)
                before = self._if_active(t, before, after)
            through_product = _product(_side_by_side(recurrent_bar), weights.weight_hh)
            states.append((through_product + before[0], *before[1:]))
            from_above = _product(_side_by_side(drive_bar), weights.weight_ih)
            drives.append(drive_bar)
            recurrents.append(recurrent_bar)
        return Pulled(np.asarray(from_above), drives[::-1], recurrents[::-1], states[::-1])

    def _by_gates(self, product: Array) -> Array:
        return product.reshape(*product.shape[:-1], self._cell.num_gates, self.hidden_size)

    def _if_active(self, t: int, new: Arrays, old: Arrays) -> Arrays:
        if self._active is None:
            return new
        return tuple(np.where(self._active[t], *pair) for pair in zip(new, old, strict=True))


def _product(a: Array, matrix: Array) -> Array:
    """Return (…, k) times (k, n) as one matrix product."""
    return (a.reshape(-1, a.shape[-1]) @ matrix).reshape(*a.shape[:-1], matrix.shape[1])


def _side_by_side(gates: Array) -> Array:
    return gates.reshape(*gates.shape[:-2], -1)


def _blocks(over_time: Array, length: int) -> Array:
    """Return (seq_len, batch_size, …) as (length, blocks * batch_size, …), zeros at the end."""
    seq_len, batch_size, *rest = over_time.shape
    blocks = -(-seq_len // length)
    filled = np.zeros((blocks * length, batch_size, *rest), dtype=over_time.dtype)
    filled[:seq_len] = over_time
    by_block = filled.reshape(blocks, length, batch_size, *rest).swapaxes(0, 1)
    return by_block.reshape(length, blocks * batch_size, *rest)
