"""Strongly connected components, and the lists of a graph's edges in another order of its nodes.

Nodes and edges are numbered by unsigned integers (see `sweeps`).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.graph.compiled.sweeps import ONE


@compiled
def strong_components(indptr, dst):
    """Return the component of each node, so numbered that edges lead to the same or later ones.

    Tarjan's algorithm (SIAM Journal on Computing 1, 1972) with a stack of its own.

    Returns
    -------
    ndarray of unsigned int (n,)
        Component of each node.
    int
        Number of components.
    """
    n = np.uint64(indptr.size) - ONE
    # What was never visited has 0, what belongs to a component has n + 1: both are not waiting.
    done = n + ONE
    visit, low = np.zeros(n, dst.dtype), np.zeros(n, dst.dtype)
    component = np.zeros(n, dst.dtype)
    waiting, path = np.empty(n, dst.dtype), np.empty(n, dst.dtype)
    following = indptr[:n].copy()
    visits = components = np.uint64(0)
    on_stack = depth = np.uint64(0)
    for root in range(n):
        if visit[root]:
            continue
        visits += ONE
        visit[root] = low[root] = visits
        waiting[on_stack] = path[0] = root
        on_stack += ONE
        depth = ONE
        while depth:
            node = path[depth - ONE]
            lowest = low[node]
            is_finished = True
            for e in range(np.uint64(following[node]), np.uint64(indptr[node + ONE])):
                target = dst[e]
                seen = visit[target]
                if seen == 0:
                    following[node] = e + ONE
                    visits += ONE
                    visit[target] = low[target] = visits
                    waiting[on_stack] = path[depth] = target
                    on_stack += ONE
                    depth += ONE
                    is_finished = False
                    break
                lowest = min(lowest, seen)
            low[node] = lowest
            if not is_finished:
                continue
            depth -= ONE
            if lowest == visit[node]:
                while True:
                    on_stack -= ONE
                    member = waiting[on_stack]
                    component[member] = components
                    # Larger than all that are waiting, so that no other takes it for lower.
                    visit[member] = done
                    if member == node:
                        break
                components += ONE
            if depth:
                below = path[depth - ONE]
                low[below] = min(low[below], lowest)
    for node in range(n):
        component[node] = components - ONE - component[node]
    return component, np.int64(components)


@compiled
def in_degrees(dst, n):
    """Return how many edges enter each node."""
    degrees = np.zeros(n, dst.dtype)
    for e in range(np.uint64(dst.size)):
        degrees[dst[e]] += 1
    return degrees


@compiled
def loops(indptr, dst):
    """Return the edges that lead from a node to itself."""
    found = 0
    edges = np.empty(indptr.size - 1, dst.dtype)
    for node in range(np.uint64(indptr.size) - ONE):
        for e in range(np.uint64(indptr[node]), np.uint64(indptr[node + ONE])):
            if dst[e] == node:
                edges[found] = e
                found += 1
    return edges[:found].copy()


@compiled
def sorted_stably(given, keys, bins):
    """Return nodes in the order of their keys, 0 to bins - 1; those alike in the order given."""
    ends = np.zeros(bins + 1, np.int64)
    for k in range(np.uint64(given.size)):
        ends[keys[given[k]] + ONE] += 1
    for b in range(bins):
        ends[b + 1] += ends[b]
    order = np.empty_like(given)
    for k in range(np.uint64(given.size)):
        node = given[k]
        order[ends[keys[node]]] = node
        ends[keys[node]] += 1
    return order


@compiled
def rank_targets(first, last, dst, rank, targets):
    """Set the rank of the target of each of these edges."""
    for e in range(np.uint64(first), np.uint64(last)):
        targets[e] = rank[dst[e]]


@compiled
def list_sources(low, high, indptr, order, targets, following, sources, edges):
    """List sources and edges by target, for targets of the ranks `low` to `high`.

    Loops are left out. `following` (n,) starts where each target's list does.
    """
    for rank in range(np.uint64(order.size)):
        node = order[rank]
        for e in range(np.uint64(indptr[node]), np.uint64(indptr[node + ONE])):
            target = targets[e]
            if low <= target < high and target != rank:
                place = following[target]
                sources[place] = rank
                edges[place] = e
                following[target] = place + ONE


@compiled
def split_lists(bounds, start, sources, split):
    """Set where in each sorted list the sources of the target's own component begin."""
    for component in range(np.uint64(bounds.size) - ONE):
        low, high = bounds[component], bounds[component + ONE]
        for target in range(np.uint64(low), np.uint64(high)):
            e, end = np.uint64(start[target]), np.uint64(start[target + ONE])
            while e < end and sources[e] < low:
                e += ONE
            split[target] = e
