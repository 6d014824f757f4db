"""The methods of solving for PageRank: one a file, one a line here.

A method is a class made with ``(walk, tol, max_iterations)``. It has a ``name`` and

- ``scores(start)``: the scores (n,), their residual, the iterations and the passes over the edges;
- ``forward(rhs)``: z (n,) of sum zero with z - a (P^T + u d^T) z = rhs, for rhs of sum zero;
- ``adjoint(rhs)``: lam (n,) with lam - a (P + d u^T) lam = rhs, where rhs and lam are both known
  up to a constant vector only (what is made of lam does not depend on that constant).

It keeps what it prepared for one walk, and can be copied and pickled.
"""

from typing import Any, Protocol

from numpy.typing import NDArray

from mdao_seq.graph.methods.direct import Direct
from mdao_seq.graph.methods.power import Power


class Method(Protocol):
    """What a method offers; see the module's docstring."""

    name: str

    def scores(self, start: NDArray[Any] | None) -> tuple[NDArray[Any], float, int, int]:
        """Return the scores, their residual, iterations and passes."""

    def forward(self, rhs: NDArray[Any]) -> NDArray[Any]:
        """Return the change of the scores that a change `rhs` of the equation makes."""

    def adjoint(self, rhs: NDArray[Any]) -> NDArray[Any]:
        """Return the multipliers of the equation, up to a constant."""


METHODS = {method.name: method for method in (Power, Direct)}
