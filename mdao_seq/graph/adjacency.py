"""Weights of edges from what engineers have: flows, similarities, design structure matrices.

Each kind has a ``graph``, the ``size`` and ``name`` of what it takes, ``weights(values)``, and the
Jacobian of these in entries: ``slopes(values)`` at ``rows``, ``cols``. Real and complex values.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.arrays import as_numbers
from mdao_seq.graph.ends import checked_labels, ends_array
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph

Array = NDArray[Any]
Labels = Sequence[Hashable] | Array | None


class Adjacency(Protocol):
    """What a kind offers; see the module's docstring."""

    graph: Graph
    name: str
    size: int
    rows: Array
    cols: Array

    def weights(self, values: Array) -> Array:
        """Return the weights (nnz,) of the pattern."""

    def slopes(self, values: Array) -> Array:
        """Return their derivatives at (rows, cols)."""


class FlowAdjacency:
    """Signed flows along links: each link is an edge in the direction in which it flows.

    With q the flow from src to dst and s the smoothing, the edge src to dst weighs
    ``(sqrt(q^2 + s^2) + q) / 2`` and the edge back ``(sqrt(q^2 + s^2) - q) / 2``: q and nothing
    where q is large, both s / 2 at zero, and smooth where the flow turns.

    Parameters
    ----------
    src, dst : array_like (links,)
        Ends of each link, by label or number; a positive flow leads from src to dst.
    smoothing : float
        s, in the unit of the flows, above zero.
    n, labels
        As of `Graph.from_edges`.

    Raises
    ------
    InputError
        If the smoothing is not above zero, a link leads to itself, or for what `Graph.from_edges`
        finds wrong.
    """

    name = 'flows'

    def __init__(
        self,
        src: ArrayLike,
        dst: ArrayLike,
        smoothing: float,
        n: int | None = None,
        labels: Labels = None,
    ):
        if not 0 < smoothing < np.inf:
            raise InputError(
                f'smoothing = {smoothing}: must be above zero, in the unit of the flows'
            )
        source, target = ends_array(src), ends_array(dst)
        if source.shape != target.shape:
            raise InputError(
                f'src has shape {source.shape} and dst {target.shape}: both must be (links,)'
            )
        if np.any(own := source == target):
            link = int(np.argmax(own))
            raise InputError(f'link {link} leads from {source[link]!r} to itself')
        self.smoothing = smoothing
        both = np.concatenate([source, target]), np.concatenate([target, source])
        self.graph = Graph.from_edges(*both, n=n, labels=labels)
        self.size = source.size
        self.rows = self.graph.edge_map
        self.cols = np.tile(np.arange(self.size), 2)

    def weights(self, values: Array) -> Array:
        """Return the weights (nnz,) for flows (links,)."""
        values = as_numbers(values, 'flows')
        size = np.sqrt(values**2 + self.smoothing**2)
        # The smaller of both as s^2 / (4 * the larger): what cancels would cost its digits.
        larger = 0.5 * (size + np.where(values.real < 0, -values, values))
        smaller = 0.25 * self.smoothing**2 / larger
        is_back = values.real < 0
        along, back = np.where(is_back, smaller, larger), np.where(is_back, larger, smaller)
        return _summed(self, np.concatenate([along, back]))

    def slopes(self, values: Array) -> Array:
        """Return their derivatives by flow."""
        magnitude = np.where(values.real < 0, -values, values)
        size = np.sqrt(values**2 + self.smoothing**2)
        # 1 - q / size for the smaller weight, without cancelling.
        smaller = 0.5 * self.smoothing**2 / (size * (size + magnitude))
        larger = 1.0 - smaller
        is_back = values.real < 0
        return np.concatenate(
            [np.where(is_back, smaller, larger), -np.where(is_back, larger, smaller)]
        )


