"""What weights make of an ordered pattern, and the gradient with respect to them."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled
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


@compiled
def edge_gradient(first, last, indptr, dst, scale, lam, mean, gradient):
    """Set ``scale_i (lam_j - mean_i)`` for each edge i to j that leaves these nodes."""
    for i in range(np.uint64(first), np.uint64(last)):
        for e in range(indptr[i], indptr[i + ONE]):
            gradient[e] = scale[i] * (lam[dst[e]] - mean[i])
