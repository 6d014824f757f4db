"""The derivative of a sum over nodes with respect to the weight of every edge."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq._optional import has_numba
from mdao_seq.graph.halves import in_halves
from mdao_seq.graph.transition import Transition

Array = NDArray[Any]
# With fewer edges it takes longer to import numba than to do without it, many times over.
_WORTH_COMPILING = 50_000


def edge_gradient(transition: Transition, factor: Array, lam: Array, mean: Array) -> Array:
    """Return ``factor_i / r_i (lam_j - (P lam)_i)`` for each edge i to j.

    Parameters
    ----------
    transition : Transition
        P, and the row sums r.
    factor, lam, mean : ndarray (n,)
        By node; `mean` is P lam.

    Returns
    -------
    ndarray (nnz,)
        In the order of the pattern; zero for nodes whose weights are all zero.
    """
    graph, scale = transition.graph, transition.by_row_sum(factor)
    is_real = not any(map(np.iscomplexobj, (scale, lam, mean)))
    if is_real and graph.nnz >= _WORTH_COMPILING and has_numba():
        from mdao_seq.graph.compiled import weighing
        from mdao_seq.graph.compiled.system import unsigned

        gradient = np.empty(graph.nnz)
        pattern = unsigned(graph.indptr, graph.dst)
        ends = 0, int(np.searchsorted(graph.indptr, graph.nnz // 2)), graph.n
        in_halves(weighing.edge_gradient, ends, graph.nnz, *pattern, scale, lam, mean, gradient)
        return gradient
    result: Array = (lam[graph.dst] - mean[graph.src]) * scale[graph.src]
    return result
