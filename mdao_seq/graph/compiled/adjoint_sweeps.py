"""Gauss-Seidel sweeps for lam - a P lam = b, the transpose of `sweeps`.

A change of lam_j is passed back along the edges that enter j, to where the weighted sums
``sum_j w_ij lam_j`` of their sources stand. So the lists are those of `sweeps`: reading the edges
by source instead would need them a second time, in the order of sources. Two threads may sweep the
halves of a component, each with sums of its own: those of its half, and what it passes back to the
other one.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled, compiled_sums
from mdao_seq.graph.compiled.sweeps import CHUNK, ONE

TWO, THREE, FOUR = np.uint64(2), np.uint64(3), np.uint64(4)


@compiled_sums
def inflow(low, high, system, rhs, scores, sums):
    """Return the scores' product with `rhs` and what later components have passed back."""
    total = 0.0
    for chunk in range(np.uint64(low), np.uint64(high), CHUNK):
        part = 0.0
        for k in range(chunk, min(chunk + CHUNK, np.uint64(high))):
            part += scores[k] * (rhs[k] + system.damping * system.inv_sums[k] * sums[k])
        total += part
    return total


@compiled
def sweep(first, last, system, b, lam, sums):
    """Solve for one lam after the other; return the largest change."""
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    pivot, inv_sums = system.pivot, system.inv_sums
    largest = 0.0
    for behind in range(np.uint64(last - first)):
        k = np.uint64(last) - ONE - behind
        new = (b[k] + system.damping * inv_sums[k] * sums[k]) * pivot[k]
        change = new - lam[k]
        lam[k] = new
        largest = max(largest, abs(change))
        # From behind like the nodes: read the other way, each list was fetched too late. No
        # source is twice in a list, so that four sums are under way at once.
        e, end = np.uint64(start[k + ONE]), np.uint64(split[k])
        while e >= end + FOUR:
            e -= FOUR
            i, j = sources[e], sources[e + ONE]
            m, n = sources[e + TWO], sources[e + THREE]
            of_i, of_j = sums[i] + entries[e] * change, sums[j] + entries[e + ONE] * change
            of_m, of_n = sums[m] + entries[e + TWO] * change, sums[n] + entries[e + THREE] * change
            sums[i], sums[j], sums[m], sums[n] = of_i, of_j, of_m, of_n
        while e > end:
            e -= ONE
            sums[sources[e]] += entries[e] * change
    return largest


@compiled_sums
def products(first, last, flow, lam):
    """Return the sums of ``flow * lam`` and of `flow`, which is what the scores are made of."""
    of_lam = of_one = 0.0
    for chunk in range(np.uint64(first), np.uint64(last), CHUNK):
        part_lam = part_one = 0.0
        for k in range(chunk, min(chunk + CHUNK, np.uint64(last))):
            part_lam += flow[k] * lam[k]
            part_one += flow[k]
        of_lam += part_lam
        of_one += part_one
    return of_lam, of_one


@compiled
def constant(sum_b, of_lam, of_one):
    """Return what lam lacks for the scores' product with the residual to be zero.

    From `inflow` and `products`, of all parts of a component.
    """
    return (sum_b - of_lam) / of_one if of_one > 0.0 else 0.0


@compiled
def correct(first, last, system, constant, lam, sums, others):
    """Add a constant to lam; return max|lam|.

    `others` is what the other thread has passed back to here, and may be empty.
    """
    size = 0.0
    for k in range(np.uint64(first), np.uint64(last)):
        lam[k] += constant
        sums[k] += constant * (system.inside[k] - system.loop[k])
        size = max(size, abs(lam[k]))
    if others.size:
        for k in range(np.uint64(first), np.uint64(last)):
            sums[k] += others[k]
            others[k] = 0.0
    return size


@compiled
def pass_back(low, high, system, lam, sums):
    """Add what these lam give to the sums of earlier components."""
    start, split, sources, entries = system.start, system.split, system.sources, system.entries
    for k in range(np.uint64(low), np.uint64(high)):
        for e in range(np.uint64(start[k]), np.uint64(split[k])):
            sums[sources[e]] += entries[e] * lam[k]
