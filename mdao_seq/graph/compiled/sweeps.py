"""Gauss-Seidel sweeps for x - a P^T x = b.

Of x the loops read y = x / r, so that weights need not be divided. Two threads may sweep the two
halves of a component at the same time, each with a y of its own: it sees what the other half was
before, so that what comes out is the same each time.

Indices are unsigned: numba asks of each signed one whether it counts from the end, which took
longer than the arithmetic.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled_sums

ONE = np.uint64(1)
# Sums over nodes are made of sums of so many: with one sum for all, many like numbers round alike.
CHUNK = np.uint64(256)


@compiled_sums
def inflow(first, last, system, rhs, y, b):
    """Set `b` to `rhs` and what earlier components pass on; return its sum."""
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    total = 0.0
    for chunk in range(np.uint64(first), np.uint64(last), CHUNK):
        part = 0.0
        for k in range(chunk, min(chunk + CHUNK, np.uint64(last))):
            passed_on = 0.0
            for e in range(np.uint64(start[k]), np.uint64(split[k])):
                passed_on += entries[e] * y[sources[e]]
            b[k] = rhs[k] + system.damping * passed_on
            part += b[k]
        total += part
    return total


@compiled_sums
def sweep(first, last, system, b, x, y):
    """Solve for one x after the other; return the 1-norm of what they change by."""
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    pivot, inv_sums = system.pivot, system.inv_sums
    change = 0.0
    for k in range(np.uint64(first), np.uint64(last)):
        passed_on = 0.0
        for e in range(np.uint64(split[k]), np.uint64(start[k + ONE])):
            passed_on += entries[e] * y[sources[e]]
        new = (b[k] + system.damping * passed_on) * pivot[k]
        change += abs(new - x[k])
        x[k] = new
        y[k] = new * inv_sums[k]
    return change


@compiled_sums
def correct(low, high, system, sum_b, along, x, y):
    """Add what makes the residual sum to zero, along a direction; return the 1-norm of x."""
    inside, inv_sums, damping = system.inside, system.inv_sums, system.damping
    of_x = of_direction = 0.0
    for chunk in range(np.uint64(low), np.uint64(high), CHUNK):
        part_x = part_direction = 0.0
        for k in range(chunk, min(chunk + CHUNK, np.uint64(high))):
            # The sum of a column of the matrix within this component.
            kept = 1.0 - damping * inside[k] * inv_sums[k]
            part_x += kept * x[k]
            part_direction += kept * along[k]
        of_x += part_x
        of_direction += part_direction
    factor = (sum_b - of_x) / of_direction if of_direction != 0.0 else 0.0
    size = 0.0
    for k in range(np.uint64(low), np.uint64(high)):
        x[k] += factor * along[k]
        y[k] = x[k] * inv_sums[k]
        size += abs(x[k])
    return size


@compiled_sums
def residual(first, last, system, jump, x, y):
    """Return the 1-norm of ``a P^T x + jump - x`` at these places; one pass over the edges."""
    start, sources, entries, loop = system.start, system.sources, system.entries, system.loop
    total = 0.0
    for k in range(np.uint64(first), np.uint64(last)):
        passed_on = loop[k] * y[k]
        for e in range(np.uint64(start[k]), np.uint64(start[k + ONE])):
            passed_on += entries[e] * y[sources[e]]
        total += abs(system.damping * passed_on + jump[k] - x[k])
    return total
