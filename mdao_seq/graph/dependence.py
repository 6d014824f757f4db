"""On which edges a score can depend, by the pattern alone."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from mdao_seq.graph.graph import Graph

Array = NDArray[Any]


class Dependence:
    """The edges whose weights can change the scores of given nodes.

    The weight of the edge i to j says how i shares out what it passes on. So a score depends on it
    where i has other edges, and the score's node is reached from a node that i leads to. A dangling
    node leads to wherever it passes its mass.

    Parameters
    ----------
    graph : Graph
        The pattern.
    landing : ndarray of int or None
        Nodes that dangling nodes pass their mass to; None: all.
    may_dangle : ndarray of int or None
        Nodes whose weights may all be zero; None: those without edges.
    """

    def __init__(self, graph: Graph, landing: Array | None = None, may_dangle: Array | None = None):
        self.graph = graph
        n, degrees = graph.n, np.diff(graph.indptr)
        dangling = np.flatnonzero(degrees == 0) if may_dangle is None else may_dangle
        landing = np.arange(n) if landing is None else landing
        # Node n stands between those that dangle and those where they land.
        src = np.concatenate([graph.src, dangling, np.full(landing.size, n)])
        dst = np.concatenate([graph.dst, np.full(dangling.size, n), landing])
        entries = np.ones(src.size, np.int8), (dst, src)
        self._backwards = sp.csr_array(entries, shape=(n + 1, n + 1))
        self._shares_out = degrees > 1

    def edges(self, nodes: Iterable[int]) -> Array:
        """Return the numbers of the edges that the scores of these nodes can depend on, sorted."""
        graph, reaching = self.graph, np.zeros(self.graph.n + 1, bool)
        for node in nodes:
            if not reaching[node]:
                found = breadth_first_order(self._backwards, node, return_predecessors=False)
                reaching[found] = True
        leads_there = graph.matrix(np.ones(graph.nnz)) @ reaching[:-1].astype(float) > 0
        return np.flatnonzero((leads_there & self._shares_out)[graph.src])
