"""The range of inputs that a network was trained on, beyond which it extrapolates."""

from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array

# Beyond the range by this part of its width is rounding, as of a change of units.
_ROUNDING = 1e-9


class Outlier(NamedTuple):
    """The input that is furthest outside, in widths of its range.

    Attributes
    ----------
    place : (int, int, int)
        Sequence, time step and column.
    value, low, high : float
        The input, and the range that it should be within.
    """

    place: tuple[int, int, int]
    value: float
    low: float
    high: float


class InputRange(NamedTuple):
    """Least and largest value of each input in training.

    Attributes
    ----------
    low, high : ndarray (input_size,)
        In the units of the signals.
    """

    low: Array
    high: Array

    @classmethod
    def of(cls, x: Array) -> 'InputRange':
        """Return that of inputs (…, input_size)."""
        columns = x.reshape(-1, x.shape[-1])
        return cls(columns.min(axis=0), columns.max(axis=0))

    def joined(self, other: 'InputRange | None') -> 'InputRange':
        """Return the range that has both."""
        if other is None:
            return self
        return InputRange(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def outlier(self, x: Array, lengths: Array | None = None) -> Outlier | None:
        """Return the input that is furthest outside, if there is one.

        Parameters
        ----------
        x : ndarray (batch_size, seq_len, input_size)
            Inputs; of complex ones the real parts.
        lengths : ndarray of int (batch_size,) or None
            Time steps of each sequence that count. None: all.
        """
        excess = np.maximum(self.low - x.real, x.real - self.high)
        if lengths is not None:
            counted = np.arange(x.shape[1]) < lengths[:, np.newaxis]
            excess = np.where(counted[..., np.newaxis], excess, 0.0)
        width = self.high - self.low
        excess = excess / np.where(width > 0.0, width, np.maximum(np.abs(self.high), 1.0))
        lane, t, column = (int(k) for k in np.unravel_index(np.argmax(excess), excess.shape))
        if excess[lane, t, column] <= _ROUNDING:
            return None
        return Outlier(
            (lane, t, column),
            float(x[lane, t, column].real),
            float(self.low[column]),
            float(self.high[column]),
        )
