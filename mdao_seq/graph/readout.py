"""Numbers made of scores: those of nodes, sums over groups of nodes, and logarithms of both."""

from collections.abc import Iterable, Mapping, Set
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mdao_seq.graph.distribution import named_node
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph

Array = NDArray[Any]


class Readout:
    """Sums of scores over groups of nodes, side by side, some as natural logarithms.

    Parameters
    ----------
    graph : Graph
        Whose scores.
    of_nodes : sequence of int
        Nodes of the output ``rank``; empty: no such output.
    groups : dict of str to sequence of int
        Nodes of each further output, the sum of their scores.
    with_logs : bool
        Whether each output has another beside it, ``log_`` and its name.

    Attributes
    ----------
    shapes : dict of str to (int,)
        Outputs in their order.
    members : list of sequence of int
        The nodes that each number is about.
    """

    def __init__(
        self, graph: Graph, of_nodes: Array, groups: Mapping[str, Array], with_logs: bool = False
    ):
        self.graph = graph
        sums: dict[str, list[Any]] = {'rank': [[i] for i in of_nodes]} if len(of_nodes) else {}
        if sums and 'rank' in groups:
            raise InputError("groups: 'rank' is the name of the output of of_nodes; rename it")
        sums |= {name: [nodes] for name, nodes in groups.items()}
        members = [nodes for each in sums.values() for nodes in each]
        self.shapes = {name: (len(each),) for name, each in sums.items()}
        if with_logs and (twice := {f'log_{name}' for name in sums} & set(sums)):
            raise InputError(f'groups: {min(twice)!r} is the name of a logarithm, too; rename it')
        indptr = np.cumsum([0, *map(len, members)])
        cols = np.concatenate([np.asarray(nodes, dtype=int) for nodes in members])
        matrix = sp.csr_array((np.ones(cols.size), cols, indptr), shape=(len(members), graph.n))
        self.members = members
        self._logs_from = len(members)
        if with_logs:
            self.shapes |= {f'log_{name}': shape for name, shape in self.shapes.items()}
            matrix, self.members = sp.vstack([matrix, matrix], format='csr'), [*members, *members]
        self._matrix = matrix
        self._transposed = matrix.T.tocsr()

    @property
    def size(self) -> int:
        """Numbers in all outputs."""
        return self._matrix.shape[0]  # type: ignore[no-any-return]

    def values(self, scores: Array) -> Array:
        """Return the numbers (size,).

        Raises
        ------
        InputError
            If a logarithm is asked for of a score that is zero; it names the nodes.
        """
        values = self._matrix @ scores
        logs = values[self._logs_from :]
        if np.any(bad := ~(logs.real > 0.0)):
            nodes = self.members[self._logs_from + int(np.argmax(bad))]
            names = [self.graph.name(int(i)) for i in nodes]
            raise InputError(
                f'the score of {names} is zero, since the walk does not come there: it has no '
                'logarithm; leave log=True out, or personalize nodes from which it is reached'
            )
        values[self._logs_from :] = np.log(logs)
        return values  # type: ignore[no-any-return]

    def change(self, scores: Array, change: Array) -> Array:
        """Return the change of the numbers (size,) for a change of the scores (n,)."""
        changes = self._matrix @ change
        changes[self._logs_from :] /= self._matrix[self._logs_from :] @ scores
        return changes  # type: ignore[no-any-return]

    def sensitivity(self, scores: Array, bar: Array) -> Array:
        """Return the derivatives (n,) of ``bar @ numbers`` with respect to the scores."""
        if self._logs_from < self.size:
            scale = np.ones(self.size, scores.dtype)
            scale[self._logs_from :] = self._matrix[self._logs_from :] @ scores
            bar = bar / scale
        return self._transposed @ bar  # type: ignore[no-any-return]


def nodes_of(graph: Graph, nodes: Any, name: str) -> Array:
    """Return node numbers, by label or number.

    Parameters
    ----------
    graph : Graph
    nodes : node, iterable of nodes, or None
        None: all. A set goes by the numbers of its nodes.
    name : str
        What a message calls them.

    Raises
    ------
    InputError
        If a node is unknown or named twice, or none is named.
    """
    if nodes is None:
        return np.arange(graph.n)
    is_one = isinstance(nodes, str | Integral) or nodes in graph
    given: Iterable[Any] = [nodes] if is_one else nodes
    numbers = np.array([named_node(graph, node, name) for node in given], dtype=int)
    if isinstance(nodes, Set):
        numbers.sort()
    if np.unique(numbers).size != numbers.size or not numbers.size:
        raise InputError(f'{name} must name some nodes, each once')
    return numbers
