"""The derivative of a sum over nodes with respect to the weight of every edge."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.halves import in_halves
from mdao_seq.graph.transition import Transition

Array = NDArray[Any]


def edge_gradient(transition: Transition, factor: Array, lam: Array) -> Array:
    """Return ``factor_i / r_i (lam_j - (P lam)_i)`` for each edge i to j.

    Parameters
    ----------
    transition : Transition
        P, and the row sums r.
    factor, lam : ndarray (n,)
        By node.

    Returns
    -------
    ndarray (nnz,)
        In the order of the pattern; zero for nodes whose weights are all zero.
    """
    graph, weights = transition.graph, transition.weights
    if find_spec('numba') and not any(map(np.iscomplexobj, (weights, factor, lam))):
        from mdao_seq.graph.compiled import weighing

        gradient = np.empty(graph.nnz)
        ends = 0, int(np.searchsorted(graph.indptr, graph.nnz // 2)), graph.n
        given = graph.indptr, graph.dst, weights, transition.row_sums, factor, lam, gradient
        in_halves(weighing.edge_gradient, ends, graph.nnz, *given)
        return gradient
    mean = transition.by_row_sum(graph.matrix(weights) @ lam)
    scale = transition.by_row_sum(factor)
    result: Array = (lam[graph.dst] - mean[graph.src]) * scale[graph.src]
    return result
