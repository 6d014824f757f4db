"""Edges that share a variable."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph

Array = NDArray[Any]


class EdgeGroups:
    """Weights of edges from one factor for each group: the graph's weight times the factor.

    Parameters
    ----------
    graph : Graph
        The pattern, whose weights are multiplied.
    groups : dict, or array_like of int (nnz,)
        A dict has, by the name of each group, its edges: numbers in the pattern, or pairs of nodes
        by label or number. An array has the group of each edge, from 0; -1 for none. The weight of
        an edge in no group is the graph's.

    Attributes
    ----------
    names : tuple
        Of the groups, in the order of the factors.
    group : ndarray of int (nnz,)
        Number of the group of each edge, -1 for none.

    Raises
    ------
    InputError
        If an edge is unknown or in two groups, or a group has no edges.
    """

    def __init__(self, graph: Graph, groups: Mapping[str, Any] | ArrayLike):
        if isinstance(groups, Mapping):
            group = np.full(graph.nnz, -1)
            self.names: tuple[Any, ...] = tuple(groups)
            for number, (name, edges) in enumerate(groups.items()):
                for edge in edges:
                    e = _edge_number(graph, edge, name)
                    if group[e] >= 0:
                        raise InputError(
                            f'edge_groups: edge {e} ({graph.edge_name(e)}) is in '
                            f'{self.names[group[e]]!r} and again in {name!r}'
                        )
                    group[e] = number
        else:
            group = np.asarray(groups)
            if group.shape != (graph.nnz,) or group.dtype.kind not in 'iu' or group.min() < -1:
                raise InputError(
                    f'edge_groups has shape {group.shape} and type {group.dtype}: it must be a '
                    f'dict, or integers of at least -1, one for each of the {graph.nnz} edges'
                )
            self.names = tuple(range(int(group.max()) + 1))
        if not self.names:
            raise InputError('edge_groups is empty: leave it out where no edges share a variable')
        sizes = np.bincount(group[group >= 0], minlength=len(self.names))
        if np.any(sizes == 0):
            empty = self.names[int(np.argmin(sizes))]
            raise InputError(f'edge_groups: there are no edges in {empty!r}')
        self.group = group
        edges = np.flatnonzero(group >= 0)
        entries = graph.weights[edges], (edges, group[edges])
        self._matrix = sp.csr_array(entries, shape=(graph.nnz, len(self.names)))
        self._fixed = np.where(group < 0, graph.weights, 0.0)

    def weights(self, factors: Array) -> Array:
        """Return the weights (nnz,) for these factors (groups,).

        Raises
        ------
        InputError
            If a factor is negative or not finite.
        """
        if np.any(bad := ~((np.real(factors) >= 0) & np.isfinite(factors))):
            k = int(np.argmax(bad))
            raise InputError(
                f'factor {k} = {factors[k]} (of the edge group {self.names[k]!r}): must be finite '
                'and not negative'
            )
        return self.change(factors) + self._fixed

    def change(self, factors: Array) -> Array:
        """Return the change of the weights (nnz,) for a change of the factors (groups,)."""
        return self._matrix @ factors  # type: ignore[no-any-return]

    def sensitivity(self, bar: Array) -> Array:
        """Return derivatives by factor (groups,) from those by weight (nnz,)."""
        return self._matrix.T @ bar  # type: ignore[no-any-return]


def _edge_number(graph: Graph, edge: Any, name: Any) -> int:
    if isinstance(edge, int | np.integer):
        if not 0 <= edge < graph.nnz:
            raise InputError(f'edge_groups: there is no edge {edge}; the graph has {graph.nnz}')
        return int(edge)
    if not isinstance(edge, tuple | list | np.ndarray) or len(edge) != 2:
        raise InputError(
            f'edge_groups[{name!r}] has {edge!r}: an edge is its number, or a pair (src, dst)'
        )
    try:
        return graph.edge(*edge)
    except InputError as error:
        raise InputError(f'edge_groups[{name!r}]: {error}') from None
