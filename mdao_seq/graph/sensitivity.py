"""Derivatives of PageRank scores: forward and adjoint products at the price of one solve each.

At the scores pi of a walk (see `Walk` for the symbols), a change of the inputs changes the
equation's right-hand side by

    rhs = da (P^T pi + (d^T pi) u - v) + a dP^T pi + a (d^T pi) du + (1 - a) dv,
    dP_ij = (dw_ij - P_ij sum_k dw_ik) / r_i,    dv = (dp - v sum(dp)) / sum(p),

and the scores by the solution dpi of sum zero of dpi - a (P^T dpi + (d^T dpi) u) = rhs. With lam
from lam - a (P lam + d (u^T lam)) = pi_bar (up to a constant vector, which drops out of all that
follows), the adjoint is

    w_bar_ij = a (pi_i / r_i) (lam_j - (P lam)_i),
    a_bar = lam^T (P^T pi + (d^T pi) u - v),
    v_bar = (1 - a) lam (+ a (d^T pi) lam where u is v),  p_bar = (v_bar - v^T v_bar) / sum(p),

and likewise for a dangling distribution of its own.

Sources: O. Fercoq, M. Akian, M. Bouhtou, S. Gaubert, Ergodic control and polyhedral approaches to
PageRank optimization, IEEE Transactions on Automatic Control 58(1), 2013 (arXiv 1011.2348);
A. Langville and C. Meyer, Google's PageRank and Beyond, 2006.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.distribution import NodeValues
from mdao_seq.graph.edge_gradient import edge_gradient
from mdao_seq.graph.errors import InputError, NotDifferentiable
from mdao_seq.graph.graph import Graph
from mdao_seq.graph.methods import Method
from mdao_seq.graph.pagerank import PageRankResult, check_graph, solve
from mdao_seq.graph.transition import Transition
from mdao_seq.graph.walk import Walk


@dataclass(frozen=True)
class Gradient:
    """What `Sensitivity.vjp` returns: one derivative for each input.

    Attributes
    ----------
    weights : ndarray (nnz,) or None
        By edge, in 1 / unit of the weights; None where it was not asked for, as of the others.
    damping : float or None
        Dimensionless.
    personalization : ndarray (n,) or None
        By node, with respect to the values before they are divided by their sum.
    dangling : ndarray (n,) or None
        Likewise; None also where the dangling nodes follow the personalization.
    """

    weights: NDArray[Any] | None = None
    damping: Any = None
    personalization: NDArray[Any] | None = None
    dangling: NDArray[Any] | None = None


EVERY = ('weights', 'damping', 'personalization', 'dangling')


def linearize(
    graph: Graph,
    damping: complex = 0.85,
    personalization: NodeValues | None = None,
    dangling: NodeValues | None = None,
    tol: float = 1e-14,
    method: str = 'auto',
    weights: ArrayLike | None = None,
    warm_start: ArrayLike | None = None,
    max_iterations: int | None = None,
    allow_zero_rows: bool = False,
) -> 'Sensitivity':
    """Solve for the scores and keep what was prepared, for products with their derivatives.

    Parameters and errors are those of `pagerank`; `tol` is tighter, since the derivatives carry
    the error of the scores on. `allow_zero_rows` is that of `Sensitivity`.
    """
    check_graph(graph)
    # The caller's array may change before the products are asked for.
    own = None if weights is None else np.array(weights)
    walk = Walk(Transition.of(graph, own), damping, personalization, dangling)
    return linearize_walk(walk, tol, method, warm_start, max_iterations, allow_zero_rows)


def linearize_walk(
    walk: Walk,
    tol: float,
    method: str = 'auto',
    warm_start: ArrayLike | None = None,
    max_iterations: int | None = None,
    allow_zero_rows: bool = False,
) -> 'Sensitivity':
    """Return that of a walk; parameters and errors are those of `linearize`."""
    return Sensitivity(walk, *solve(walk, tol, method, warm_start, max_iterations), allow_zero_rows)


class Sensitivity:
    """The scores of a walk and products with their derivatives; made by `linearize`.

    Parameters
    ----------
    walk : Walk
    method : Method
        Prepared for the walk.
    result : PageRankResult
        The scores.
    allow_zero_rows : bool
        Whether edges of a node whose weights are all zero count as constants. They are an error
        otherwise: the scores jump where the first of them gets a weight.

    Attributes
    ----------
    result : PageRankResult
        The scores.
    """

    def __init__(
        self, walk: Walk, method: Method, result: PageRankResult, allow_zero_rows: bool = False
    ):
        self.walk = walk
        self.result = result
        self._method = method
        self._allow_zero_rows = allow_zero_rows

    def jvp(
        self,
        weights: NDArray[Any] | None = None,
        damping: complex | None = None,
        personalization: NDArray[Any] | None = None,
        dangling: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return the change of the scores (n,) for a change of the inputs.

        Parameters
        ----------
        weights : ndarray (nnz,) or None
            Change of each weight; None: none, as for the others.
        damping : float or None
        personalization : ndarray (n,) or None
        dangling : ndarray (n,) or None
            Only where the walk has a dangling distribution of its own.

        Raises
        ------
        InputError
            If `dangling` is given and the dangling nodes follow the personalization.
        NotDifferentiable
            If `weights` change and all edges of a node have weight zero.
        NotConverged
            If the method does not converge.
        """
        walk, pi = self.walk, self.result.scores
        a, passed_on = walk.damping, walk.damping * walk.dangling_mass(pi)
        rhs: NDArray[Any] = np.zeros(walk.graph.n)
        if damping is not None:
            rhs = rhs + damping * self._by_damping
        if weights is not None and np.any(weights):
            rhs = rhs + a * self._weights_change(weights)
        if personalization is not None:
            share = 1.0 - a + (passed_on if walk.u is walk.v else 0.0)
            change = personalization - walk.v * personalization.sum()
            rhs = rhs + share / walk.personalization_sum * change
        if dangling is not None:
            if walk.dangling_sum is None:
                raise InputError('dangling: the walk has none of its own to change')
            change = dangling - walk.u * dangling.sum()
            rhs = rhs + passed_on / walk.dangling_sum * change
        return self._method.forward(rhs)

    def vjp(self, scores_bar: NDArray[Any], wanted: Collection[str] = EVERY) -> Gradient:
        """Return the derivatives of ``scores_bar @ scores`` with respect to the inputs.

        Parameters
        ----------
        scores_bar : ndarray (n,)
        wanted : collection of str
            The inputs that are asked for; the others cost nothing. Weights have no derivative
            where all those of a node are zero, and the other inputs have.

        Raises
        ------
        InputError
            If something else is wanted.
        NotDifferentiable
            If weights are wanted and all edges of a node have weight zero.
        NotConverged
            If the method does not converge.
        """
        if not set(wanted) <= set(EVERY):
            raise InputError(f'wanted = {list(wanted)}: must be some of {list(EVERY)}')
        if 'weights' in wanted:
            self._check_rows()
        walk, pi = self.walk, self.result.scores
        lam, mean = self._method.adjoint(scores_bar)
        a, passed_on = walk.damping, walk.damping * walk.dangling_mass(pi)
        gradient = {}
        if 'weights' in wanted:
            gradient['weights'] = edge_gradient(walk.transition, a * pi, lam, mean)
        if 'damping' in wanted:
            gradient['damping'] = lam @ self._by_damping
        if 'personalization' in wanted:
            share = 1.0 - a + (passed_on if walk.u is walk.v else 0.0)
            gradient['personalization'] = share / walk.personalization_sum * (lam - walk.v @ lam)
        if 'dangling' in wanted and walk.dangling_sum is not None:
            gradient['dangling'] = passed_on / walk.dangling_sum * (lam - walk.u @ lam)
        return Gradient(**gradient)

    @cached_property
    def _by_damping(self) -> NDArray[Any]:
        walk, pi = self.walk, self.result.scores
        per_weight = walk.transition.by_row_sum(pi)
        followed = walk.graph.matrix(walk.transition.weights).T @ per_weight
        return followed + walk.dangling_mass(pi) * walk.u - walk.v

    def _weights_change(self, change: NDArray[Any]) -> NDArray[Any]:
        """Return dP^T pi (n,)."""
        self._check_rows()
        graph, transition = self.walk.graph, self.walk.transition
        per_weight = transition.by_row_sum(self.result.scores)
        of_rows = transition.by_row_sum(graph.matrix(change) @ np.ones(graph.n))
        scattered = graph.matrix(change).T @ per_weight
        return scattered - graph.matrix(transition.weights).T @ (per_weight * of_rows)

    def _check_rows(self) -> None:
        zero_rows = self.walk.transition.zero_rows
        if zero_rows.size and not self._allow_zero_rows:
            raise all_zero(self.walk.graph, zero_rows)


def all_zero(graph: Graph, nodes: NDArray[Any]) -> NotDifferentiable:
    """Return the error that the weights which leave these nodes are all zero."""
    return NotDifferentiable(
        f'all weights that leave node {graph.name(int(nodes[0]))!r} are zero: the scores jump '
        'there, so they have no derivative with respect to these weights; give one of them some '
        'weight, or count them as constants with allow_zero_rows=True'
    )
