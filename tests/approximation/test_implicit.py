"""Implicit components: residuals are differenced, by inputs and by states, each with its step."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, count_calls, fd_cost
from tests.approximation.components import fd


class Roots(PerOutputFD, om.ImplicitComponent):
    """r = u**3 - x and s = exp(v) - x * u; it counts its residual evaluations."""

    def initialize(self):
        self.options.declare('declarations')
        self.calls = 0

    def setup(self):
        self.add_input('x', 8.0)
        self.add_output('u', 1.5)
        self.add_output('v', 1.0)

    def setup_partials(self):
        for declaration in self.options['declarations']:
            self.declare_partials(**declaration)

    def apply_nonlinear(self, inputs, outputs, residuals):
        self.calls += 1
        residuals['u'] = outputs['u'] ** 3 - inputs['x']
        residuals['v'] = np.exp(outputs['v']) - inputs['x'] * outputs['u']


DECLARED = [
    fd('u', 0.01, wrt='u'),
    fd('v', 0.05, wrt='u', form='forward'),
    fd('v', 0.02, wrt='v'),
    {'of': 'u', 'wrt': 'x', 'method': 'cs'},
    fd('v', 0.1, wrt='x'),
]


def solved():
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Roots(declarations=DECLARED))
    comp.linear_solver = om.DirectSolver()
    problem.model.linear_solver = om.DirectSolver()
    comp.nonlinear_solver = om.NewtonSolver(solve_subsystems=False, iprint=-1, maxiter=50)
    problem.setup()
    return problem, comp


def test_every_residual_keeps_its_steps_by_inputs_and_states():
    problem, comp = solved()
    problem.final_setup()
    assert fd_cost(comp).total == 2 + 1 + 2 + 1 + 2
    comp.run_apply_nonlinear()
    comp.calls = 0
    comp.run_linearize()
    assert comp.calls == fd_cost(comp).total
    jac, u, v, x = comp._get_jacobian(), 1.5, 1.0, 8.0
    expected = {
        ('u', 'u'): 3 * u**2 + 0.01**2,
        ('v', 'u'): -x,
        ('v', 'v'): np.exp(v) * np.sinh(0.02) / 0.02,
        ('u', 'x'): -1.0,
        ('v', 'x'): -u,
    }
    for (of, wrt), value in expected.items():
        assert jac[f'comp.{of}', f'comp.{wrt}'].item() == pytest.approx(value, rel=1e-11), (of, wrt)


def test_newton_converges_on_them_and_every_evaluation_is_counted():
    problem, comp = solved()
    with count_calls(problem) as counts:
        problem.run_model()
        totals = problem.compute_totals(['comp.u', 'comp.v'], ['comp.x'])
    assert problem.get_val('comp.u') == pytest.approx(2.0, rel=1e-9)
    assert problem.get_val('comp.v') == pytest.approx(np.log(16.0), rel=1e-9)
    assert totals['comp.u', 'comp.x'].item() == pytest.approx(1 / 12, rel=1e-4)
    assert counts.total('comp') == comp.calls
    counts.verify()


class Scaled(PerOutputFD, om.ImplicitComponent):
    """r = u**2 - a**2, with a scaled residual."""

    def setup(self):
        self.add_input('a', 2.0)
        self.add_output('u', 1.0, ref=7.0, res_ref=100.0)

    def setup_partials(self):
        self.declare_partials('u', '*', method='fd', form='forward', step=1e-3)

    def apply_nonlinear(self, inputs, outputs, residuals):
        residuals['u'] = outputs['u'] ** 2 - inputs['a'] ** 2


def test_a_scaled_residual_is_differenced_unscaled():
    """A bug once, as it is in OpenMDAO: the base residual was taken scaled, the others not."""
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Scaled())
    comp.linear_solver = om.DirectSolver()
    comp.nonlinear_solver = om.NewtonSolver(solve_subsystems=False, iprint=-1, maxiter=20)
    problem.setup()
    problem.final_setup()
    problem.model.run_apply_nonlinear()
    problem.model.run_linearize()
    jac = comp._get_jacobian()
    assert jac['comp.u', 'comp.u'].item() == pytest.approx(2.0 + 1e-3, rel=1e-9)
    assert jac['comp.u', 'comp.a'].item() == pytest.approx(-4.0 - 1e-3, rel=1e-9)
    problem.run_model()
    assert problem.get_val('comp.u') == pytest.approx(2.0, rel=1e-9)
    partials = problem.check_partials(out_stream=None, method='fd', form='central')
    # Central of a quadratic is exact, forward is off by the step.
    assert partials['comp']['u', 'u']['J_fd'] == pytest.approx(4.0, rel=1e-6)
    assert partials['comp']['u', 'u']['J_fwd'] == pytest.approx(4.001, rel=1e-6)


class NamedResiduals(om.ImplicitComponent):
    """r1 = v - sum(u), r2 = u**2 - a; the residuals have names and sizes of their own."""

    def initialize(self):
        self.options.declare('declarations')

    def setup(self):
        self.add_input('a', [1.0, 2.0])
        self.add_output('u', [1.0, 1.0])
        self.add_output('v', 1.0)
        self.add_residual('r2', shape=(2,))
        self.add_residual('r1', shape=(1,))
        for of, options in self.options['declarations'].items():
            self.declare_partials(of, '*', method='fd', **options)

    def apply_nonlinear(self, inputs, outputs, residuals):
        residuals['r1'] = outputs['v'] - outputs['u'].sum()
        residuals['r2'] = outputs['u'] ** 2 - inputs['a']


def with_named_residuals(held, **declarations):
    cls = type('Held', (PerOutputFD, NamedResiduals), {}) if held else NamedResiduals
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', cls(declarations=declarations))
    comp.nonlinear_solver = om.NewtonSolver(solve_subsystems=False, iprint=-1, maxiter=50)
    comp.linear_solver = om.DirectSolver()
    problem.setup()
    problem.run_model()
    return problem, comp


@pytest.mark.parametrize('held', [False, True])
def test_residuals_with_names_of_their_own(held):
    """A bug once: such a component did not set up any more."""
    problem, comp = with_named_residuals(held, r1={'form': 'central'}, r2={'step': 1e-3})
    totals = problem.compute_totals(['comp.v'], ['comp.a'])['comp.v', 'comp.a'].ravel()
    if held:
        assert {(d.of, d.step) for d in fd_cost(comp).declarations} == {('u', 1e-3), ('v', 1e-6)}
        u = np.sqrt([1.0, 2.0])
        np.testing.assert_allclose(totals, 1 / (2 * u + 1e-3), rtol=1e-6)
    else:
        np.testing.assert_allclose(totals, 0.5 / np.sqrt([1.0, 2.0]), rtol=1e-5)


def test_two_residuals_over_one_output_must_agree():
    class Overlapping(PerOutputFD, om.ImplicitComponent):
        def setup(self):
            self.add_output('u', [1.0, 1.0])
            for name, step in (('r1', 1e-3), ('r2', 1e-4)):
                self.add_residual(name, shape=(1,))
                self.declare_partials(name, '*', method='fd', step=step)

        def apply_nonlinear(self, inputs, outputs, residuals):
            residuals['r1'], residuals['r2'] = outputs['u'] ** 2

    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Overlapping())
    with pytest.raises(RuntimeError, match=r"d\(r2\).*d\(r1\).*lie over one output, 'u'"):
        problem.setup()
        problem.final_setup()


class Quartic(PerOutputFD, om.ImplicitComponent):
    """r = x**4 - a and s = z - x**4 - a, the first by a scaled state of its own."""

    def initialize(self):
        self.options.declare('by_x', types=dict)
        self.points = []

    def setup(self):
        self.add_input('a', 16.0)
        self.add_output('x', 2.0, ref=10.0)
        self.add_output('z', 1.0)
        self.declare_partials('z', 'x', method='fd', step=0.2, form='central')
        self.declare_partials('x', 'x', method='fd', step=0.1, **self.options['by_x'])
        self.declare_partials('z', 'z', method='fd')
        self.declare_partials('*', 'a', method='fd')

    def apply_nonlinear(self, inputs, outputs, residuals):
        self.points.append(outputs['x'].item())
        residuals['x'] = outputs['x'] ** 4 - inputs['a']
        residuals['z'] = outputs['z'] - outputs['x'] ** 4 - inputs['a']


def quartic(**by_x):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Quartic(by_x=by_x))
    comp.linear_solver = om.DirectSolver()
    problem.setup()
    problem.run_model()
    problem.model.run_apply_nonlinear()
    comp.points.clear()
    problem.model.run_linearize()
    return comp, comp._get_jacobian()['comp.x', 'comp.x'].item()


def test_bounds_of_a_scaled_state_are_of_its_value():
    """A bug once: the first plan compared them with the scaled state."""
    comp, found = quartic(form='central', bounds=(1.95, 5.0))
    assert min(comp.points) > 1.79  # of d(z)/d(x), which has no bounds
    assert 1.9 not in np.round(comp.points, 12)
    assert found == pytest.approx(32.0, rel=0.01)
    assert fd_cost(comp).total == len(comp.points)


def test_a_state_is_extrapolated_by_as_an_input_is():
    """A bug once: the state was looked for among the inputs."""
    comp, found = quartic(form='central', extrapolate=True)
    assert found == pytest.approx(32.0, rel=1e-12)
    (error,) = comp.fd_errors.values()
    assert error.shape == (1, 1)
