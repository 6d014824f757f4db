"""Difference stencils: which points a first derivative needs, and with which weights.

A stencil of points ``o_k`` (in steps) and weights ``w_k`` gives

    f'(x) = sum_k w_k f(x + o_k h) / h + O(h**order).

The weights are not typed in: they solve the moment equations ``sum_k w_k o_k**m = [m == 1]`` in
exact rational arithmetic (Fornberg, Math. Comp. 51, 1988). A new form is a row in `OFFSETS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

OFFSETS: dict[str, tuple[tuple[int, ...], Callable[[int], range]]] = {
    # form: (orders offered, the first is the default; order -> offsets in steps)
    'forward': ((1, 2, 3), lambda order: range(order + 1)),
    'backward': ((1, 2, 3), lambda order: range(0, -order - 1, -1)),
    'central': ((2, 4, 6), lambda order: range(-order // 2, order // 2 + 1)),
}

FORMS = tuple(OFFSETS)


@dataclass(frozen=True)
class Stencil:
    """Points and weights of one first-derivative formula.

    Attributes
    ----------
    offsets : tuple of complex
        Points to evaluate, in steps; purely imaginary for complex step. The base point is not
        among them: its value is known.
    weights : tuple of float
        Weight of each point, to be divided by the step.
    base_weight : float
        Weight of the base point, to be divided by the step.
    order : int
        Order of convergence in the step.
    """

    offsets: tuple[complex, ...]
    weights: tuple[float, ...]
    base_weight: float
    order: int


# Im f(x + ih) / h: one point, second order, no subtraction (Squire and Trapp, SIAM Rev. 40, 1998).
COMPLEX_STEP = Stencil(offsets=(1j,), weights=(1.0,), base_weight=0.0, order=2)


@cache
def stencil(form: str, order: int | None = None) -> Stencil:
    """Return the stencil of a form and order.

    Parameters
    ----------
    form : {'forward', 'backward', 'central'}
        Side on which the points lie.
    order : int or None
        Order of convergence: 1, 2, 3 one-sided, 2, 4, 6 central. None: the lowest.

    Returns
    -------
    Stencil
        Its points and weights.

    Raises
    ------
    ValueError
        For a form or an order that is not offered.
    """
    if form not in OFFSETS:
        raise ValueError(f'form {form!r} is not one of {", ".join(map(repr, FORMS))}')
    orders, offsets_of = OFFSETS[form]
    order = orders[0] if order is None else order
    if order not in orders:
        raise ValueError(f'order {order!r} of form {form!r} is not one of {orders}')
    offsets = list(offsets_of(order))
    weights = dict(zip(offsets, _first_derivative_weights(offsets), strict=True))
    base_weight = weights.pop(0, Fraction(0))
    # The point ahead is evaluated first, as OpenMDAO does.
    points = sorted((o for o in weights if weights[o]), key=lambda o: (abs(o), -o))
    return Stencil(
        offsets=tuple(complex(o) for o in points),
        weights=tuple(float(weights[o]) for o in points),
        base_weight=float(base_weight),
        order=order,
    )


def weights_at(offsets: Sequence[float]) -> tuple[NDArray[np.float64], float]:
    """Return the weights of given points and of the base point, of the highest order they allow.

    Parameters
    ----------
    offsets : sequence of float
        Distinct nonzero offsets, in the units of the input.

    Returns
    -------
    ndarray, shape (len(offsets),)
        Weights of the points, in 1 / units of the input.
    float
        Weight of the base point, likewise.
    """
    # In units of the largest, so that the elimination does not meet tiny powers.
    scale = max(map(abs, offsets))
    base, *weights = _first_derivative_weights(
        [Fraction(0), *(Fraction(o / scale) for o in offsets)]
    )
    return np.array([float(w) for w in weights]) / scale, float(base) / scale


def _first_derivative_weights(offsets: Sequence[Fraction | int]) -> list[Fraction]:
    """Solve the moment equations by Gauss-Jordan elimination over the rationals."""
    n = len(offsets)
    rows = [[Fraction(o) ** m for o in offsets] + [Fraction(m == 1)] for m in range(n)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [entry / rows[i][i] for entry in rows[i]]
        for r in range(n):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]
