"""extrapolate=True: points that others pay for raise the order, at no further evaluation."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import count_calls, fd_cost
from tests.approximation.components import Held, fd

X = np.array([0.3, 1.1])
EXACT = np.exp(X)


def run(form, step, ratio, extrapolate=True):
    declared = [
        fd('y1', ratio * step, form=form),
        fd('y2', step, form=form) | {'extrapolate': extrapolate},
    ]
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Held(declarations=declared, x=list(X)))
    problem.setup()
    problem.run_model()
    with count_calls(problem) as counts:
        totals = problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x'], return_format='array')
    counts.verify()
    assert counts.total('comp') == fd_cost(comp).total
    return comp, np.diag(totals[2:]), fd_cost(comp).total


@pytest.mark.parametrize(
    ('form', 'ratio', 'order'), [('central', 2.0, 4), ('central', 3.7, 4), ('forward', 1.9, 2)]
)
def test_the_order_rises_at_no_further_evaluation(form, ratio, order):
    """Whatever the ratio of the steps; the estimate is never below the error."""
    errors = []
    for step in (4e-2, 2e-2):
        comp, found, total = run(form, step, ratio)
        *_, plain = run(form, step, ratio, extrapolate=False)
        assert total == plain
        errors.append(np.abs(found - EXACT))
        (estimate,) = comp.fd_errors.values()
        assert np.all(np.diag(estimate) >= errors[-1])
        assert np.all(np.diag(estimate) <= 0.2 * EXACT)
    np.testing.assert_allclose(np.log2(errors[0] / errors[1]), order, atol=0.15)


def test_it_is_richardsons_formula():
    comp, found, _ = run('central', 1e-2, 2.0)

    def central(h):
        return EXACT * np.sinh(h) / h

    np.testing.assert_allclose(found, (4 * central(1e-2) - central(2e-2)) / 3, rtol=1e-11)
    (estimate,) = comp.fd_errors.values()
    np.testing.assert_allclose(np.diag(estimate), np.abs(found - central(1e-2)), rtol=1e-6)


def test_nearer_points_are_left_alone():
    """They would bring their noise: the derivative is that of its own step."""
    comp, found, _ = run('central', 1e-2, 1e-4)
    np.testing.assert_allclose(found, EXACT * np.sinh(1e-2) / 1e-2, rtol=1e-10)
    assert not comp.fd_errors


def test_the_table_shows_the_points_as_shared():
    comp, *_ = run('central', 1e-2, 2.0)
    cost = {d.of: c for d, c in fd_cost(comp).by_declaration.items()}
    assert (cost['y1'].owned, cost['y2'].owned) == (4, 4)
    assert (cost['y1'].shared, cost['y2'].shared) == (0, 4)
