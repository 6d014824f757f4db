"""Which edges move a score most: one adjoint solve, as a table and as a drawn graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.distribution import NodeValues
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.pagerank import check_graph
from mdao_seq.graph.readout import nodes_of
from mdao_seq.graph.sensitivity import linearize

Array = NDArray[Any]


@dataclass(frozen=True)
class EdgeReport:
    """The edges of a graph by how much they move a score; made by `edge_report`.

    Attributes
    ----------
    graph : Graph
    of : tuple
        Labels or numbers of the nodes whose scores are added up.
    scores : ndarray (n,)
        Scores of all nodes.
    value : float
        Sum of those of `of`.
    weights : ndarray (nnz,)
        Weights of the edges.
    slopes : ndarray (nnz,)
        d value / d weight, in 1 / unit of the weights.
    """

    graph: Graph
    of: tuple[Any, ...]
    scores: Array
    value: float
    weights: Array
    slopes: Array

    @property
    def elasticities(self) -> Array:
        """Per cent that the score changes by if a weight changes by one per cent (nnz,)."""
        elasticities: Array = self.slopes * self.weights / self.value
        return elasticities

    def top(self, count: int = 10) -> Array:
        """Return the numbers of the edges of the largest elasticity, largest first."""
        return np.argsort(-np.abs(self.elasticities), kind='stable')[:count]

    def table(self, count: int = 10) -> list[tuple[Any, Any, float, float, float]]:
        """Return src, dst, weight, slope and elasticity of these edges."""
        graph = self.graph
        return [
            (
                graph.name(int(graph.src[e])),
                graph.name(int(graph.dst[e])),
                float(self.weights[e]),
                float(self.slopes[e]),
                float(self.elasticities[e]),
            )
            for e in self.top(count)
        ]

    def __str__(self) -> str:
        """Return the ten edges that move the score most, as a table."""
        rows = self.table()
        names = [f'{src!r} -> {dst!r}' for src, dst, *_ in rows]
        width = max(map(len, names), default=4)
        of = ' + '.join(map(repr, self.of[:3])) + (' + …' if len(self.of) > 3 else '')
        lines = [
            f'score of {of}: {self.value:.6g}',
            f'{"edge":{width}}  {"weight":>10}  {"slope":>10}  % per %',
        ]
        for name, (*_, weight, slope, elasticity) in zip(names, rows, strict=True):
            lines.append(f'{name:{width}}  {weight:10.4g}  {slope:+10.3e}  {elasticity:+7.3f}')
        return '\n'.join(lines)

    def plot(self, ax: Any = None, count: int = 10, max_nodes: int = 40, seed: int = 0) -> Any:
        """Draw the graph: nodes as large as their scores, edges coloured by elasticity.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None
            Where to draw; None: a new figure.
        count : int
            Edges of the largest elasticity, which are coloured.
        max_nodes : int
            Of a larger graph, only the nodes of these edges and those of `of` are drawn, and then
            the highest scores, up to this number.
        seed : int
            Of the layout of more than 60 nodes.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If `max_nodes` is below one.
        ImportError
            Without matplotlib and NetworkX (``pip install matplotlib networkx``).
        """
        from mdao_seq.reports.graph_picture import draw_report

        return draw_report(self, ax, count, max_nodes, seed)


def edge_report(
    graph: Graph,
    of: Any,
    damping: float = 0.85,
    personalization: NodeValues | None = None,
    dangling: NodeValues | None = None,
    weights: ArrayLike | None = None,
    tol: float = 1e-12,
    method: str = 'auto',
    allow_zero_rows: bool = False,
) -> EdgeReport:
    """Find which edges move the score of a node, or of a group of nodes, most.

    Parameters
    ----------
    graph : Graph
    of : node or iterable of nodes
        By label or number.
    damping, personalization, dangling, weights, tol, method
        As of `pagerank`.
    allow_zero_rows : bool
        Whether edges of a node whose weights are all zero count as constants.

    Returns
    -------
    EdgeReport
        Print it, or `EdgeReport.plot` it.

    Raises
    ------
    InputError
        If a node is unknown or a value is out of range.
    NotConverged
        If a solve stays above `tol`.
    NotDifferentiable
        If all weights that leave a node are zero, without `allow_zero_rows`.
    """
    check_graph(graph)
    if of is None:
        raise InputError('of = None: name the node or the nodes whose score it is about')
    nodes = nodes_of(graph, of, 'of')
    at = linearize(
        graph,
        damping,
        personalization,
        dangling,
        tol,
        method,
        weights,
        allow_zero_rows=allow_zero_rows,
    )
    bar = np.zeros(graph.n)
    bar[nodes] = 1.0
    value = float(bar @ at.result.scores)
    if not value > 0.0:
        raise InputError(f'the score of {[graph.name(int(i)) for i in nodes]} is zero')
    slopes = at.vjp(bar, ['weights']).weights
    assert slopes is not None
    own = at.walk.transition.weights
    names = tuple(graph.name(int(i)) for i in nodes)
    return EdgeReport(graph, names, at.result.scores, value, own, slopes)
