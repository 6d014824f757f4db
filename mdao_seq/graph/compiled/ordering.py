"""Strongly connected components, and the lists of a graph's edges in another order of its nodes."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled


@compiled
def strong_components(indptr, dst):
    """Return the component of each node, numbered so that edges lead to smaller numbers.

    Tarjan's algorithm (SIAM Journal on Computing 1, 1972) with a stack of its own.

    Returns
    -------
    ndarray of int32 (n,)
        Component of each node.
    int
        Number of components.
    """
    n = indptr.size - 1
    visit, low = np.zeros(n, np.int32), np.zeros(n, np.int32)
    component = np.full(n, -1, np.int32)
    waiting, path = np.empty(n, np.int32), np.empty(n, np.int32)
    following = indptr[:n].copy()
    visits = components = on_stack = 0
    for root in range(n):
        if visit[root]:
            continue
        visits += 1
        visit[root] = low[root] = visits
        waiting[on_stack] = path[0] = root
        on_stack += 1
        depth = 1
        while depth:
            node = path[depth - 1]
            lowest = low[node]
            is_finished = True
            for e in range(following[node], indptr[node + 1]):
                target = dst[e]
                if visit[target] == 0:
                    following[node] = e + 1
                    visits += 1
                    visit[target] = low[target] = visits
                    waiting[on_stack] = path[depth] = target
                    on_stack += 1
                    depth += 1
                    is_finished = False
                    break
                if component[target] < 0:
                    lowest = min(lowest, visit[target])
            low[node] = lowest
            if not is_finished:
                continue
            depth -= 1
            if lowest == visit[node]:
                while True:
                    on_stack -= 1
                    member = waiting[on_stack]
                    component[member] = components
                    if member == node:
                        break
                components += 1
            if depth:
                below = path[depth - 1]
                low[below] = min(low[below], lowest)
    return component, components


@compiled
def in_degrees(dst, n):
    """Return how many edges enter each node."""
    degrees = np.zeros(n, dst.dtype)
    for e in range(dst.size):
        degrees[dst[e]] += 1
    return degrees


@compiled
def loops(indptr, dst):
    """Return the edges that lead from a node to itself."""
    found = 0
    for node in range(indptr.size - 1):
        for e in range(indptr[node], indptr[node + 1]):
            found += dst[e] == node
    edges = np.empty(found, dst.dtype)
    found = 0
    for node in range(indptr.size - 1):
        for e in range(indptr[node], indptr[node + 1]):
            if dst[e] == node:
                edges[found] = e
                found += 1
    return edges


@compiled
def sorted_stably(given, keys, bins):
    """Return nodes in the order of their keys, 0 to bins - 1; those alike in the order given."""
    ends = np.zeros(bins + 1, np.int64)
    for k in range(given.size):
        ends[keys[given[k]] + 1] += 1
    for b in range(bins):
        ends[b + 1] += ends[b]
    order = np.empty_like(given)
    for k in range(given.size):
        node = given[k]
        order[ends[keys[node]]] = node
        ends[keys[node]] += 1
    return order


@compiled
def rank_targets(first, last, dst, rank, targets):
    """Set the rank of the target of each of these edges."""
    for e in range(first, last):
        targets[e] = rank[dst[e]]


@compiled
def list_sources(low, high, indptr, order, targets, following, sources, edges):
    """List sources and edges by target, for targets of the ranks `low` to `high`.

    Loops are left out. `following` (n,) starts where each target's list does.
    """
    for rank in range(order.size):
        node = order[rank]
        for e in range(indptr[node], indptr[node + 1]):
            target = targets[e]
            if low <= target < high and target != rank:
                place = following[target]
                sources[place] = rank
                edges[place] = e
                following[target] = place + 1


@compiled
def split_lists(bounds, start, sources, split):
    """Set where in each sorted list the sources of the target's own component begin."""
    for component in range(bounds.size - 1):
        low = bounds[component]
        for target in range(low, bounds[component + 1]):
            split[target] = start[target] + np.searchsorted(
                sources[start[target] : start[target + 1]], low
            )
