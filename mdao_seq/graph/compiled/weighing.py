"""What weights make of an ordered pattern, and the gradient with respect to them."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled, compiled_sums
from mdao_seq.graph.compiled.sweeps import ONE


@compiled
def gather(first, last, values, places, gathered):
    """Set these entries of `gathered` to the values at these places."""
    for k in range(np.uint64(first), np.uint64(last)):
        gathered[k] = values[places[k]]


@compiled
def leave(start, split, sources, entries, leaving):
    """Add the weights of the edges to later components to the sums of their sources."""
    for k in range(np.uint64(start.size) - ONE):
        for e in range(np.uint64(start[k]), np.uint64(split[k])):
            leaving[sources[e]] += entries[e]


@compiled_sums
def edge_gradient(first, last, indptr, dst, weights, row_sums, factor, lam, gradient):
    """Set ``factor_i / r_i (lam_j - (P lam)_i)`` for each edge i to j that leaves these nodes."""
    for node in range(np.uint64(first), np.uint64(last)):
        begin, end = np.uint64(indptr[node]), np.uint64(indptr[node + ONE])
        if row_sums[node] == 0.0:
            gradient[begin:end] = 0.0
            continue
        mean = 0.0
        for e in range(begin, end):
            mean += weights[e] * lam[dst[e]]
        mean /= row_sums[node]
        scale = factor[node] / row_sums[node]
        for e in range(begin, end):
            gradient[e] = scale * (lam[dst[e]] - mean)
