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
