"""Where the surfer lands: a nonnegative vector over the nodes, given by node or as an array."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.arrays import as_numbers
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph

NodeValues = Mapping[Hashable, float] | ArrayLike


def named_node(graph: Graph, label: Hashable, name: str) -> int:
    """Return a node's number; an error says what it was asked for, by `name`."""
    try:
        return graph.node(label)
    except (InputError, TypeError) as error:
        raise InputError(f'{name}: {error}') from None


def node_values(graph: Graph, values: NodeValues, name: str) -> NDArray[Any]:
    """Return values over the nodes as an array, checked.

    Parameters
    ----------
    graph : Graph
    values : dict or array_like (n,)
        Dimensionless and not negative, of any positive sum. A dict goes by node label (or number,
        see `Graph.node`); nodes that it leaves out get zero, as in NetworkX.
    name : str
        What the message calls them.

    Returns
    -------
    ndarray (n,)
        The values as they are (not divided by their sum), float or complex.

    Raises
    ------
    InputError
        If the shape is wrong, a node is unknown, a value is negative or not finite, or all are
        zero.
    """
    if isinstance(values, Mapping):
        given = as_numbers(list(values.values()), name)
        array = np.zeros(graph.n, given.dtype)
        array[[named_node(graph, label, name) for label in values]] = given
    else:
        array = as_numbers(values, name)
    if array.shape != (graph.n,):
        raise InputError(
            f'{name} has shape {array.shape}, but the graph has {graph.n} nodes: ({graph.n},)'
        )
    if np.any(bad := ~((array.real >= 0) & np.isfinite(array))):
        i = int(np.argmax(bad))
        raise InputError(
            f'{name}[{i}] = {array[i]} (node {graph.name(i)!r}): must be finite and not negative'
        )
    total = array.sum().real
    if not 0 < total < np.inf:
        raise InputError(f'{name} sums to {total}: a finite sum above zero is needed')
    return array
