"""What the compiled time loops of a cell are called by."""

from abc import ABC, abstractmethod
from copy import copy
from functools import cached_property
from typing import ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.engine import Recurrence, Steps


class CompiledLayer:
    """A layer as compiled code takes it: contiguous, with biases, and a length for every lane.

    Parameters
    ----------
    layer : Recurrence
        The layer.
    seq_len : int
        Time steps that are made.
    batch_size : int
        Lanes.
    """

    def __init__(self, layer: Recurrence, seq_len: int, batch_size: int):
        self.cell = layer.cell
        self.weight_hh = np.ascontiguousarray(layer.weight_hh)
        none = np.zeros(len(layer.weight_hh))
        self.bias_ih = none if layer.bias_ih is None else layer.bias_ih
        self.bias_hh = none if layer.bias_hh is None else layer.bias_hh
        lengths = np.full(batch_size, seq_len) if layer.lengths is None else layer.lengths
        self.lengths = lengths.astype(np.int64)

    @cached_property
    def weight_hh_t(self) -> Array:
        """The matrix by which a row of hidden states is multiplied."""
        return np.ascontiguousarray(self.weight_hh.T)

    def since(self, start: int) -> 'CompiledLayer':
        """Return the layer as it is from a time step on."""
        if start == 0:
            return self
        later = copy(self)
        later.lengths = self.lengths - start
        return later


class CompiledSteps(Steps):
    """Steps that compiled loops have made.

    Parameters
    ----------
    layer : CompiledLayer
        The layer that made them.
    states, kept : tuple of ndarray
        As of `Steps`.
    """

    def __init__(self, layer: CompiledLayer, states: Arrays, kept: Arrays):
        super().__init__(layer.cell, states, kept)
        self.layer = layer


def flat(gates: Array) -> Array:
    """Return (seq_len, batch_size, num_gates, hidden_size) with the gates side by side."""
    return np.ascontiguousarray(gates).reshape(*gates.shape[:2], -1)


class Loops(ABC):
    """Compiled time loops of a cell; the arguments are those of `Engine`'s methods.

    Arrays are real and contiguous; `states` (seq_len + 1, batch_size, hidden_size) have room for
    all time steps, of which the first stands there.

    Attributes
    ----------
    cell : type of Cell
        Whose loops they are.
    keeps_drive : bool
        Whether the first of what is kept stands where the drive was.
    has_two_bars : bool
        Whether the sensitivities to both products differ.
    """

    cell: ClassVar[type[Cell]]
    keeps_drive: ClassVar[bool] = True
    has_two_bars: ClassVar[bool] = False

    @abstractmethod
    def room(self, seq_len: int, batch_size: int, hidden_size: int) -> Arrays:
        """Return room for what `Cell.step` keeps, over time."""

    @abstractmethod
    def run(self, layer: CompiledLayer, drive: Array, states: Arrays, kept: Arrays) -> None:
        """Fill in the states, and what is kept.

        `drive` (seq_len, batch_size, rows) may be overwritten.
        """

    @abstractmethod
    def jvp(
        self,
        layer: CompiledLayer,
        steps: Steps,
        d_drive: Array,
        d_recurrent: Array | None,
        d_states: Arrays,
    ) -> None:
        """Fill in the changes of the states. `d_drive` (seq_len, batch_size, rows) may change."""

    @abstractmethod
    def vjp(
        self,
        layer: CompiledLayer,
        steps: Steps,
        hidden_bar: Array,
        states_bar: Arrays,
        bars: Arrays,
    ) -> None:
        """Fill in `bars`, each (seq_len, batch_size, rows): to the drive, and the other product.

        The sensitivities to the last states, `states_bar`, become those to the first.
        """