class SimilarityAdjacency:
    """Similarities of pairs: each pair above a threshold is joined in both directions.

    With s_ij the similarity, t the threshold and w the smoothing, the edge i to j weighs
    ``w log(1 + exp((s_ij - t) / w))``: s_ij - t well above the threshold, nothing well below.
    The edge back has s_ji.

    Parameters
    ----------
    n : int or None
        Items; None: as many as there are labels.
    threshold : float
        t, dimensionless.
    smoothing : float
        w, dimensionless, above zero.
    labels : sequence of hashable (n,) or None
        As of `Graph.from_edges`.

    Raises
    ------
    InputError
        If the smoothing is not above zero, the threshold not finite, there are fewer than two
        items, or their labels are too few or not distinct.
    """

    name = 'similarities'

    def __init__(
        self,
        n: int | None = None,
        threshold: float = 0.0,
        smoothing: float = 0.01,
        labels: Labels = None,
    ):
        n = len(labels) if n is None and labels is not None else n
        if n is None or n < 2:
            raise InputError(f'n = {n}: there must be at least two items, or their labels')
        if not 0 < smoothing < np.inf:
            raise InputError(f'smoothing = {smoothing}: must be above zero')
        if not np.isfinite(threshold):
            raise InputError(f'threshold = {threshold}: must be finite')
        names = checked_labels(labels)
        if names is not None and len(names) != n:
            raise InputError(f'{len(names)} labels for n={n} items')
        self.threshold, self.smoothing = threshold, smoothing
        pairs = np.flatnonzero(~np.eye(n, dtype=bool))
        self.graph = Graph.from_edges(pairs // n, pairs % n, n=n, labels=names)
        self.size = n * n
        self.rows, self.cols = np.arange(pairs.size), pairs

    def weights(self, values: Array) -> Array:
        """Return the weights (n (n - 1),) for similarities (n * n,), row by row."""
        values = as_numbers(values, 'similarities').ravel()
        above = (values[self.cols] - self.threshold) / self.smoothing
        return self.smoothing * _softplus(above)

    def slopes(self, values: Array) -> Array:
        """Return their derivatives by similarity."""
        above = (values[self.cols] - self.threshold) / self.smoothing
        falls = above.real > 0
        part = np.exp(np.where(falls, -above, above))
        slopes: Array = np.where(falls, 1.0, part) / (1.0 + part)
        return slopes


class DesignStructureAdjacency:
    """The marks of a design structure matrix: an edge from each subsystem to what it depends on.

    A score is then high where much depends on a subsystem, directly or by way of others; with
    ``toward='dependents'`` edges lead the other way, and scores are high where changes arrive.

    Parameters
    ----------
    dsm : array_like or sparse (n, n)
        Strengths of dependence, not negative; entries other than zero (stored ones, of a sparse
        matrix) are the marks. The diagonal does not count.
    labels : sequence of hashable (n,) or None
        Names of the subsystems.
    convention : {'inputs in rows', 'inputs in columns'}
        Whether the mark (i, j) says that i depends on j (IR/FAD), or that j depends on i (IC/FBD).
    toward : {'dependencies', 'dependents'}
        Where edges lead.

    Raises
    ------
    InputError
        If the matrix is not square, has no marks or a negative one, or a name is unknown.
    """

    name = 'marks'

    def __init__(
        self,
        dsm: Any,
        labels: Labels = None,
        convention: str = 'inputs in rows',
        toward: str = 'dependencies',
    ):
        if convention not in ('inputs in rows', 'inputs in columns'):
            raise InputError(
                f"convention = {convention!r}: must be 'inputs in rows' or 'inputs in columns'"
            )
        if toward not in ('dependencies', 'dependents'):
            raise InputError(f"toward = {toward!r}: must be 'dependencies' or 'dependents'")
        entries = sp.coo_array(dsm if sp.issparse(dsm) else as_numbers(dsm, 'dsm'))
        if entries.ndim != 2 or entries.shape[0] != entries.shape[1]:
            raise InputError(f'dsm has shape {entries.shape}: it must be square, (n, n)')
        # The diagonal is blank in some matrices and full in others: it says nothing.
        off = entries.row != entries.col
        i, j, strengths = entries.row[off], entries.col[off], entries.data[off]
        if np.any(bad := ~((strengths >= 0) & np.isfinite(strengths))):
            k = int(np.argmax(bad))
            raise InputError(
                f'dsm[{i[k]}, {j[k]}] = {strengths[k]}: must be finite and not negative'
            )
        marks = Graph.from_edges(i, j, strengths, n=entries.shape[0], labels=labels)
        i, j, strengths = marks.src, marks.dst, marks.weights
        if not i.size:
            raise InputError('dsm has no marks off its diagonal')
        if (convention == 'inputs in rows') != (toward == 'dependencies'):
            i, j = j, i
        pattern = Graph.from_edges(i, j, strengths, n=marks.n)
        self.graph = Graph(
            marks.n, pattern.indptr, pattern.dst, pattern.weights, pattern.edge_map, marks.labels
        )
        self.strengths = strengths
        self.size = strengths.size
        self.rows, self.cols = pattern.edge_map, np.arange(self.size)

    def weights(self, values: Array) -> Array:
        """Return the weights (nnz,) for strengths (marks,), row by row of the matrix."""
        return _summed(self, as_numbers(values, 'marks'))

    def slopes(self, values: Array) -> Array:
        """Return their derivatives by strength: one."""
        return np.ones(self.size, values.dtype)


def _summed(adjacency: Adjacency, values: Array) -> Array:
    weights = np.zeros(adjacency.graph.nnz, values.dtype)
    np.add.at(weights, adjacency.rows, values)
    return weights


def _softplus(x: Array) -> Array:
    """Return log(1 + exp(x)) without overflow."""
    is_large = x.real > 0
    return np.where(is_large, x, 0.0) + np.log1p(np.exp(np.where(is_large, -x, x)))  # type: ignore[no-any-return]
