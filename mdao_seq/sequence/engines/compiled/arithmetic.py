"""What the time loops of all cells are made of: tanh and products with a matrix.

Written so that the compiler vectorises them. Compiled loops hold copies of these: numba does not
notice a change here, so touch the loops' files after one.
"""

import math
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from mdao_seq._compiling import inlined

# Lanes from which on BLAS is faster than the loops below.
_LANES_FOR_BLAS = 4

_LOG2E = 1.0 / math.log(2.0)
# ln 2 in two parts: the product of an exponent with the first is exact (Cody and Waite, 1980).
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# Added to a float, its lowest bits are the nearest integer.
_ROUNDING = 1.5 * 2.0**52
_BIAS, _MANTISSA = np.int64(1023), np.int64(52)
# expm1(r) = 2 r P(r^2) / (Q(r^2) - r P(r^2)) for |r| <= ln(2) / 2 (Moshier, Cephes, exp.c).
_P0, _P1, _P2 = 1.2617719307481059087798e-4, 3.0299440770744196129956e-2, 1.0
_Q0, _Q1 = 3.0019850513866445504159e-6, 2.5244834034968410419224e-3
_Q2, _Q3 = 2.2726554820815502876593e-1, 2.0
# tanh(x) is 1 to the last bit beyond half of this.
_LARGEST = 40.0


def _bitcast(given: Any, result: Any) -> Any:
    """Return the signature and the code by which numba takes the same bits for another type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(result))

    return result(given), generate


def _bits_of(typing_context: Any, number: Any) -> Any:
    return _bitcast(types.float64, types.int64)


def _float_of(typing_context: Any, number: Any) -> Any:
    return _bitcast(types.int64, types.float64)


_bits: Any = intrinsic(_bits_of)
_from_bits: Any = intrinsic(_float_of)


@inlined
def tanh(x: Any) -> Any:
    """Return tanh(x) = e / (e + 2) with e = expm1(2x), to 1e-15 relative."""
    y = min(max(2.0 * x, -_LARGEST), _LARGEST)
    rounded = y * _LOG2E + _ROUNDING
    exponent = rounded - _ROUNDING
    r = y - exponent * _LN2_HIGH
    r = r - exponent * _LN2_LOW
    power = _from_bits((_bits(rounded) + _BIAS) << _MANTISSA)
    square = r * r
    p = r * ((_P0 * square + _P1) * square + _P2)
    q = ((_Q0 * square + _Q1) * square + _Q2) * square + _Q3
    # Both halves of e carry the denominator q - p, so that there is one division in all.
    denominator = q - p
    e = power * (p + p) + (power - 1.0) * denominator
    return e / (e + (denominator + denominator))


@inlined
def sigmoid(x: Any) -> Any:
    """Return the logistic function."""
    return 0.5 * tanh(0.5 * x) + 0.5


@inlined
def set_product(out: Any, x: Any, t: Any, matrix: Any) -> None:
    """Set `out` (lanes, n) to `x[t]` (lanes, m) times `matrix` (m, n), all contiguous.

    Entries are indexed one by one here and in the loops: a view of an array inside a loop costs as
    much as some ten of them.
    """
    lanes, width = out.shape
    size = matrix.shape[0]
    if lanes >= _LANES_FOR_BLAS:
        np.dot(x[t], matrix, out)
        return
    by_four = size - size % 4
    for lane in range(lanes):
        for j in range(width):
            out[lane, j] = 0.0
        for k in range(0, by_four, 4):
            x0, x1, x2, x3 = x[t, lane, k], x[t, lane, k + 1], x[t, lane, k + 2], x[t, lane, k + 3]
            for j in range(width):
                out[lane, j] += (
                    x0 * matrix[k, j]
                    + x1 * matrix[k + 1, j]
                    + x2 * matrix[k + 2, j]
                    + x3 * matrix[k + 3, j]
                )
        for k in range(by_four, size):
            x0 = x[t, lane, k]
            for j in range(width):
                out[lane, j] += x0 * matrix[k, j]


@inlined
def pull_through(h_bar: Any, product_bar: Any, t: Any, matrix: Any, direct: Any) -> None:
    """Set `h_bar` to the sensitivities through the product with the state, and beside it."""
    set_product(h_bar, product_bar, t, matrix)
    for lane in range(h_bar.shape[0]):
        for j in range(h_bar.shape[1]):
            h_bar[lane, j] += direct[lane, j]
