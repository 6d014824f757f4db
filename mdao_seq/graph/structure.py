"""The pattern of a graph, ordered for solving one component after the other.

Where every edge leads to the node's own strongly connected component or to a later one, the
components can be solved in order, each once: what earlier ones pass on is known. A graph without
cycles takes one pass over its edges. Inside a component, nodes of high degree come first: what is
read most often lies together (measured on R-MAT of 16 M edges: 43 ms a pass against 81 ms).
"""

from bisect import bisect_left
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.compiled import ordering
from mdao_seq.graph.compiled.system import unsigned
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.halves import WORTH_TWO_THREADS, both, in_halves

Array = NDArray[Any]
# Nodes of higher degree are not told apart in the order.
_HIGHEST_DEGREE = 2**16
# A node takes as long as so many of the edges that enter it.
_NODE_WORK = 4


class Large(NamedTuple):
    """A component that two threads work on.

    Attributes
    ----------
    number : int
        Its number.
    ends : (int, int, int)
        Its first place, the one before which half of its edges end, and the place behind it.
    edges : int
        Edges that end in it.
    """

    number: int
    ends: tuple[int, int, int]
    edges: int


class Structure:
    """Nodes in the order in which they are solved for, and edges by target in this order.

    Parameters
    ----------
    graph : Graph
        The pattern.

    Integers are unsigned, of 32 bits where that is enough.

    Attributes
    ----------
    order : ndarray of int (n,)
        Node at each place.
    bounds : ndarray of int (components + 1,)
        Places ``bounds[c]:bounds[c + 1]`` are component c; edges lead to the same or a later one.
    start : ndarray of int (n + 1,)
        Entries ``start[k]:start[k + 1]`` of `sources` and `edges` are of the edges that enter the
        node at place k, but for its loop, in the order of their sources.
    split : ndarray of int (n,)
        From this entry on, sources are of the node's own component.
    sources, edges : ndarray of int (nnz - loops,)
        Place of the source, and number of the edge in the graph's pattern.
    loop_places, loop_edges : ndarray of int (loops,)
        Places of the nodes with an edge to themselves, and numbers of these edges.
    """

    def __init__(self, graph: Graph):
        n, nnz = graph.n, graph.nnz
        indptr, dst = unsigned(graph.indptr, graph.dst)
        integer = dst.dtype
        (component, components), (degrees, self.loop_edges) = both(
            lambda: ordering.strong_components(indptr, dst),
            lambda: (ordering.in_degrees(dst, n), ordering.loops(indptr, dst)),
        )
        highest = min(int(degrees.max(initial=0)), _HIGHEST_DEGREE)
        by_degree = ordering.sorted_stably(
            np.arange(n, dtype=integer), highest - np.minimum(degrees, highest), highest + 1
        )
        self.order = ordering.sorted_stably(by_degree, component, components)
        self.bounds = np.zeros(components + 1, integer)
        np.cumsum(np.bincount(component, minlength=components), out=self.bounds[1:])

        rank = np.empty(n, integer)
        rank[self.order] = np.arange(n, dtype=integer)
        targets = np.empty(nnz, integer)
        in_halves(ordering.rank_targets, (0, nnz // 2, nnz), nnz, dst, rank, targets)
        self.loop_places = targets[self.loop_edges]
        entering = degrees[self.order]
        entering[self.loop_places] -= 1
        self.start = np.zeros(n + 1, integer)
        np.cumsum(entering, out=self.start[1:])
        self.sources = np.empty(self.start[-1], integer)
        self.edges = np.empty(self.start[-1], integer)
        lists = self.start[:-1].copy(), self.sources, self.edges
        pattern = indptr, self.order, targets
        in_halves(ordering.list_sources, (0, self.middle(0, n), n), nnz, *pattern, *lists)
        self.split = np.empty(n, integer)
        ordering.split_lists(self.bounds, self.start, self.sources, self.split)

    @cached_property
    def large_components(self) -> list['Large']:
        """Those with edges enough for two threads."""
        edges = np.diff(self.start[self.bounds])
        found = []
        for c in np.flatnonzero((edges >= WORTH_TWO_THREADS) & (np.diff(self.bounds) > 1)):
            low, high = map(int, self.bounds[c : c + 2])
            found.append(Large(int(c), (low, self.middle(low, high), high), int(edges[c])))
        return found

    def middle(self, first: int, last: int) -> int:
        """Return the place where half of the work for `first` to `last` is done."""

        def work(place: int) -> int:
            return int(self.start[place]) + _NODE_WORK * place

        half = (work(first) + work(last)) // 2
        return bisect_left(range(last), half, lo=first, key=work)
