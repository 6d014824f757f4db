"""Recorder, plain counter and prediction agree on OpenMDAO's own models, to the unit.

The plain counter is ``conftest.plainly_by_method``.
"""

from collections import Counter

import numpy as np
import openmdao.api as om
import pytest
from openmdao.test_suite.components.sellar import SellarDis1withDerivatives
from openmdao.test_suite.scripts.circuit_analysis import Circuit
from openmdao.test_suite.test_examples.beam_optimization.multipoint_beam_group import (
    MultipointBeamGroup,
)

from mdao_seq import count_calls, hold_all_declarations
from mdao_seq.counting.counter import CallCounter


def beam():
    problem = om.Problem(
        MultipointBeamGroup(
            E=1.0, L=1.0, b=0.1, volume=0.01, num_elements=10, num_cp=4, num_load_cases=2
        ),
        reports=False,
    )
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', maxiter=3, disp=False)
    return problem


def circuit():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('ground', om.IndepVarComp('V', 0.0, units='V'))
    problem.model.add_subsystem('source', om.IndepVarComp('I', 0.1, units='A'))
    problem.model.add_subsystem('circuit', Circuit())
    problem.model.connect('source.I', 'circuit.I_in')
    problem.model.connect('ground.V', 'circuit.Vg')
    problem.model.add_design_var('source.I')
    problem.model.add_objective('circuit.D1.I')
    return problem


def wall(newton):
    """Newton with a line search, or block Gauss-Seidel, on a pair of equations."""
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('d1', SellarDis1withDerivatives(), promotes=['*'])
    model.add_subsystem(
        'd2', om.ExecComp('y2 = y1**.5 + z[0] + z[1]', z=np.zeros(2)), promotes=['*']
    )
    model.set_input_defaults('z', np.array([5.0, 2.0]))
    if newton:
        model.nonlinear_solver = om.NewtonSolver(solve_subsystems=False, maxiter=30)
        model.nonlinear_solver.linesearch = om.ArmijoGoldsteinLS(
            bound_enforcement='scalar', maxiter=3
        )
    else:
        model.nonlinear_solver = om.NonlinearBlockGS(maxiter=40)
    model.linear_solver = om.DirectSolver()
    model.add_design_var('x', lower=0.0, upper=10.0)
    model.add_objective('y1')
    return problem


class Diagonal(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', np.linspace(1.0, 2.0, 6))
        self.add_output('y', shape=6)
        self.declare_partials('y', 'x', method='fd')
        self.declare_coloring(wrt='*', method='fd', show_summary=False)

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2


def colored_partials():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('diagonal', Diagonal(), promotes=['*'])
    problem.model.add_subsystem('f', om.ExecComp('f = sum(y)', y=np.zeros(6)), promotes=['*'])
    problem.model.add_design_var('x', lower=0.5, upper=3.0)
    problem.model.add_objective('f')
    problem.driver = om.ScipyOptimizeDriver(maxiter=3, disp=False)
    return problem


def colored_totals():
    problem = colored_partials()
    problem.model.add_constraint('y', lower=0.5)
    problem.driver.declare_coloring(show_summary=False)
    return problem


MODELS = {
    'multipoint beam': beam,
    'circuit': circuit,
    'Newton with a line search': lambda: wall(newton=True),
    'block Gauss-Seidel': lambda: wall(newton=False),
    'colored partials': colored_partials,
    'colored totals': colored_totals,
}
ACTS = {
    'run_model': lambda p: p.run_model(),
    'run_driver': lambda p: p.run_driver(),
    'compute_totals': lambda p: (p.run_model(), p.compute_totals()),
    'check_partials': lambda p: (p.run_model(), p.check_partials(out_stream=None)),
    'check_totals': lambda p: (p.run_model(), p.check_totals(out_stream=None)),
}


@pytest.mark.parametrize('held', [False, True], ids=['stock', 'held'])
@pytest.mark.parametrize('act', ACTS)
@pytest.mark.parametrize('model', MODELS)
def test_recorded_is_counted_is_predicted(model, act, held, plainly_by_method):
    problem = MODELS[model]()
    if held:
        with hold_all_declarations():
            problem.setup()
    else:
        problem.setup()
    problem.final_setup()
    problem.set_solver_print(-1)
    counted = plainly_by_method(problem)
    with count_calls(problem) as counts:
        ACTS[act](problem)
    assert counted
    recorded = Counter()
    for key, cost in counts.counted.items():
        recorded[key.path, key.method] += cost.calls
    # What ExecComp does by itself for its derivatives passes by compute.
    assert {k: n for k, n in recorded.items() if n} == dict(counted)
    counts.verify()


def test_a_line_search_is_a_cause():
    problem = wall(newton=True)
    problem.setup()
    problem.set_solver_print(-1)
    with count_calls(problem) as counts:
        problem.run_model()
    assert counts.total('d1', cause='linesearch') > 0
    assert counts.total('d1') == sum(
        counts.total('d1', cause=cause) for cause in ('run', 'linesearch')
    )


def test_calls_for_derivatives_are_no_evaluations():
    problem = beam()
    problem.setup()
    with count_calls(problem) as counts:
        problem.run_model()
        evaluations = counts.total()
        problem.compute_totals()
    assert counts.total() == evaluations
    paths = [key.path for key in counts.counted if key.method == 'compute_partials']
    assert counts.total_calls(paths[0], method='compute_partials') == 1
    assert counts.total_calls(paths[0]) == counts.total(paths[0])
    with pytest.raises(KeyError, match="'solve' is not counted"):
        counts.total_calls(method='solve')


class Inner(om.ExplicitComponent):
    calls = 0

    def setup(self):
        self.add_input('x', 2.0)
        self.add_output('y')
        self.declare_partials('y', 'x', method='fd', form='central')

    def compute(self, inputs, outputs):
        Inner.calls += 1
        outputs['y'] = inputs['x'] ** 3


def test_the_problem_inside_a_submodel_is_counted_under_its_path():
    inner = om.Problem(reports=False)
    inner.model.add_subsystem('inner', Inner(), promotes=['*'])
    problem = om.Problem(reports=False)
    submodel = om.SubmodelComp(problem=inner, inputs=['x'], outputs=['y'])
    problem.model.add_subsystem('sub', submodel, promotes=['*'])
    problem.setup()
    problem.final_setup()
    Inner.calls = 0
    with count_calls(problem) as counts:
        problem.run_model()
        problem.compute_totals('y', 'x')
        problem.check_partials(out_stream=None)
    assert counts.total('sub.inner') == Inner.calls > 3
    assert counts.total('sub.inner', cause='fd') == 2 * 2
    assert counts.total('sub.inner', cause='check') > 0
    counts.verify()


def test_the_counter_leaves_components_as_they_were():
    problem = wall(newton=True)
    problem.setup()
    problem.final_setup()
    before = {s.pathname: set(vars(s)) for s in problem.model.system_iter()}
    counter = CallCounter()
    counter.watch_problem(problem)
    assert any(set(vars(s)) > before[s.pathname] for s in problem.model.system_iter())
    counter.stop()
    assert {s.pathname: set(vars(s)) for s in problem.model.system_iter()} == before
