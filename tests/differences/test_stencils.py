"""Stencils: known weights, moments, and the order at which each converges."""

import numpy as np
import pytest

from mdao_seq.differences.stencils import COMPLEX_STEP, OFFSETS, stencil

EVERY = [(form, order) for form, (orders, _) in OFFSETS.items() for order in orders]


def test_textbook_weights():
    four = stencil('central', 4)
    weights = dict(zip(four.offsets, four.weights, strict=True))
    assert weights == {1: 2 / 3, -1: -2 / 3, 2: -1 / 12, -2: 1 / 12}
    three = stencil('forward', 2)
    assert (three.base_weight, *three.weights) == (-1.5, 2.0, -0.5)
    assert stencil('forward') == stencil('forward', 1)
    assert stencil('central') == stencil('central', 2)


@pytest.mark.parametrize(('form', 'order'), EVERY)
def test_moments(form, order):
    """Exact on polynomials up to the order, and not beyond it."""
    s = stencil(form, order)
    offsets, weights = np.array(s.offsets).real, np.array(s.weights)
    for power in range(1, order + 1):
        assert weights @ offsets**power == pytest.approx(float(power == 1), abs=1e-13)
    assert s.base_weight + weights.sum() == pytest.approx(0.0, abs=1e-13)
    assert abs(weights @ offsets ** (order + 1)) > 0.1


@pytest.mark.parametrize(('form', 'order'), EVERY)
def test_order_of_convergence(form, order):
    s = stencil(form, order)

    def error(h):
        points = np.exp(0.3 + np.array(s.offsets).real * h)
        slope = (s.weights @ points + s.base_weight * np.exp(0.3)) / h
        return abs(slope - np.exp(0.3))

    assert np.log2(error(0.08) / error(0.04)) == pytest.approx(order, abs=0.15)


def test_complex_step_has_no_subtraction():
    (offset,), (weight,) = COMPLEX_STEP.offsets, COMPLEX_STEP.weights
    assert np.imag(weight * np.exp(0.3 + offset * 1e-40)) / 1e-40 == np.exp(0.3)


@pytest.mark.parametrize(
    ('form', 'order', 'said'),
    [('centered', None, "form 'centered'"), ('central', 3, 'order 3'), ('forward', 4, 'order 4')],
)
def test_unknown(form, order, said):
    with pytest.raises(ValueError, match=said):
        stencil(form, order)
