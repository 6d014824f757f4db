"""A directed graph in memory: a pattern of edges, prepared once, and their weights."""

from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.arrays import as_numbers
from mdao_seq.graph.edge_table import read_edges
from mdao_seq.graph.ends import ends_array, node_numbers
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.keeping import Keeping
from mdao_seq.graph.pattern import stable_order, summed_edges


class Graph(Keeping):
    """A weighted directed graph, made by one of the methods ``from_...``.

    The edges have one order: sorted by (src, dst), each pair once, multi-edges summed. An edge of
    weight zero keeps its place, since a design variable may be zero. A graph does not change;
    other weights on the same pattern are passed to the solve (``weights=``), which reuses what
    was prepared here.

    Attributes
    ----------
    n : int
        Number of nodes, numbered from 0.
    nnz : int
        Number of distinct edges.
    src, dst : ndarray (nnz,) of int32 (int64 where that is too small)
        Ends of the edges.
    weights : ndarray (nnz,) of float
        Weights of the edges, in the caller's unit: only ratios within a row matter.
    indptr : ndarray (n + 1,)
        Edges ``indptr[i]:indptr[i + 1]`` leave node i.
    edge_map : ndarray (number of edges passed,)
        Place in the pattern of each edge that was passed to `from_edges`.
    labels : tuple or None
        One label for each node.
    """

    def __init__(
        self,
        n: int,
        indptr: NDArray[Any],
        dst: NDArray[Any],
        weights: NDArray[np.float64],
        edge_map: NDArray[Any],
        labels: tuple[Hashable, ...] | None,
    ):
        self.n = n
        self.indptr = _frozen(indptr)
        self.dst = _frozen(dst)
        self.weights = _frozen(weights)
        self.edge_map = _frozen(edge_map)
        self.labels = labels

    @classmethod
    def from_edges(
        cls,
        src: ArrayLike,
        dst: ArrayLike,
        weights: ArrayLike | None = None,
        n: int | None = None,
        labels: Sequence[Hashable] | NDArray[Any] | str | None = None,
    ) -> 'Graph':
        """Make a graph from its edges, in any order.

        Parameters
        ----------
        src, dst : array_like (number of edges,)
            Ends of each edge: labels, or node numbers where the entries are integers.
        weights : array_like (number of edges,) or None
            Weights, finite and not negative; None: each edge counts 1.
        n : int or None
            Number of nodes; None: as many as there are labels, or the largest number + 1.
        labels : sequence of hashable (n,), 'ends' or None
            One distinct label for each node; None with ends that are labels, or 'ends': those, in
            the order in which they are first met. With 'ends' integers are labels, too.

        Returns
        -------
        Graph
            With edges sorted by (src, dst), multi-edges summed, self-loops and zeros kept.

        Raises
        ------
        InputError
            If an edge names an unknown node or points outside the graph, if a weight is negative
            or not finite, if lengths do not match or a label occurs twice. The message has the
            offending value and its edge.
        """
        source, target, n, names = node_numbers(ends_array(src), ends_array(dst), n, labels)
        values = np.ones(source.size) if weights is None else as_numbers(weights, 'weights')
        if values.shape != source.shape:
            raise InputError(f'weights has shape {values.shape}, but there are {source.size} edges')
        if np.any(bad := ~((values >= 0) & np.isfinite(values))):
            e = int(np.argmax(bad))
            raise InputError(
                f'weights[{e}] = {values[e]} (edge {_named(source[e], names)} -> '
                f'{_named(target[e], names)}): a weight must be finite and not negative'
            )

        indptr, target, summed, edge_map = summed_edges(source, target, values, n)
        if not np.all(np.isfinite(summed)):
            e = int(np.argmin(np.isfinite(summed)))
            first = int(np.argmax(edge_map == e))
            raise InputError(
                f'weights of the edges {_named(source[first], names)} -> '
                f'{_named(int(target[e]), names)} sum to {summed[e]}'
            )
        return cls(n, indptr, target, summed, edge_map, names)

    @classmethod
    def from_scipy(
        cls, matrix: Any, labels: Sequence[Hashable] | NDArray[Any] | None = None
    ) -> 'Graph':
        """Make a graph from a square matrix: entry (i, j) is the weight of the edge i to j.

        Parameters
        ----------
        matrix : scipy sparse array or matrix, or array_like (n, n)
            Stored zeros of a sparse one are edges of weight zero, duplicates are summed; of a dense
            one, entries other than zero are edges.
        labels : sequence of hashable (n,) or None
            As in `from_edges`, whose errors apply.

        Raises
        ------
        InputError
            If the matrix is not square.
        """
        coo = sp.coo_array(matrix if sp.issparse(matrix) else np.asarray(matrix, dtype=float))
        if coo.ndim != 2 or coo.shape[0] != coo.shape[1]:
            raise InputError(f'matrix has shape {coo.shape}: it must be square, (n, n)')
        return cls.from_edges(coo.row, coo.col, coo.data, n=coo.shape[0], labels=labels)

    @classmethod
    def from_networkx(cls, graph: Any, weight: str | None = 'weight') -> 'Graph':
        """Make a graph from a NetworkX graph; its nodes become the labels, in their order.

        Parameters
        ----------
        graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
            Edges of an undirected one lead both ways, as `networkx.pagerank` has it.
        weight : str or None
            The attribute that has the weight; edges without it count 1. None: all count 1.

        Raises
        ------
        InputError
            As in `from_edges`.
        """
        directed = graph if graph.is_directed() else graph.to_directed()
        nodes = list(directed)
        number_of = {node: i for i, node in enumerate(nodes)}
        edges = [
            (number_of[src], number_of[dst], 1.0 if weight is None else value)
            for src, dst, value in directed.edges(data=weight, default=1.0)
        ]
        src, dst, weights = zip(*edges, strict=True) if edges else ((), (), ())
        is_numbered = nodes == list(range(len(nodes)))
        labels = None if is_numbered else nodes
        ends = np.array([src, dst], dtype=np.int64)
        return cls.from_edges(ends[0], ends[1], np.array(weights, float), len(nodes), labels)

    @classmethod
    def from_csv(
        cls,
        path: str | PathLike[str],
        source: str | int = 'source',
        target: str | int = 'target',
        weight: str | int | None = None,
        delimiter: str | None = ',',
        labels: Sequence[Hashable] | NDArray[Any] | str | None = None,
    ) -> 'Graph':
        """Make a graph from a table of edges, one a line; lines that start with ``#`` do not count.

        Parameters
        ----------
        path : path
            The file; one that ends in .gz, .bz2 or .xz is unpacked.
        source, target : str or int
            Columns of the ends: names, which stand in the first line, or numbers from 0 of a table
            without a line of names. Where all entries are integers they are node numbers, unless
            labels are asked for or some of those given are numbers in text; else labels.
        weight : str, int or None
            Column of the weights; None: each edge counts 1.
        delimiter : str or None
            Between columns; None: white space, as in edge lists of SNAP.
        labels : sequence of hashable (n,), 'ends' or None
            As in `from_edges`; with 'ends' labels are the text that stands there.

        Raises
        ------
        InputError
            If a column is not there or a line cannot be read, or as in `from_edges`; the message
            has the file.
        FileNotFoundError
            If there is no such file.
        """
        # Where a label could be taken for a node number, ends are what the labels are: text.
        as_text = isinstance(labels, str) or any(
            isinstance(label, str) and label.strip().lstrip('-').isdecimal()
            for label in (() if labels is None else labels)
        )
        columns = source, target, weight
        src, dst, weights = read_edges(path, columns, delimiter, as_text)
        try:
            return cls.from_edges(src, dst, weights, labels=labels)
        except InputError as error:
            raise InputError(f'{path}: {error}') from None

    @property
    def nnz(self) -> int:
        """Number of distinct edges."""
        return self.dst.size

    @cached_property
    def src(self) -> NDArray[Any]:
        """First end of each edge (nnz,)."""
        return _frozen(np.repeat(np.arange(self.n, dtype=self.dst.dtype), np.diff(self.indptr)))

    @cached_property
    def transposed(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The pattern by incoming edges: order of the edges (nnz,), their src, row pointers."""
        order, indptr = stable_order(self.dst, self.n)
        return _frozen(order), _frozen(self.src[order]), _frozen(indptr)

    def matrix(self, values: NDArray[Any]) -> sp.csr_array:
        """Return `values` (nnz,) as a sparse matrix (n, n), src by dst, sharing them."""
        return sp.csr_array((values, self.dst, self.indptr), shape=(self.n, self.n))

    def transposed_matrix(self, values: NDArray[Any]) -> sp.csr_array:
        """Return `values` (nnz,) as a sparse matrix (n, n), dst by src, row by row."""
        order, src, indptr = self.transposed
        return sp.csr_array((values[order], src, indptr), shape=(self.n, self.n))

    def node(self, label: Hashable) -> int:
        """Return the number of the node with this label.

        A node's own number serves where the graph has no labels, or none that is an integer.

        Raises
        ------
        InputError
            If there is no such node.
        """
        try:
            number = self._number_of.get(label)
        except TypeError:  # a list, say
            raise InputError(f'unknown node {label!r}: a label is hashable') from None
        if number is not None:
            return number
        is_integer = isinstance(label, int | np.integer) and not isinstance(label, bool)
        if is_integer and not self._has_integer_labels and 0 <= label < self.n:  # type: ignore[operator]
            return int(label)  # type: ignore[call-overload,no-any-return]
        what = 'labelled nodes' if self.labels else 'nodes'
        near = get_close_matches(label, self._names, 1) if isinstance(label, str) else []
        hint = f'; is {near[0]!r} meant?' if near else ''
        raise InputError(f'unknown node {label!r}: the graph has {self.n} {what}{hint}')

    def __contains__(self, label: object) -> bool:
        """Return whether a node has this label, or number (see `node`)."""
        try:
            return self.node(label) >= 0  # type: ignore[arg-type]
        except (InputError, TypeError):
            return False

    def edge(self, src: Hashable, dst: Hashable) -> int:
        """Return the place in the pattern of the edge between two nodes, by label or number.

        Raises
        ------
        InputError
            If there is no such node or edge.
        """
        first, last = self.indptr[(i := self.node(src)) : i + 2]
        j = self.node(dst)
        place = int(first + np.searchsorted(self.dst[first:last], j))
        if place == last or self.dst[place] != j:
            raise InputError(f'there is no edge {self.name(i)!r} -> {self.name(j)!r} in the graph')
        return place

    def name(self, number: int) -> Hashable:
        """Return the label of a node, or its number where there are no labels."""
        if not 0 <= number < self.n:
            raise InputError(f'unknown node {number!r}: the nodes are 0 to {self.n - 1}')
        return number if self.labels is None else self.labels[number]

    def edge_name(self, edge: int) -> str:
        """Return an edge as ``src -> dst``, by label where there are labels."""
        return f'{self.name(int(self.src[edge]))!r} -> {self.name(int(self.dst[edge]))!r}'

    @property
    def _names(self) -> list[str]:
        return [label for label in self.labels or () if isinstance(label, str)]

    @cached_property
    def _number_of(self) -> dict[Hashable, int]:
        return {label: i for i, label in enumerate(self.labels or ())}

    @cached_property
    def _has_integer_labels(self) -> bool:
        return any(isinstance(label, int | np.integer) for label in self.labels or ())

    def __deepcopy__(self, memo: dict[int, Any]) -> 'Graph':
        """Itself: a graph never changes, so copies of a component share it."""
        return self

    def __repr__(self) -> str:
        """Its size."""
        return f'Graph(n={self.n}, nnz={self.nnz})'


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _named(number: int, names: tuple[Hashable, ...] | None) -> str:
    return repr(names[number] if names else int(number))
