"""Rearrangements that keep the matrix products few and their operands contiguous."""

import numpy as np

from mdao_seq.sequence.cells.cell import Array


def time_first(a: Array) -> Array:
    """Return (batch_size, seq_len, size) as a contiguous (seq_len, batch_size, size)."""
    return np.ascontiguousarray(a.transpose(1, 0, 2))


def batch_first(a: Array) -> Array:
    """Return (seq_len, batch_size, size) as a view (batch_size, seq_len, size)."""
    return a.transpose(1, 0, 2)


def flat(a: Array) -> Array:
    """Return (seq_len, batch_size, size) as (seq_len * batch_size, size)."""
    return a.reshape(-1, a.shape[2])


def times(a: Array, matrix: Array) -> Array:
    """Return (seq_len, batch_size, k) times (k, n) as one matrix product, not one a time step."""
    return (flat(a) @ matrix).reshape(*a.shape[:2], matrix.shape[1])


def over_time(steps: list[Array]) -> Array:
    """Stack arrays of equal shape; concatenating is several times faster than ``np.stack``."""
    return np.concatenate(steps).reshape(len(steps), *steps[0].shape)
