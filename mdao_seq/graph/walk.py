"""The random walk whose stationary distribution PageRank is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.arrays import as_number
from mdao_seq.graph.distribution import NodeValues, node_values
from mdao_seq.graph.errors import InputError
from mdao_seq.graph.transition import Transition


class Walk:
    """Follow an edge with probability a, jump otherwise; NetworkX's conventions.

    With P the transition matrix, d marking dangling nodes, v = p / sum(p) the personalization and
    u the distribution that dangling nodes pass their mass to (v unless given), the scores pi are

        pi = a (P^T pi + (d^T pi) u) + (1 - a) v,    sum(pi) = 1.

    Parameters
    ----------
    transition : Transition
    damping : float or complex
        a, in [0, 1).
    personalization : dict, array_like (n,) or None
        p; None: the same for every node.
    dangling : dict, array_like (n,) or None
        u, up to a factor; None: v.

    Attributes
    ----------
    graph : Graph
        The pattern that is walked.

    Raises
    ------
    InputError
        If damping is outside [0, 1), or for what `node_values` finds wrong.
    """

    def __init__(
        self,
        transition: Transition,
        damping: complex,
        personalization: NodeValues | None = None,
        dangling: NodeValues | None = None,
    ):
        damping = as_number(damping, 'damping')
        if not (0 <= np.real(damping) < 1 and np.isfinite(damping)):
            raise InputError(f'damping = {damping}: must be in [0, 1)')
        self.graph = graph = transition.graph
        self.transition = transition
        self.damping = damping
        p = np.ones(graph.n) if personalization is None else personalization
        p = node_values(graph, p, 'personalization')
        self.personalization_sum = p.sum()
        self.v = p / self.personalization_sum
        self.u, self.dangling_sum = self.v, None
        if dangling is not None:
            g = node_values(graph, dangling, 'dangling')
            self.dangling_sum = g.sum()
            self.u = g / self.dangling_sum

    @property
    def is_complex(self) -> bool:
        """Whether a complex step is under way."""
        given = self.transition.weights, self.damping, self.v, self.u
        return any(np.iscomplexobj(each) for each in given)

    @property
    def imaginary_size(self) -> float:
        """How far a complex step moved the inputs, relative to them."""
        return (
            self.transition.imaginary_size
            + abs(np.imag(self.damping))
            + float(np.abs(self.v.imag).sum() + np.abs(self.u.imag).sum())
        )

    def dangling_mass(self, x: NDArray[Any]) -> Any:
        """Return d^T x."""
        return x[self.transition.dangling].sum()

    def follow(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return P^T x + (d^T x) u (n,); the sum of x is kept."""
        return self.transition.matvec(x) + self.dangling_mass(x) * self.u

    def follow_transposed(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return P y + d (u^T y) (n,); a constant vector is kept."""
        result = self.transition.rmatvec(y)
        result[self.transition.dangling] += self.u @ y
        return result

    def unscaled(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return x, with x - a P^T x = v, that these scores are x / sum(x) of; u is v.

        The sum of the equation is ``(1 - a) sum(x) + a d^T x = 1``.
        """
        pi = scores / scores.sum()
        unscaled: NDArray[Any] = pi / (1.0 - self.damping + self.damping * self.dangling_mass(pi))
        return unscaled

    def step(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return where x (n,), of sum 1, is after one step of the walk."""
        return self.damping * self.follow(x) + (1.0 - self.damping) * self.v

    def residual(self, scores: NDArray[Any]) -> float:
        """Return the 1-norm of ``step(scores) - scores``; one pass over the edges."""
        return float(np.abs(self.step(scores) - scores).sum())
