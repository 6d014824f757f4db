"""Failure survived: a point that fails, or gives no number, does not end the differentiation."""

import warnings

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, count_calls, fd_cost
from mdao_seq.differences.stencils import weights_at
from tests.approximation.components import Held, HeldBanded, fd, problem_of
from tests.derivative_checks import partials_of

X = 1.3


class Fails(Held):
    """Fails above a limit: by AnalysisError, or by NaN in y2 alone."""

    def initialize(self):
        super().initialize()
        self.options.declare('limit', default=1.305)
        self.options.declare('raises', default=True)

    def compute(self, inputs, outputs):
        super().compute(inputs, outputs)
        if inputs['x'].real > self.options['limit']:
            if self.options['raises']:
                raise om.AnalysisError('no convergence')
            outputs['y2'] = np.nan


def test_a_central_difference_becomes_one_sided():
    comp = Fails(declarations=[fd('y1', 0.01), fd('y2', 0.004)])
    problem = problem_of(comp)
    with pytest.warns(
        om.DerivativesWarning, match=r'd\(y1\)/d\(x\).*x\[0\] \+0\.01 it failed.*no conv'
    ):
        partials = partials_of(problem)
    assert partials['y1', 'x'] == pytest.approx((X**3 - 1.29**3) / 0.01, rel=1e-12)
    assert partials['y2', 'x'] == pytest.approx(np.exp(X) * np.sinh(0.004) / 0.004, rel=1e-9)
    assert {d.of: n for d, n in comp.fd_fallbacks.items()} == {'y1': 1}


def test_it_warns_once_and_counts_on():
    comp = Fails(declarations=[fd('y1', 0.01)])
    problem = problem_of(comp)
    with pytest.warns(om.DerivativesWarning):
        problem.model.run_linearize()
    with warnings.catch_warnings():
        warnings.simplefilter('error', om.DerivativesWarning)
        problem.model.run_linearize()
    assert list(comp.fd_fallbacks.values()) == [2]


def test_nan_is_a_failure_of_its_own_output_only():
    comp = Fails(declarations=[fd('y1', 0.01), fd('y2', 0.01)], raises=False)
    problem = problem_of(comp)
    with pytest.warns(om.DerivativesWarning, match=r'd\(y2\)'):
        partials = partials_of(problem)
    assert partials['y1', 'x'] == pytest.approx(3 * X**2 + 1e-4, rel=1e-12)
    assert partials['y2', 'x'] == pytest.approx((np.exp(X) - np.exp(1.29)) / 0.01, rel=1e-12)


def test_the_points_that_worked_keep_what_order_they_can():
    """Of central order 4 with its outermost point lost, three points and the base remain."""
    comp = Fails(declarations=[fd('y2', 0.1, order=4)], limit=X + 0.15)
    with pytest.warns(om.DerivativesWarning):
        value = partials_of(problem_of(comp))['y2', 'x'].item()
    assert abs(value - np.exp(X)) < 1e-3 < abs((np.exp(X) - np.exp(X - 0.1)) / 0.1 - np.exp(X))


def test_no_point_left_names_the_declaration_and_the_point():
    comp = Fails(declarations=[fd('y1', 0.01, form='forward'), fd('y2', 0.001)])
    problem = problem_of(comp)
    expected = r"'comp'.*d\(y1\)/d\(x\) forward.*no point is left.*x\[0\] \+0\.01.*no convergence"
    with pytest.raises(om.AnalysisError, match=expected):
        problem.model.run_linearize()
    assert problem.get_val('comp.x') == X


def test_a_nan_input_is_named():
    comp = Held(declarations=[fd('y1', 0.01)])
    problem = problem_of(comp)
    problem.set_val('comp.x', np.nan)
    problem.run_model()
    with pytest.raises(om.AnalysisError, match=r'y1 is not finite .*the input x\[0\] is nan'):
        problem.model.run_linearize()


