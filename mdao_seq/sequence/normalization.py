"""Shift and scale that bring each signal to mean 0 and standard deviation 1."""

from dataclasses import dataclass

import numpy as np

from mdao_seq.sequence.cells.cell import Array

# Below this spread, relative to its mean, a signal is taken as constant: what is left is rounding.
_CONSTANT = 1e-10


@dataclass(frozen=True)
class Normalization:
    """Mean and scale of each signal.

    Attributes
    ----------
    mean : ndarray (size,)
        Subtracted, in the units of each signal.
    scale : ndarray (size,)
        Divided by, in the units of each signal; positive.
    """

    mean: Array
    scale: Array

    @classmethod
    def identity(cls, size: int) -> 'Normalization':
        """Return the one that changes nothing."""
        return cls(np.zeros(size), np.ones(size))

    @classmethod
    def of(cls, values: Array) -> 'Normalization':
        """Return mean and standard deviation over all but the last axis.

        Parameters
        ----------
        values : ndarray (batch_size, seq_len, size)
            What is to have mean 0 and standard deviation 1. A signal that is constant keeps the
            scale 1.

        Returns
        -------
        Normalization
            One entry for each of the last axis.
        """
        mean = values.mean(axis=(0, 1))
        deviation = values.std(axis=(0, 1))
        return cls(mean, np.where(deviation > _CONSTANT * np.abs(mean), deviation, 1.0))

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return bool(np.all(self.mean == 0.0) and np.all(self.scale == 1.0))

    def apply(self, values: Array) -> Array:
        """Return ``(values - mean) / scale``, signals along the last axis."""
        return (values - self.mean) / self.scale

    def undo(self, normalized: Array) -> Array:
        """Return ``normalized * scale + mean``, signals along the last axis."""
        return normalized * self.scale + self.mean
