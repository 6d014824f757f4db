"""An ordered pattern with weights: what sweeps need of them, made once for each set of weights."""

import numpy as np

from mdao_seq.graph.compiled import weighing
from mdao_seq.graph.compiled.system import System
from mdao_seq.graph.halves import in_halves
from mdao_seq.graph.structure import Structure
from mdao_seq.graph.transition import Transition


class Weighed:
    """Weights in the order of a structure.

    Parameters
    ----------
    transition : Transition
        The weights, real.

    Attributes
    ----------
    structure : Structure
        The order.
    entries : ndarray (nnz - loops,)
        Weights of ``structure.edges``.
    loop : ndarray (n,)
        Weight of the edge from each node to itself.
    inv_sums : ndarray (n,)
        One by the sum of the weights that leave a node, 0 for dangling ones.
    inside : ndarray (n,)
        Sum of the weights that lead from a node to its own component.
    """

    def __init__(self, transition: Transition):
        self.structure = structure = transition.graph.kept(Structure)
        size = structure.edges.size
        self.entries = np.empty(size)
        ends = 0, size // 2, size
        in_halves(weighing.gather, ends, size, transition.weights, structure.edges, self.entries)
        sums = transition.row_sums[structure.order]
        self.loop = np.zeros_like(sums)
        self.loop[structure.loop_places] = transition.weights[structure.loop_edges]
        self.inv_sums = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0.0)
        leaving = np.zeros_like(sums)
        lists = structure.start, structure.split, structure.sources
        weighing.leave(*lists, self.entries, leaving)
        self.inside = sums - leaving

    def system(self, damping: float) -> System:
        """Return what sweeps read."""
        structure = self.structure
        return System(
            structure.bounds,
            structure.start,
            structure.split,
            structure.sources,
            self.entries,
            self.loop,
            self.inv_sums,
            self.inside,
            damping,
            1.0 / (1.0 - damping * self.loop * self.inv_sums),
        )