def test_failures_are_evaluations_and_are_counted_as_planned():
    comp = Fails(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = problem_of(comp)
    with count_calls(problem) as counts, pytest.warns(om.DerivativesWarning):
        problem.model.run_linearize()
    assert counts.total('comp') == comp.calls == fd_cost(comp).total
    counts.verify()


def test_a_colored_lane_falls_back_as_one():
    """The point that fails is shared by the columns of its color; each keeps its own step."""

    class FailsBanded(HeldBanded):
        limit = np.inf

        def compute(self, inputs, outputs):
            super().compute(inputs, outputs)
            if inputs['z'][3] > self.limit:
                raise om.AnalysisError('no convergence')

    comp = FailsBanded(declarations=[fd('y2', 0.05, wrt='z')], coloring={'wrt': 'z'})
    problem = problem_of(comp)
    problem.model.run_linearize()
    z = problem.get_val('comp.z')
    comp.limit = z[3] + 0.01
    with pytest.warns(om.DerivativesWarning, match=r'z\[3\].*no convergence'):
        partials = partials_of(problem)
    backward = (np.exp(z) - np.exp(z - 0.05)) / 0.05
    # Two points of y2, and the forward point that the coloring declares for y1.
    assert fd_cost(comp).total == 3
    np.testing.assert_allclose(partials['y2', 'z'], np.diag(backward), atol=1e-12)


def test_weights_of_any_points():
    offsets = [0.3, -0.1, 0.25]
    weights, base = weights_at(offsets)
    for power, moment in enumerate([0.0, 1.0, 0.0, 0.0]):
        total = weights @ np.array(offsets) ** power + base * 0.0**power
        assert total == pytest.approx(moment, abs=1e-12)


def test_an_output_that_is_not_finite_at_the_base_point_is_named():
    """A bug once: the message blamed the points, which worked."""

    class Nan(PerOutputFD, om.ExplicitComponent):
        def setup(self):
            self.add_input('x', 1.0)
            self.add_output('y')
            self.declare_partials('y', 'x', method='fd', step=0.1, form='central')

        def compute(self, inputs, outputs):
            outputs['y'] = np.nan if inputs['x'] == 1.0 else inputs['x']

    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Nan())
    problem.setup()
    problem.run_model()
    with pytest.raises(om.AnalysisError, match='y is not finite at the present inputs'):
        problem.compute_totals(['comp.y'], ['comp.x'])


class Root(PerOutputFD, om.ExplicitComponent):
    """A root that is no number below zero."""

    def setup(self):
        self.add_input('x', 0.1)
        self.add_input('z', 1.0)
        self.add_output('y')
        self.declare_partials('y', 'x', method='fd', step=0.2, form='central')
        self.declare_partials('y', 'z', method='fd', step=0.2, form='central')

    def compute(self, inputs, outputs):
        if inputs['z'] > 1.1:
            raise om.AnalysisError('too large')
        with np.errstate(invalid='ignore'):
            outputs['y'] = np.sqrt(inputs['x']) + inputs['z']


def test_the_last_point_of_an_element_may_fail_as_any():
    """A bug once: it was taken for the present point, which was blamed."""
    problem = problem_of(Root())
    with pytest.warns(om.DerivativesWarning) as told:
        found = problem.compute_totals('comp.y', ['comp.x', 'comp.z'])
    assert found['comp.y', 'comp.x'].item() == pytest.approx((0.3**0.5 - 0.1**0.5) / 0.2)
    assert found['comp.y', 'comp.z'].item() == pytest.approx(1.0)
    by_x, by_z = sorted(str(warning.message) for warning in told)
    assert 'at x[0] -0.2 y is not finite' in by_x
    assert 'at z[0] +0.2 it failed' in by_z


class Diagonal(PerOutputFD, om.ExplicitComponent):
    """y = x**3, which fails where x[3] is above 4.05; a coloring is sought there."""

    def initialize(self):
        self.options.declare('raises', default=False)

    def setup(self):
        x = np.arange(1.0, 5.0)
        self.add_input('x', x)
        self.add_output('y', x)
        self.declare_partials('y', 'x', method='fd', step=0.1, form='central')
        self.declare_coloring(wrt='*', show_summary=False, min_improve_pct=0)

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 3
        if inputs['x'][3] > 4.05:
            if self.options['raises']:
                raise om.AnalysisError('no convergence')
            outputs['y'][3] = np.nan


@pytest.mark.parametrize(
    ('raises', 'why'), [(False, r'd\(y\[3\]\)/d\(x\[3\]\) is not finite'), (True, 'no convergence')]
)
def test_a_failure_ends_the_search_for_a_coloring_not_the_derivatives(raises, why):
    """A bug once, as it is in OpenMDAO: with NaN all of the Jacobian was zero, without a word."""
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Diagonal(raises=raises))
    problem.setup()
    problem.run_model()
    with (
        count_calls(problem) as counts,
        pytest.warns(om.DerivativesWarning, match=r'coloring cannot be found: .*' + why),
        pytest.warns(om.DerivativesWarning, match=r'x\[3\] \+0\.1'),
    ):
        partials = partials_of(problem)
    counts.verify()
    x = problem.get_val('comp.x')
    np.testing.assert_array_equal(x, np.arange(1.0, 5.0))
    expected = 3 * x**2 + 0.1**2
    expected[3] = (4.0**3 - 3.9**3) / 0.1
    np.testing.assert_allclose(partials['y', 'x'], np.diag(expected), rtol=1e-12)
    assert fd_cost(comp).total == 8
    assert not problem.model._during_coloring
    again = partials_of(problem)
    np.testing.assert_allclose(again['y', 'x'], np.diag(expected), rtol=1e-12)
