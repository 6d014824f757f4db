"""PageRank of a graph in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.distribution import NodeValues, node_values
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.methods import Method, make_method
from mdao_seq.graph.methods.automatic import Automatic
from mdao_seq.graph.together import WORTH_SHARING, scores_together
from mdao_seq.graph.transition import Transition
from mdao_seq.graph.walk import Walk

# Rounding in one step of the walk alone leaves about this much in the 1-norm.
SMALLEST_TOL = 4 * float(np.finfo(float).eps)


def finest_tol(graph: Graph) -> float:
    """Return a tolerance that every method reaches on a graph, next to rounding.

    1e-14, or an eighth of epsilon for each edge into the node that has most: what they bring is
    added up one after the other (measured on stars of 1000 to 200 000 nodes, the worst case).
    """
    return graph.kept(_finest_tol)


def _finest_tol(graph: Graph) -> float:
    most = int(np.bincount(graph.dst, minlength=1).max())
    return max(1e-14, 0.125 * float(np.finfo(float).eps) * most)


@dataclass(frozen=True)
class PageRankResult:
    """Scores and how they were come by.

    Attributes
    ----------
    scores : ndarray (n,)
        Dimensionless, of sum 1; (k, n) for k personalizations.
    residual : float
        1-norm of ``a (P^T x + (d^T x) u) + (1 - a) v - x`` at the scores x, computed; at most tol.
        The largest, of several.
    iterations : int
        Iterations; for the direct method the refinements that followed it.
    passes : int
        Passes over the edges.
    method : str
        The method that was run.
    reason : str
        Why that one.
    """

    scores: NDArray[Any]
    residual: float
    iterations: int
    passes: int
    method: str
    reason: str


def pagerank(
    graph: Graph,
    damping: complex = 0.85,
    personalization: NodeValues | Sequence[NodeValues] | None = None,
    dangling: NodeValues | None = None,
    tol: float = 1e-10,
    method: str = 'auto',
    weights: ArrayLike | None = None,
    warm_start: ArrayLike | None = None,
    max_iterations: int | None = None,
) -> PageRankResult:
    """Return the PageRank scores of a graph, as NetworkX defines them.

    Parameters
    ----------
    graph : Graph
        The pattern, prepared once.
    damping : float
        Probability of following an edge, in [0, 1).
    personalization : dict, array_like (n,) or (k, n), list of dict, or None
        Where the walk starts anew, by node or label or as an array; used divided by its sum. None:
        every node alike. Eight or more share each pass over the edges.
    dangling : dict, array_like (n,) or None
        Where nodes without outgoing weight pass their mass to; None: as `personalization`.
    tol : float
        Largest 1-norm of the residual.
    method : str
        'auto', 'gauss_seidel' (needs numba), 'power', 'bicgstab' or 'direct' (see
        `mdao_seq.graph.methods`).
    weights : array_like (nnz,) or None
        Weights of the edges in the order of the pattern; None: the graph's own.
    warm_start : array_like (n,) or (k, n), or None
        Scores to start iterating from; 'direct' has no use for them.
    max_iterations : int or None
        None: as many as the contraction by the damping may need, at most 10 000.

    Returns
    -------
    PageRankResult

    Raises
    ------
    InputError
        If a value is out of range; the message names it.
    NotConverged
        If the residual stayed above `tol`; the error says how far it came.

    Notes
    -----
    Complex weights, damping or personalization (a complex step, however small) go through the
    whole solve. Sources: Langville and Meyer, Google's PageRank and Beyond (2006); conventions of
    `networkx.pagerank`.
    """
    check_graph(graph)
    transition = Transition.of(graph, weights)
    if not _are_several(personalization):
        walk = Walk(transition, damping, cast(NodeValues | None, personalization), dangling)
        return solve(walk, tol, method, warm_start, max_iterations)[1]
    several = cast(Sequence[NodeValues], personalization)
    walks = [Walk(transition, damping, each, dangling) for each in several]
    return _solve_several(walks, tol, method, warm_start, max_iterations)


def check_graph(graph: object) -> None:
    """Say what to do with a graph of another library."""
    if not isinstance(graph, Graph):
        raise InputError(
            f'graph is a {type(graph).__module__}.{type(graph).__name__}, not a mdao_seq.Graph; '
            'make one with Graph.from_edges, from_scipy, from_networkx or from_csv'
        )


def _are_several(personalization: Any) -> bool:
    if personalization is None or isinstance(personalization, Mapping):
        return False
    if isinstance(personalization, list | tuple) and personalization:
        return isinstance(personalization[0], Mapping) or np.ndim(personalization) == 2
    return np.ndim(personalization) == 2


def _solve_several(
    walks: list[Walk],
    tol: float,
    method: str,
    warm_start: ArrayLike | None,
    max_iterations: int | None,
) -> PageRankResult:
    if not walks:
        raise InputError('personalization has shape (0, n): at least one is needed')
    _check(tol, max_iterations)
    starts = None if warm_start is None else _starts(walks, np.asarray(warm_start))
    found = None
    if len(walks) >= WORTH_SHARING:
        found = scores_together(walks, starts, tol, method, max_iterations)
    if found is not None:
        return PageRankResult(*found, f'{len(walks)} personalizations share the passes')
    each_start = [None] * len(walks) if starts is None else starts
    results = [
        solve(walk, tol, method, start, max_iterations)[1]
        for walk, start in zip(walks, each_start, strict=True)
    ]
    return PageRankResult(
        np.array([result.scores for result in results]),
        max(result.residual for result in results),
        max(result.iterations for result in results),
        sum(result.passes for result in results),
        results[0].method,
        f'one by one; {results[0].reason}',
    )


def _starts(walks: list[Walk], given: NDArray[Any]) -> NDArray[Any]:
    given = given if given.ndim == 2 else np.array([given] * len(walks))
    if len(given) != len(walks):
        raise InputError(
            f'warm_start has shape {given.shape}, but there are {len(walks)} personalizations'
        )
    return np.array([node_values(walks[0].graph, each, 'warm_start').real for each in given])


def solve(
    walk: Walk,
    tol: float,
    method: str = 'auto',
    warm_start: ArrayLike | None = None,
    max_iterations: int | None = None,
) -> tuple[Method, PageRankResult]:
    """Return the prepared method, for further solves on the same walk, and its result.

    Parameters and errors are those of `pagerank`.
    """
    _check(tol, max_iterations)
    start = None if warm_start is None else node_values(walk.graph, warm_start, 'warm_start').real
    solver: Method
    if method == 'auto':
        solver = Automatic(walk, tol, max_iterations)
    else:
        solver = make_method(method, walk, tol, max_iterations)
    found = solver.scores(start)
    return solver, PageRankResult(*found, solver.name, getattr(solver, 'reason', 'asked for'))


def _check(tol: float, max_iterations: int | None) -> None:
    if not tol >= SMALLEST_TOL:
        raise InputError(
            f'tol = {tol}: below what float64 can give; rounding alone leaves about '
            f'{SMALLEST_TOL:.1e}'
        )
    if max_iterations is not None and max_iterations < 1:
        raise InputError(f'max_iterations = {max_iterations}: must be at least 1')
