"""One component after the other: each is swept until it is settled."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.graph.compiled import adjoint_sweeps, settling, sweeps


@compiled
def solve(first, last, system, rhs, along, rule, b, x, y):
    """Solve these components for x, from what it is; `along` may be empty: along x.

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
    state = settling.unsettled(1)
    direction = along if along.size else x
    for c in range(first, last):
        low, high = np.int64(system.bounds[c]), np.int64(system.bounds[c + 1])
        entries = np.int64(system.start[high] - system.start[low])
        sum_b = sweeps.inflow(low, high, system, rhs, y, b)
        read += entries
        if high - low == 1:
            x[low] = b[low] * system.pivot[low]
            y[low] = x[low] * system.inv_sums[low]
            continue
        settling.begin(state)
        made = 0
        while not settling.is_settled(state, rule):
            if settling.is_late(state, made, rule):
                return settling.left(state), made, read
            change = sweeps.sweep(low, high, system, b, x, y)
            size = sweeps.correct(low, high, system, sum_b, direction, x, y)
            settling.note(state, 0, change, size)
            made += 1
            read += entries
        most = max(most, made)
    return 0.0, most, read


@compiled
def solve_adjoint(first, last, system, rhs, scores, flow, rule, lam, sums):
    """Solve these components for lam, from the last to the first; returns as `solve`."""
    most = read = 0
    state, nobody = settling.unsettled(1), np.empty(0)
    for c in range(last - 1, first - 1, -1):
        low, high = np.int64(system.bounds[c]), np.int64(system.bounds[c + 1])
        entries = np.int64(system.start[high] - system.start[low])
        read += entries
        if high - low == 1:
            adjoint_sweeps.sweep(low, high, system, rhs, lam, sums)
            adjoint_sweeps.pass_back(low, high, system, lam, sums)
            continue
        sum_b = adjoint_sweeps.inflow(low, high, system, rhs, scores, sums)
        settling.begin(state)
        made = 0
        while not settling.is_settled(state, rule):
            if settling.is_late(state, made, rule):
                return settling.left(state), made, read
            change = adjoint_sweeps.sweep(low, high, system, rhs, lam, sums)
            of_lam, of_one = adjoint_sweeps.products(low, high, flow, lam)
            lacks = adjoint_sweeps.constant(sum_b, of_lam, of_one)
            size = adjoint_sweeps.correct(low, high, system, lacks, lam, sums, nobody)
            settling.note(state, 0, change, size)
            made += 1
            read += entries
        adjoint_sweeps.pass_back(low, high, system, lam, sums)
        most = max(most, made)
    return 0.0, most, read
