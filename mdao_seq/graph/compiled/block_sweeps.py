"""Gauss-Seidel for several right-hand sides, which share each pass over the edges.

They stand side by side, `WIDTH` in a row: as many as a line of the cache holds, so that reading
one or all of them at the source of an edge takes the same time. See `sweeps` and `components` for
what is done; here it is done to each column.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment, call-arg"

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.graph.compiled import settling
from mdao_seq.graph.compiled.rows import WIDTH, add_rows
from mdao_seq.graph.compiled.sweeps import ONE


@compiled
def solve(system, rhs, rule, b, x, y):
    """Solve x - a P^T x = rhs for x (n, WIDTH), from what it is, component by component.

    Returns
    -------
    float
        What is still to change, relative to x, where a component was given up; else 0.
    int
        The most sweeps that a component took.
    int
        Edges that were read.
    """
    most = read = 0
    sums, change, size = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    kept, scale, flow = np.empty(WIDTH), np.empty(WIDTH), np.empty(WIDTH)
    state = settling.unsettled(WIDTH)
    for c in range(len(system.bounds) - 1):
        low, high = np.uint64(system.bounds[c]), np.uint64(system.bounds[c + 1])
        entries = np.int64(system.start[high] - system.start[low])
        _inflow(low, high, system, rhs, y, b, sums, flow)
        read += entries
        if high - low == ONE:
            for j in range(WIDTH):
                x[low, j] = b[low, j] * system.pivot[low]
                y[low, j] = x[low, j] * system.inv_sums[low]
            continue
        _clear(low, high, sums, x, y)
        scale[:] = 1.0
        settling.begin(state)
        made = 0
        while not settling.is_settled(state, rule):
            if settling.is_late(state, made, rule):
                return settling.left(state), made, read
            _sweep(low, high, system, b, scale, x, y, change, size, kept, flow)
            for j in range(WIDTH):
                settling.note(state, j, change[j], size[j])
                scale[j] = kept[j] / sums[j] if sums[j] > 0.0 else 1.0
            made += 1
            read += entries
        most = max(most, made)
        _scale(low, high, system, scale, x, y)
    return 0.0, most, read


@compiled
def _inflow(low, high, system, rhs, y, b, sums, flow):
    """Set `b` to `rhs` and what earlier components pass on, and `sums` to its sums."""
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    sums[:] = 0.0
    for k in range(low, high):
        add_rows(start[k], split[k], sources, entries, y, flow)
        for j in range(WIDTH):
            b[k, j] = rhs[k, j] + system.damping * flow[j]
            sums[j] += b[k, j]


@compiled
def _clear(low, high, sums, x, y):
    """Set the columns that nothing comes into to zero, which is their solution."""
    for j in range(WIDTH):
        if sums[j] == 0.0:
            x[low:high, j] = 0.0
            y[low:high, j] = 0.0


@compiled
def _sweep(low, high, system, b, scale, x, y, change, size, kept, flow):
    """Solve for one row of x, times `scale`, after the other.

    That x is to be scaled so that its residual sums to zero is left to b, so that nothing but the
    last scale is multiplied out: by a pass over x in place of one a sweep.

    Sets `change` to the 1-norms of what the columns change by, `size` to theirs, `kept` to the sums
    of what the matrix makes of them.
    """
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    change[:], size[:], kept[:] = 0.0, 0.0, 0.0
    for k in range(low, high):
        add_rows(split[k], start[k + ONE], sources, entries, y, flow)
        of_x = 1.0 - system.damping * system.inside[k] * system.inv_sums[k]
        for j in range(WIDTH):
            new = (b[k, j] * scale[j] + system.damping * flow[j]) * system.pivot[k]
            change[j] += abs(new - x[k, j])
            size[j] += abs(new)
            kept[j] += of_x * new
            x[k, j] = new
            y[k, j] = new * system.inv_sums[k]


@compiled
def _scale(low, high, system, scale, x, y):
    """Divide the columns by their scales."""
    for k in range(low, high):
        for j in range(WIDTH):
            x[k, j] /= scale[j]
            y[k, j] = x[k, j] * system.inv_sums[k]


@compiled
def close(system, q, x, y, pi):
    """Set `pi` to the scores that x = A^-1 v makes, and `y` to pi / r.

    `q` is A^-1 u, of sum 1, where dangling nodes have a u of their own, and else empty.
    """
    damping, inv_sums = system.damping, system.inv_sums
    total, passed_on = np.zeros(WIDTH), np.zeros(WIDTH)
    for k in range(np.uint64(0), np.uint64(len(x))):
        for j in range(WIDTH):
            total[j] += x[k, j]
            if inv_sums[k] == 0.0:
                passed_on[j] += damping * x[k, j]
    if q.size:
        for j in range(WIDTH):
            total[j] = (1.0 - damping) * total[j] + passed_on[j]
    for k in range(np.uint64(0), np.uint64(len(x))):
        for j in range(WIDTH):
            if q.size:
                pi[k, j] = ((1.0 - damping) * x[k, j] + passed_on[j] * q[k]) / total[j]
            else:
                pi[k, j] = x[k, j] / total[j]
            y[k, j] = pi[k, j] * inv_sums[k]


@compiled
def residual(system, v, u, pi, y):
    """Return the largest 1-norm of what a step of the walk changes; one pass over the edges.

    `u` is where dangling nodes pass their mass to; empty: to v.
    """
    start, sources, entries, loop = system.start, system.sources, system.entries, system.loop
    dangling, norms, flow = np.zeros(WIDTH), np.zeros(WIDTH), np.empty(WIDTH)
    for k in range(np.uint64(0), np.uint64(len(pi))):
        if system.inv_sums[k] == 0.0:
            for j in range(WIDTH):
                dangling[j] += pi[k, j]
    for k in range(np.uint64(0), np.uint64(len(pi))):
        add_rows(start[k], start[k + ONE], sources, entries, y, flow)
        for j in range(WIDTH):
            landing = u[k] if u.size else v[k, j]
            followed = flow[j] + loop[k] * y[k, j] + dangling[j] * landing
            new = system.damping * followed + (1.0 - system.damping) * v[k, j]
            norms[j] += abs(new - pi[k, j])
    return norms.max()
