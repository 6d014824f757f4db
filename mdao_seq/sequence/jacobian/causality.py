"""Which entries of a network's Jacobian can be other than zero, and where they stand.

A sequence depends on no other of its batch, an output on no later input, and with `num_steps` on
no input further back. Entries are ordered by the time step of the output, then by sequence, then by
the time step of the input, so that what one time step contributes is one stretch of memory.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array

Coordinates = tuple[Array, Array]


class Moment(NamedTuple):
    """Outputs, or final states, of some sequences at one time step.

    Attributes
    ----------
    t : int
        Time step.
    lanes : ndarray of int (n,)
        Sequences.
    places : ndarray of int (n,)
        Which of its outputs it is, for each of these sequences.
    first : int
        First time step of the inputs that count.
    from_start : bool
        Whether the states before the first time step count.
    """

    t: int
    lanes: Array
    places: Array
    first: int
    from_start: bool

    @property
    def num_inputs(self) -> int:
        """Time steps of the inputs that count."""
        return self.t + 1 - self.first


class Causality:
    """The pattern of a Jacobian.

    Outputs are numbered (batch_size, outputs of a sequence), inputs (batch_size, seq_len), static
    inputs (batch_size,), and states (num_layers, batch_size, hidden_size).

    Parameters
    ----------
    seq_len : int
        Time steps.
    output_steps : ndarray of int (batch_size, number)
        Time steps of the outputs that there are of each sequence.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each sequence. None: all have `seq_len`.
    num_steps : int or None
        Time steps that the derivatives look back. None: all.
    state_size : (int, int)
        num_layers and hidden_size.

    Attributes
    ----------
    outputs : list of Moment
        Outputs by time step; those past the end of their sequence depend on nothing.
    final : list of Moment
        Ends of the sequences.
    """

    def __init__(
        self,
        seq_len: int,
        output_steps: Array,
        lengths: Array | None,
        num_steps: int | None,
        state_size: tuple[int, int],
    ):
        self.seq_len = seq_len
        self.batch_size, self.num_outputs = output_steps.shape
        self.state_size = state_size
        self._output_steps = output_steps
        self._num_steps = num_steps
        if lengths is None:
            lengths = np.full(self.batch_size, seq_len)
        lanes, places = np.nonzero(output_steps < lengths[:, np.newaxis])
        self.outputs = self._moments(output_steps[lanes, places], lanes, places)
        every = np.arange(self.batch_size)
        self.final = self._moments(lengths - 1, every, np.zeros_like(every))

    @property
    def reach(self) -> int:
        """Time steps that a derivative looks back at most."""
        return self.seq_len if self._num_steps is None else min(self._num_steps, self.seq_len)

    def at_outputs(self, values: Array) -> Array:
        """Return (batch_size, seq_len) at the outputs, numbered as these, (outputs,)."""
        return np.take_along_axis(values, self._output_steps, axis=1).ravel()

    def output_by_input(self) -> Coordinates:
        """Return rows and columns of an output's partials by an input, each ndarray of int."""
        return self._stacked(
            (self._rows(at)[:, np.newaxis], self._columns(at)) for at in self.outputs
        )

    def output_by_static(self) -> Coordinates:
        """Return rows and columns of an output's partials by a static input."""
        return self._stacked((self._rows(at), at.lanes) for at in self.outputs)

    def output_by_state(self) -> Coordinates:
        """Return rows and columns of an output's partials by a state before the first step."""
        return self._stacked(
            (self._rows(at)[:, np.newaxis], self._states(at.lanes))
            for at in self.outputs
            if at.from_start
        )

    def final_by_input(self) -> Coordinates:
        """Return rows and columns of a final state's partials by an input."""
        return self._stacked(
            (self._states(at.lanes)[:, :, np.newaxis], self._columns(at)[:, np.newaxis])
            for at in self.final
        )

    def final_by_static(self) -> Coordinates:
        """Return rows and columns of a final state's partials by a static input."""
        return self._stacked((self._states(at.lanes), at.lanes[:, np.newaxis]) for at in self.final)

    def final_by_state(self) -> Coordinates:
        """Return rows and columns of a final state's partials by a state before the first step."""
        return self._stacked(
            (self._states(at.lanes)[:, :, np.newaxis], self._states(at.lanes)[:, np.newaxis])
            for at in self.final
            if at.from_start
        )

    def _moments(self, times: Array, lanes: Array, places: Array) -> list[Moment]:
        order = np.lexsort((lanes, times))
        times, lanes, places = times[order], lanes[order], places[order]
        starts = np.flatnonzero(np.diff(times, prepend=-1))
        moments = []
        for start, stop in zip(starts, [*starts[1:], len(times)], strict=True):
            t = int(times[start])
            back = self._num_steps
            moments.append(
                Moment(
                    t,
                    lanes[start:stop],
                    places[start:stop],
                    0 if back is None else max(0, t + 1 - back),
                    back is None or t + 1 < back,
                )
            )
        return moments

    def _rows(self, at: Moment) -> Array:
        return at.lanes * self.num_outputs + at.places

    def _columns(self, at: Moment) -> Array:
        """Return the numbers of the inputs that count, (lanes, time steps)."""
        return at.lanes[:, np.newaxis] * self.seq_len + np.arange(at.first, at.t + 1)

    def _states(self, lanes: Array) -> Array:
        """Return the numbers of the states of sequences, (lanes, num_layers * hidden_size)."""
        num_layers, hidden_size = self.state_size
        layer, unit = np.divmod(np.arange(num_layers * hidden_size), hidden_size)
        return (layer * self.batch_size + lanes[:, np.newaxis]) * hidden_size + unit

    @staticmethod
    def _stacked(pairs: Iterator[Coordinates]) -> Coordinates:
        found = [np.broadcast_arrays(*pair) for pair in pairs]
        if not found:
            return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        rows, columns = (np.concatenate([each[k].ravel() for each in found]) for k in (0, 1))
        return rows, columns
