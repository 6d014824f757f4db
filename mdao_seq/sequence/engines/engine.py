"""What an engine is: it takes one layer through all time steps, and its derivatives."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from mdao_seq.sequence.arrays import times
from mdao_seq.sequence.cells.cell import Array, Arrays, Cell


class Recurrence(NamedTuple):
    """What is the same in all time steps of a layer.

    Attributes
    ----------
    cell : Cell
        Its elementwise part.
    weight_ih : ndarray (num_gates * hidden_size, input_size)
        Weights of the input.
    weight_hh : ndarray (num_gates * hidden_size, hidden_size)
        Weights of the hidden state.
    bias_ih, bias_hh : ndarray (num_gates * hidden_size,) or None
        Added to the products of the weights with the input and with the hidden state.
    lengths : ndarray of int64 (batch_size,) or None
        Time steps of each lane: the later ones leave its states as they are. None: all.
    """

    cell: Cell
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None
    lengths: Array | None = None

    def by_gates(self, product: Array) -> Array:
        """Return (…, num_gates * hidden_size) as (…, num_gates, hidden_size)."""
        return product.reshape(*product.shape[:-1], self.cell.num_gates, self.weight_hh.shape[1])

    def active(self, seq_len: int) -> Array | None:
        """Return (seq_len, batch_size, 1), whether a step is one of its lane; None: all are."""
        if self.lengths is None:
            return None
        return (np.arange(seq_len)[:, np.newaxis] < self.lengths)[..., np.newaxis]


class Steps:
    """A layer's states in all time steps, and what its derivatives need of each.

    Parameters
    ----------
    cell : Cell
        Cell of the layer.
    states : tuple of ndarray (seq_len + 1, batch_size, hidden_size)
        Before the first step and after each.
    kept : tuple of ndarray (seq_len, batch_size, …)
        What `Cell.step` keeps.
    """

    def __init__(self, cell: Cell, states: Arrays, kept: Arrays):
        self._cell = cell
        self.states = states
        self.kept = kept

    def part(self, steps: slice) -> 'Steps':
        """Return those in a window of time."""
        if steps.start == 0 and steps.stop == len(self.states[0]) - 1:
            return self
        states = tuple(each[steps.start : steps.stop + 1] for each in self.states)
        return Steps(self._cell, states, tuple(each[steps] for each in self.kept))

    @cached_property
    def slopes(self) -> Arrays:
        """Derivatives of all time steps, as `Cell.slopes` returns them."""
        return self._cell.slopes(self.kept, tuple(state[:-1] for state in self.states))


class Engine(ABC):
    """Runs time loops. All engines agree to 1e-13; they differ in speed.

    Attributes
    ----------
    name : str
        Name in the registry.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, layer: Recurrence, inputs: Array, initial: Arrays) -> Steps:
        """Go through all time steps.

        Parameters
        ----------
        layer : Recurrence
            The layer.
        inputs : ndarray (seq_len, batch_size, input_size)
            Input of each step.
        initial : tuple of ndarray (batch_size, hidden_size)
            States before the first step.

        Returns
        -------
        Steps
            States, and what the derivatives need.
        """

    @abstractmethod
    def jvp(
        self,
        layer: Recurrence,
        steps: Steps,
        d_inputs: Array,
        d_initial: Arrays,
        added: tuple[Array, Array] | None = None,
    ) -> Arrays:
        """Push a change through all time steps.

        Parameters
        ----------
        layer, steps
            The layer, and what `run` returned.
        d_inputs : ndarray (seq_len, batch_size, input_size)
            Change of the inputs.
        d_initial : tuple of ndarray (batch_size, hidden_size)
            Changes of the states before the first step.
        added : (ndarray, ndarray) or None
            Changes of the products of the weights with the input and with h for other reasons, each
            (seq_len, batch_size, num_gates, hidden_size).

        Returns
        -------
        tuple of ndarray (seq_len + 1, batch_size, hidden_size)
            Changes of the states before the first step and after each.
        """

    @abstractmethod
    def vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Array, Arrays]:
        """Pull sensitivities back through all time steps: the transpose of `jvp`.

        Parameters
        ----------
        layer, steps
            The layer, and what `run` returned.
        hidden_bar : ndarray (seq_len, batch_size, hidden_size)
            Sensitivities to h after each step.
        final_bar : tuple of ndarray (batch_size, hidden_size)
            Further sensitivities to the states after the last step.

        Returns
        -------
        drive_bar, recurrent_bar : ndarray (seq_len, batch_size, num_gates, hidden_size)
            Sensitivities to the products; one array where both only enter as their sum.
        initial_bar : tuple of ndarray (batch_size, hidden_size)
            Sensitivities to the states before the first step.
        """

    def inputs_vjp(
        self, layer: Recurrence, steps: Steps, hidden_bar: Array, final_bar: Arrays
    ) -> tuple[Array, Arrays]:
        """Pull sensitivities back to the inputs only, which may need less memory than `vjp`.

        Parameters
        ----------
        layer, steps, hidden_bar, final_bar
            As of `vjp`.

        Returns
        -------
        inputs_bar : ndarray (seq_len, batch_size, input_size)
            Sensitivities to the inputs.
        initial_bar : tuple of ndarray (batch_size, hidden_size)
            Sensitivities to the states before the first step.
        """
        drive_bar, _, initial_bar = self.vjp(layer, steps, hidden_bar, final_bar)
        return times(drive_bar.reshape(*drive_bar.shape[:2], -1), layer.weight_ih), initial_bar
