"""What sweeps know of a graph: a structure of arrays that compiled code reads."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def unsigned(*arrays: Array) -> list[Array]:
    """Return integers as unsigned ones, of which numba need not ask whether they count from behind.

    Each of them is above zero; nothing is copied.
    """
    return [array.view(np.dtype(f'u{array.itemsize}')) for array in arrays]


class System(NamedTuple):
    """I - a P^T with P_ij = w_ij / r_i; nodes are numbered by their place in `Structure`.

    Attributes
    ----------
    bounds, start, split, sources : ndarray of int
        As of `Structure`.
    entries, loop, inv_sums, inside : ndarray
        As of `Weighed`.
    damping : float
        a.
    pivot : ndarray (n,)
        One by the diagonal of the matrix.
    """

    bounds: Array
    start: Array
    split: Array
    sources: Array
    entries: Array
    loop: Array
    inv_sums: Array
    inside: Array
    damping: float
    pivot: Array
