"""bounds=(lower, upper): no point beyond them, the order kept where the other side has room."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import count_calls, fd_cost, tune_steps
from mdao_seq.differences.declaration import Declaration
from tests.approximation.components import Held


class Root(Held):
    """y1 = x**3, y2 = exp(x), and nothing outside of [0, 3] exists."""

    def compute(self, inputs, outputs):
        assert np.all(inputs['x'].real >= 0.0) and np.all(inputs['x'].real <= 3.0)
        super().compute(inputs, outputs)


def run(declarations, x, kind=Root):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', kind(declarations=declarations, x=list(x)))
    problem.setup()
    problem.run_model()
    return problem, comp


def totals(problem, of):
    return np.diag(problem.compute_totals([f'comp.{of}'], ['comp.x'], return_format='array'))


@pytest.mark.parametrize(
    ('form', 'order', 'error_order'),
    [('forward', 1, 1), ('backward', 2, 2), ('central', 2, 2), ('central', 6, 3)],
)
def test_the_order_is_kept_by_points_of_one_side(form, order, error_order):
    """At both bounds and between them; a central stencil of high order falls to a third order."""
    x = np.array([0.0, 1.5, 3.0])
    errors = []
    for step in (2e-2, 1e-2):
        declared = {'method': 'fd', 'form': form, 'order': order, 'bounds': (0.0, 3.0)}
        problem, comp = run([{'of': 'y2', 'wrt': 'x', 'step': step, **declared}], x)
        with count_calls(problem) as counts:
            errors.append(np.abs(totals(problem, 'y2') - np.exp(x)))
        assert counts.total('comp') == fd_cost(comp).total
        counts.verify()
    rates = np.log2(errors[0] / errors[1])[[0, 2]]
    np.testing.assert_allclose(rates, error_order, atol=0.1)


def test_points_follow_the_input():
    """The plan is that of the present point, and no warning is due: it was asked for."""
    declared = {'of': 'y1', 'wrt': 'x', 'method': 'fd', 'form': 'central', 'step': 1e-2}
    problem, comp = run([declared | {'bounds': (None, 3.0)}], [1.0, 2.0])
    for x in ([1.0, 2.0], [1.0, 3.0], [3.0, 2.995]):
        problem.set_val('comp.x', x)
        problem.run_model()
        np.testing.assert_allclose(totals(problem, 'y1'), 3 * np.square(x), rtol=1e-4)
        assert fd_cost(comp).total == 4
    assert not comp.fd_fallbacks


def test_bounds_of_each_element():
    declared = {'of': 'y1', 'wrt': 'x', 'method': 'fd', 'step': 1e-2}
    problem, comp = run([declared | {'bounds': ([0.0, 0.0], [1.0, 3.0])}], [1.0, 2.0])
    comp.evaluated_at.clear()
    totals(problem, 'y1')
    np.testing.assert_allclose(comp.evaluated_at, [[0.99, 2.0], [1.0, 2.01]])


def test_no_room_names_the_component_the_element_and_the_bounds():
    declared = {'of': 'y1', 'wrt': 'x', 'method': 'fd', 'step': 0.5}
    problem, _ = run([declared | {'bounds': (1.0, 1.2)}], [1.1, 1.1])
    with pytest.raises(
        ValueError, match=r"'comp'.*d\(y1\)/d\(x\).*within the bounds \[1, 1\.2\] at x\[0\] = 1\.1"
    ):
        totals(problem, 'y1')


def test_tuning_keeps_to_them():
    declared = {'of': 'y2', 'wrt': 'x', 'method': 'fd', 'form': 'central', 'bounds': (0.0, 3.0)}
    problem, comp = run([declared], [0.5, 3.0])
    tune_steps(problem, comp, announce=lambda text: None).apply(comp)
    np.testing.assert_allclose(totals(problem, 'y2'), np.exp([0.5, 3.0]), rtol=1e-4)


class NoisyRoot(Root):
    """y2 with a relative noise of 1e-8."""

    rng = np.random.default_rng(3)

    def compute(self, inputs, outputs):
        super().compute(inputs, outputs)
        outputs['y2'] *= 1 + 1e-8 * self.rng.standard_normal(2)


@pytest.mark.parametrize(
    ('form', 'order', 'norm', 'constant'),
    [
        ('forward', 1, 2**0.5, 1 / 2),
        ('central', 2, 6.5**0.5, 1 / 3),
        ('central', 6, 530**0.5 / 6, 1 / 4),
    ],
)
def test_at_a_bound_the_step_is_that_of_the_one_sided_stencil(form, order, norm, constant):
    """Both elements stand at a bound, and the least of (c h**p)**2 + (norm sigma / h)**2 is sought.

    c is that of the one-sided stencil of order p <= 3, times the next derivative of exp.
    """
    declared = {'of': 'y2', 'wrt': 'x', 'method': 'fd', 'form': form, 'order': order}
    steps, least = [], min(order, 3)
    for _ in range(5):
        problem, comp = run([declared | {'bounds': (0.0, 3.0)}], [0.0, 3.0], NoisyRoot)
        said = []
        with count_calls(problem) as counts:
            table = tune_steps(problem, comp, announce=said.append)
        assert counts.total('comp') == table.spent <= table.announced
        steps.append(table['y2', 'x'].step)
        assert table['y2', 'x'].value == pytest.approx(np.linalg.norm(np.exp([0, 3])), rel=1e-5)
        table.apply(comp)
        np.testing.assert_allclose(totals(problem, 'y2'), np.exp([0.0, 3.0]), rtol=1e-3)
        assert not comp.fd_fallbacks
    expected = (norm * 1e-8 / (constant * least**0.5)) ** (1 / (least + 1))
    assert np.median(steps) == pytest.approx(expected, rel=0.5)


def test_a_budget_holds_where_bounds_change_the_stencils():
    """A bug once: forward and central shared a point that at the upper bound neither takes."""
    declared = [
        {'of': 'y1', 'wrt': 'x', 'method': 'fd', 'form': 'forward', 'bounds': (0.0, 3.0)},
        {'of': 'y2', 'wrt': 'x', 'method': 'fd', 'form': 'forward', 'order': 2},
    ]
    for budget in (4, 6):
        problem, comp = run(declared, [3.0, 3.0], NoisyRoot)
        try:
            tune_steps(problem, comp, budget=budget, announce=lambda text: None).apply(comp)
        except ValueError as error:
            assert 'allow as many' in str(error)
            assert budget == 4
        else:
            assert fd_cost(comp).total <= budget


@pytest.mark.parametrize('bounds', [(1.0,), (2.0, 1.0), (np.nan, 1.0), 'ab', 3.0])
def test_bad_bounds_are_refused_where_they_are_declared(bounds):
    with pytest.raises(ValueError, match=r'bounds .* with lower < upper'):
        run([{'of': 'y1', 'wrt': 'x', 'method': 'fd', 'bounds': bounds}], [1.0])


def test_bounds_of_another_size():
    declared = Declaration('y', 'x', bounds=([0.0, 0.0], 1.0))
    with pytest.raises(ValueError, match='not of size 3'):
        declared.stencils(np.ones(3))


def test_an_exact_partial_has_no_bounds():
    with pytest.raises(ValueError, match=r"bounds=.* no meaning for method 'exact'"):
        run([{'of': 'y1', 'wrt': 'x', 'bounds': (0.0, 1.0)}], [1.0])
