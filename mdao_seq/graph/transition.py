"""The transition matrix of a graph for one set of weights."""

from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.arrays import as_numbers
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.keeping import Keeping

# One by it, and that times other numbers of a solve, must be finite.
_SMALLEST_SUM = 1e-200


class Transition(Keeping):
    """P = W / r by rows, r the row sums of the weights W; rows that sum to zero stay zero.

    This is all that a solve sees of a graph: `matvec`, `rmatvec` and `dangling`.

    Parameters
    ----------
    graph : Graph
        The pattern.
    weights : array_like (nnz,) or None
        Weights in the order of the pattern, real or complex (a complex step), which must not change
        while they are in use; None: the graph's.

    Attributes
    ----------
    row_sums : ndarray (n,)
        r, in the unit of the weights.
    dangling : ndarray of int
        The nodes that nothing leaves: no edges, or all of them of weight zero.

    Raises
    ------
    InputError
        If there are not nnz weights, or one is negative or not finite.
    """

    def __init__(self, graph: Graph, weights: ArrayLike | None = None):
        self._graph: Graph | ref[Graph] = graph
        self.weights = graph.weights if weights is None else _checked(graph, weights)
        self.row_sums = _row_sums(graph, self.weights)
        self.dangling = np.flatnonzero(self.row_sums.real == 0)

    @classmethod
    def of(cls, graph: Graph, weights: ArrayLike | None = None) -> 'Transition':
        """Return that of some weights, or the graph's own, which is made once."""
        return graph.kept(_own) if weights is None else cls(graph, weights)

    @property
    def graph(self) -> Graph:
        """The pattern."""
        graph = self._graph() if isinstance(self._graph, ref) else self._graph
        assert graph is not None  # a walk holds on to it
        return graph

    @cached_property
    def probabilities(self) -> NDArray[Any]:
        """The entries of P (nnz,)."""
        probabilities: NDArray[Any] = self.weights / self._per_edge
        if np.iscomplexobj(self.weights):
            probabilities[np.isin(self.graph.src, self.dangling)] = 0.0
        return probabilities

    @cached_property
    def imaginary_size(self) -> float:
        """Largest imaginary part of W / r: how far a complex step went."""
        if not np.iscomplexobj(self.weights):
            return 0.0
        return float(np.max(np.abs(self.weights.imag) / self._per_edge.real, initial=0.0))

    @property
    def _per_edge(self) -> NDArray[Any]:
        divisor = self.row_sums.copy()
        divisor[self.dangling] = 1.0
        return np.repeat(divisor, np.diff(self.graph.indptr))

    @cached_property
    def zero_rows(self) -> NDArray[Any]:
        """The dangling nodes that have edges, all of weight zero."""
        return self.dangling[np.diff(self.graph.indptr)[self.dangling] > 0]

    @cached_property
    def by_source(self) -> sp.csr_array:
        """P (n, n) as a sparse matrix."""
        return self.graph.matrix(self.probabilities)

    @cached_property
    def _by_target(self) -> sp.csr_array:
        return self.graph.transposed_matrix(self.probabilities)

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, the graph is there at first hand."""
        return super().__getstate__() | {'_graph': self.graph}

    def matvec(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return P^T x (n,): what the edges pass on of x (n,); one pass over the edges."""
        return self._by_target @ x

    def rmatvec(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return P y (n,): the mean of y (n,) over where the edges lead; one pass."""
        return self.by_source @ y

    def by_row_sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values by row sums (n,); zero for dangling nodes."""
        row_sums = self.row_sums.copy()
        row_sums[self.dangling] = np.inf
        return values / row_sums


def _own(graph: Graph) -> Transition:
    """Return what a graph keeps: it must not keep the graph alive in turn."""
    own = Transition(graph)
    own._graph = ref(graph)
    return own


def _checked(graph: Graph, weights: ArrayLike) -> NDArray[Any]:
    array = as_numbers(weights, 'weights')
    if array.shape != (graph.nnz,):
        raise InputError(
            f'weights has shape {array.shape}, but the pattern has {graph.nnz} edges after '
            f'summing multi-edges: ({graph.nnz},)'
        )
    # A minimum of NaN is NaN, which is not at least 0.
    is_fine = array.real.min(initial=0.0) >= 0.0 and np.isfinite(array.sum())
    if not is_fine and np.any(bad := ~((array.real >= 0) & np.isfinite(array))):
        e = int(np.argmax(bad))
        raise InputError(
            f'weights[{e}] = {array[e]} (edge {graph.edge_name(e)}): a weight must be finite and '
            'not negative'
        )
    return array


def _row_sums(graph: Graph, weights: NDArray[Any]) -> NDArray[Any]:
    sums = np.zeros(graph.n, weights.dtype)
    with_edges = np.flatnonzero(np.diff(graph.indptr))
    if with_edges.size:
        sums[with_edges] = np.add.reduceat(weights, graph.indptr[with_edges])
    if not np.all(np.isfinite(sums)):
        i = int(np.argmin(np.isfinite(sums)))
        raise InputError(
            f'weights of the edges that leave node {graph.name(i)!r} sum to {sums[i]}: '
            'they are too large to be added'
        )
    if np.any(bad := (sums.real > 0.0) & (sums.real < _SMALLEST_SUM)):
        i = int(np.argmax(bad))
        raise InputError(
            f'weights of the edges that leave node {graph.name(i)!r} sum to {sums[i]}: too small '
            f'to divide by; scale them to above {_SMALLEST_SUM:g}, since only ratios matter'
        )
    return sums
