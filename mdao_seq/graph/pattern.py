"""Edges in the order of a pattern: by source and target, each pair once."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[Any]


def summed_edges(
    source: Array, target: Array, weights: Array, n: int
) -> tuple[Array, Array, Array, Array]:
    """Return the pattern of edges between n nodes, in any order, multi-edges summed.

    Parameters
    ----------
    source, target : ndarray of int (edges,)
        Ends, from 0 to n - 1.
    weights : ndarray (edges,)
    n : int

    Returns
    -------
    indptr : ndarray of int (n + 1,)
        Where the edges of each source begin, of 32 bits where that is enough, like all here.
    target : ndarray of int (nnz,)
    weights : ndarray (nnz,)
    edge_map : ndarray of int (edges,)
        Place in the pattern of each edge.
    """
    index = np.int32 if max(n, source.size) <= np.iinfo(np.int32).max else np.int64
    source, target = source.astype(index), target.astype(index)
    order = stable_order(target, n)[0]
    order = order[stable_order(source[order], n)[0]]
    source, target = source[order], target[order]
    first = np.ones(source.size, dtype=bool)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    place = (np.cumsum(first) - 1).astype(index)
    edge_map = np.empty_like(place)
    edge_map[order] = place
    indptr = np.zeros(n + 1, dtype=index)
    np.cumsum(np.bincount(source[first], minlength=n), out=indptr[1:])
    summed = np.bincount(edge_map, weights=weights, minlength=int(indptr[-1]))
    return indptr, target[first], summed.astype(float), edge_map


def stable_order(keys: Array, n: int) -> tuple[Array, Array]:
    """Return the stable order of `keys` in 0..n-1, and where each key starts in it.

    A matrix with one entry in each row, transposed, is a counting sort: linear in time.
    """
    rows = np.arange(keys.size + 1, dtype=keys.dtype)
    chosen = sp.csr_array((np.ones(keys.size, np.int8), keys, rows), shape=(keys.size, n)).tocsc()
    return chosen.indices, chosen.indptr
