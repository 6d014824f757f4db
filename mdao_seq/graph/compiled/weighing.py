"""What weights make of an ordered pattern, and the gradient with respect to them."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from mdao_seq._compiling import compiled, compiled_sums


@compiled
def gather(first, last, values, places, gathered):
    """Set these entries of `gathered` to the values at these places."""
    for k in range(first, last):
        gathered[k] = values[places[k]]


@compiled
def leave(start, split, sources, entries, leaving):
    """Add the weights of the edges to later components to the sums of their sources."""
    for k in range(start.size - 1):
        for e in range(start[k], split[k]):
            leaving[sources[e]] += entries[e]


@compiled_sums
def edge_gradient(first, last, indptr, dst, weights, row_sums, factor, lam, gradient):
    """Set ``factor_i / r_i (lam_j - (P lam)_i)`` for each edge i to j that leaves these nodes."""
    for node in range(first, last):
        if row_sums[node] == 0.0:
            gradient[indptr[node] : indptr[node + 1]] = 0.0
            continue
        mean = 0.0
        for e in range(indptr[node], indptr[node + 1]):
            mean += weights[e] * lam[dst[e]]
        mean /= row_sums[node]
        scale = factor[node] / row_sums[node]
        for e in range(indptr[node], indptr[node + 1]):
            gradient[e] = scale * (lam[dst[e]] - mean)
