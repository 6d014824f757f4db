"""The methods of solving for PageRank: one a file, one a line here.

A method is a class made with ``(walk, tol, max_iterations)``. It has a ``name`` and

- ``scores(start)``: the scores (n,), their residual, the iterations and the passes over the edges;
- ``forward(rhs)``: z (n,) of sum zero with z - a (P^T + u d^T) z = rhs, for rhs of sum zero;
- ``adjoint(rhs)``: lam (n,) with lam - a (P + d u^T) lam = rhs, and P lam, which a method may have
  at hand; rhs and lam are both known up to a constant vector only (what is made of lam does not
  depend on that constant).

It keeps what it prepared for one walk, and can be copied and pickled.
"""

from importlib import import_module
from typing import Any, Protocol

from numpy.typing import NDArray

from mdao_seq.graph.errors import InputError
from mdao_seq.graph.walk import Walk


class Method(Protocol):
    """What a method offers; see the module's docstring."""

    name: str

    def scores(self, start: NDArray[Any] | None) -> tuple[NDArray[Any], float, int, int]:
        """Return the scores, their residual, iterations and passes."""

    def forward(self, rhs: NDArray[Any]) -> NDArray[Any]:
        """Return the change of the scores that a change `rhs` of the equation makes."""

    def adjoint(self, rhs: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the multipliers of the equation, up to a constant, and their means by row."""


# Where each is, so that only the one in use is imported.
METHODS = {
    'power': ('mdao_seq.graph.methods.power', 'Power'),
    'gauss_seidel': ('mdao_seq.graph.methods.gauss_seidel', 'GaussSeidel'),
    'bicgstab': ('mdao_seq.graph.methods.bicgstab', 'BiCGSTAB'),
    'direct': ('mdao_seq.graph.methods.direct', 'Direct'),
}


def make_method(
    name: str, walk: Walk, tol: float, max_iterations: int | None, **settings: Any
) -> Method:
    """Return the method of this name for a walk, with settings that it alone has.

    Raises
    ------
    InputError
        If there is none.
    ImportError
        If it needs numba, which is not installed.
    """
    if name not in METHODS:
        raise InputError(f'method = {name!r}: must be one of {["auto", *METHODS]}')
    module, method = METHODS[name]
    try:
        made: Method = getattr(import_module(module), method)(walk, tol, max_iterations, **settings)
    except ImportError as error:
        raise ImportError(
            f"method={name!r} cannot be loaded ({error}): pip install numba, or take method='auto'"
        ) from error
    return made
