"""What is predicted is what is counted afterwards, by component, cause and declaration.

And that is what a plain counter inside of the methods counts.
"""

import warnings

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, count_calls, fd_cost, hold_all_declarations, predict_calls
from mdao_seq.approximation._openmdao.names import EVALUATES
from tests.approximation.components import Held, fd
from tests.counting.test_counter import held_problem, scipy_driver, sellar_problem
from tests.counting.test_openmdao_models import (
    Inner,
    beam,
    circuit,
    colored_partials,
    wall,
)

pytestmark = pytest.mark.filterwarnings('ignore::openmdao.utils.om_warnings.OpenMDAOWarning')

TASKS = {
    'run_model': (lambda p: p.run_model(), {}),
    'compute_totals': (lambda p: p.compute_totals(), {}),
    # Of other points than the models' own.
    'check_partials': (
        lambda p: p.check_partials(out_stream=None, form='central', step=[1e-3, 1e-4]),
        {'form': 'central', 'step': [1e-3, 1e-4]},
    ),
}


def newton(**options):
    return lambda: sellar_problem(om.NewtonSolver(solve_subsystems=False, **options))


def subsolving():
    problem = sellar_problem(om.NewtonSolver(solve_subsystems=True, max_sub_solves=1))
    problem.model.sellar.options['solver'].linesearch = om.BoundsEnforceLS()
    return problem


def chain(model, **inputs):
    """Two squares after each other, of which one is not asked for, and an aside."""
    problem = om.Problem(model, reports=False, driver=scipy_driver())
    for name, of, wrt in (('a', 'y', 'x'), ('b', 'z', 'y'), ('aside', 'w', 'v')):
        square = Square(of=of, wrt=wrt)
        problem.model.add_subsystem(name, square, promotes=['*'])
    problem.model.add_design_var('x')
    problem.model.add_design_var('v')
    problem.model.add_objective('z', index=0)
    return problem


class Square(om.ExplicitComponent):
    def initialize(self):
        self.options.declare('of')
        self.options.declare('wrt')

    def setup(self):
        self.add_input(self.options['wrt'], np.ones(2))
        self.add_output(self.options['of'], shape=2)
        self.declare_partials('*', '*', method='fd')

    def compute(self, inputs, outputs):
        outputs[self.options['of']] = inputs[self.options['wrt']] ** 2


class HeldGroup(PerOutputFD, om.Group):
    pass


def differenced(method='fd', **options):
    def make():
        problem = chain(om.Group())
        problem.model.approx_totals(method=method, **options)
        return problem

    return make


def differenced_and_colored():
    problem = chain(om.Group())
    problem.model.approx_totals()
    problem.driver.declare_coloring(show_summary=False)
    return problem


def differenced_below(group=om.Group):
    def make():
        problem = om.Problem(reports=False, driver=scipy_driver())
        below = problem.model.add_subsystem('below', group(), promotes=['*'])
        below.add_subsystem('a', Square(of='y', wrt='x'), promotes=['*'])
        below.add_subsystem('b', Square(of='z', wrt='y'), promotes=['*'])
        if group is HeldGroup:
            below.declare_totals('z', 'x', form='central', step=1e-3)
        else:
            below.approx_totals(form='central')
        problem.model.add_subsystem('after', Square(of='f', wrt='z'), promotes=['*'])
        problem.model.add_design_var('x')
        problem.model.add_objective('f', index=0)
        return problem

    return make


def declared_totals():
    problem = chain(HeldGroup())
    problem.model.add_constraint('w', upper=2.0)
    problem.model.declare_totals('z', 'x', form='central', step=1e-3)
    problem.model.declare_totals('w', 'v', method='cs')
    return problem


def submodel():
    inner = om.Problem(reports=False)
    inner.model.add_subsystem('inner', Inner(), promotes=['*'])
    problem = om.Problem(reports=False)
    component = om.SubmodelComp(problem=inner, inputs=['x'], outputs=['y'])
    problem.model.add_subsystem('sub', component, promotes=['*'])
    problem.model.add_design_var('x')
    problem.model.add_objective('y')
    return problem


def directional():
    problem = chain(om.Group())
    problem.model.a.set_check_partial_options(wrt='x', directional=True)
    problem.model.b.set_check_partial_options(wrt='y', method='fd', form='forward', step=1e-5)
    return problem


MODELS = {
    'held': lambda: held_problem(),
    'Sellar, Newton': newton(),
    'Sellar, Newton that solves below': subsolving,
    'Sellar, Gauss-Seidel': lambda: sellar_problem(om.NonlinearBlockGS()),
    'Sellar, Gauss-Seidel by residuals': lambda: sellar_problem(
        om.NonlinearBlockGS(use_apply_nonlinear=True)
    ),
    'Sellar, Jacobi': lambda: sellar_problem(om.NonlinearBlockJac()),
    'multipoint beam': beam,
    'circuit': circuit,
    'block Gauss-Seidel': lambda: wall(newton=False),
    'colored partials': colored_partials,
    'approx_totals, fd': differenced(form='central', step=1e-4),
    'approx_totals, cs': differenced('cs'),
    'approx_totals, colored': differenced_and_colored,
    'approx_totals below': differenced_below(),
    'declare_totals': declared_totals,
    'declare_totals below': differenced_below(HeldGroup),
    'submodel': submodel,
    'check options': directional,
}


def iterations_of(problem):
    return {
        s.pathname: s.nonlinear_solver._iter_count
        for s in problem.model.system_iter(include_self=True)
        if s.nonlinear_solver and not isinstance(s.nonlinear_solver, om.NonlinearRunOnce)
    }


def by_declaration(counts):
    """Return evaluations by what they are for, where there are any."""
    found = {}
    for key, counted in counts.counted.items():
        what = key.path, key.cause, key.declaration
        found[what] = found.get(what, 0) + counted.evaluations
    return {what: number for what, number in found.items() if number}


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('held', [False, True], ids=['stock', 'held'])
@pytest.mark.parametrize('model', MODELS)
def test_predicted_is_counted(model, held, task, plainly_by_method):
    problem = MODELS[model]()
    with hold_all_declarations() if held else warnings.catch_warnings():
        problem.setup(force_alloc_complex=True)
    problem.set_solver_print(-1)
    act, options = TASKS[task]
    problem.final_setup()
    if task != 'run_model':
        # Colorings are found, and steps tuned, once.
        problem.run_model()
        problem.compute_totals()
    before = predict_calls(problem, task, **options)
    counted = plainly_by_method(problem)
    with count_calls(problem) as counts:
        act(problem)
    if task == 'run_model':
        before = predict_calls(problem, task, iterations=iterations_of(problem))
        assert before.is_exact == (not iterations_of(problem))
    else:
        assert before.is_exact
    assert by_declaration(before) == by_declaration(counts)
    assert before.total() == counts.total()
    called = sum(number for (_, method), number in counted.items() if method in EVALUATES)
    assert counts.total_calls() == called
    counts.verify()


@pytest.mark.parametrize('held', [False, True], ids=['stock', 'held'])
def test_a_direct_solver_above_needs_what_the_driver_does_not(held):
    """Its matrix is whole, so fd_cost, too, counts derivatives of which no response depends."""
    problem = om.Problem(reports=False)
    cycle = problem.model.add_subsystem('cycle', om.Group(), promotes=['*'])
    cycle.add_subsystem('wing', Square(of='y', wrt='x'), promotes=['*'])
    back = om.ExecComp('x = 0.1*p*y', x=np.ones(2), y=np.ones(2))
    cycle.add_subsystem('back', back, promotes=['*'])
    cycle.add_subsystem('aside', Square(of='w', wrt='x'), promotes=['*'])
    cycle.nonlinear_solver = om.NonlinearBlockGS(iprint=-1)
    cycle.linear_solver = om.DirectSolver()
    problem.model.add_design_var('p')
    problem.model.add_objective('y', index=0)
    with hold_all_declarations() if held else warnings.catch_warnings():
        problem.setup()
    problem.run_model()
    with count_calls(problem) as counts:
        problem.compute_totals()
    for name in ('cycle.wing', 'cycle.aside'):
        assert fd_cost(problem.model._get_subsystem(name)).total == counts.total(name, 'fd') > 0


def test_to_predict_evaluates_nothing_and_changes_nothing():
    problem = differenced_below(HeldGroup)()
    problem.setup()
    problem.run_model()
    totals = problem.compute_totals()
    with count_calls(problem) as counts:
        for task in (*TASKS, 'driver_linearization'):
            predict_calls(problem, task)
        assert counts.total() == 0
        again = problem.compute_totals()
    assert counts.total('below.a') == 4
    assert {k: v.tolist() for k, v in again.items()} == {k: v.tolist() for k, v in totals.items()}


def test_totals_of_names_cost_what_they_need():
    problem = chain(om.Group())
    problem.setup()
    problem.run_model()
    for of, wrt in (('z', 'x'), ('w', 'v'), ('y', 'x'), (['z', 'w'], ['x', 'v']), ('z', 'v')):
        predicted = predict_calls(problem, 'compute_totals', of=of, wrt=wrt)
        with count_calls(problem) as counts:
            problem.compute_totals(of, wrt)
        assert by_declaration(predicted) == by_declaration(counts)


def test_a_driver_asks_for_linear_constraints_once():
    problem = chain(om.Group())
    problem.model.add_constraint('w', upper=9.0, linear=True)
    problem.setup()
    problem.run_model()
    with count_calls(problem) as counts:
        problem.compute_totals()
    assert by_declaration(counts) == by_declaration(predict_calls(problem, 'compute_totals'))
    again = predict_calls(problem, 'driver_linearization')
    once = predict_calls(problem, 'compute_totals', of='w')
    assert (again.total(), once.total()) == (4, 2)
    with count_calls(problem) as counts:
        problem.run_driver()
    times = counts.linearizations['a']
    assert counts.total(cause='fd') == times * again.total() + once.total()


def test_a_coloring_that_is_not_known_yet_is_a_bound():
    problem = colored_partials()
    problem.setup()
    problem.run_model()
    predicted = predict_calls(problem, 'compute_totals')
    assert not predicted.is_exact
    assert predicted.total('diagonal') == 6
    assert 'diagonal: at most: no coloring is known yet' in predicted.table()
    problem.compute_totals()
    assert predict_calls(problem, 'compute_totals').total('diagonal') == 1


def test_iterations_are_told_by_path():
    problem = sellar_problem(om.NonlinearBlockGS())
    problem.setup()
    problem.final_setup()
    assert predict_calls(problem, 'run_model', iterations={'sellar': 7}).total('sellar.d1') == 7
    assert predict_calls(problem, 'run_model', iterations=5).total('sellar.d1') == 5
    table = predict_calls(problem, 'run_model').table()
    assert 'sellar: for 1 iteration of NonlinearBlockGS' in table
    with pytest.raises(ValueError, match="iterations can be told is at 'd1'; such are at 'sellar'"):
        predict_calls(problem, 'run_model', iterations={'d1': 7})
    with pytest.raises(ValueError, match='-3 is negative'):
        predict_calls(problem, 'run_model', iterations={'sellar': -3})
    with pytest.raises(TypeError, match="'3' is no whole number"):
        predict_calls(problem, 'run_model', iterations='3')


def two_squares():
    problem = om.Problem(reports=False)
    for name in ('mass', 'a'):
        problem.model.add_subsystem(name, Square(of='y', wrt='x'))
    problem.setup()
    problem.final_setup()
    return problem


@pytest.mark.parametrize('chosen', [{'includes': 'mass'}, {'excludes': 'mass'}, {'includes': '*a'}])
def test_a_check_chooses_as_openmdao_does(chosen):
    problem = two_squares()
    problem.run_model()
    predicted = predict_calls(problem, 'check_partials', form='central', **chosen)
    with count_calls(problem) as counts:
        problem.check_partials(form='central', out_stream=None, **chosen)
    assert by_declaration(predicted) == by_declaration(counts)


def test_a_check_runs_a_model_that_was_not_run():
    problem = two_squares()
    predicted = predict_calls(problem, 'check_partials', form='central', out_stream=None)
    with count_calls(problem) as counts:
        problem.check_partials(form='central', out_stream=None)
    assert by_declaration(predicted) == by_declaration(counts)


class Mixed(om.ExplicitComponent):
    """Of each input the last declaration, which is all that OpenMDAO keeps, has another method."""

    def setup(self):
        self.add_input('x', 1.0)
        self.add_input('z', 1.0)
        self.add_output('y')
        self.add_output('w')

    def setup_partials(self):
        self.declare_partials('y', 'z', method='cs')
        self.declare_partials('w', 'z', method='fd', form='central')
        self.declare_partials('y', 'x', method='fd', form='central')
        self.declare_partials('w', 'x', method='cs')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2 + inputs['z'] ** 3
        outputs['w'] = outputs['y']


def approximated_group():
    group = om.Group()
    group.approx_totals(method='fd')
    return group


@pytest.mark.parametrize('group', [om.Group, approximated_group])
def test_what_openmdao_remembers_of_earlier_totals_is_predicted(group):
    problem = om.Problem(reports=False)
    within = problem.model.add_subsystem('g', group(), promotes=['*'])
    within.add_subsystem('comp', Mixed(), promotes=['*'])
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    for wrt in (['z'], ['x'], ['x', 'z']):
        predicted = predict_calls(problem, 'compute_totals', of=['y'], wrt=wrt)
        with count_calls(problem) as counts:
            problem.compute_totals(['y'], wrt)
        assert predicted.is_exact
        assert by_declaration(predicted) == by_declaration(counts)


def test_what_cannot_be_predicted_says_so():
    problem = sellar_problem(om.BroydenSolver())
    problem.setup()
    problem.final_setup()
    predicted = predict_calls(problem, 'run_model')
    assert predicted.bounds == {'sellar': 'at least: BroydenSolver is none that can be predicted'}
    backtracking = wall(newton=True)
    backtracking.setup()
    backtracking.set_solver_print(-1)
    with count_calls(backtracking) as counts:
        backtracking.run_model()
    predicted = predict_calls(backtracking, 'run_model', iterations=iterations_of(backtracking))
    assert predicted.total('d1', 'linesearch') <= counts.total('d1', 'linesearch')
    assert 'may go back' in predicted.bounds['']


def test_misuse_is_told():
    problem = chain(om.Group())
    with pytest.raises(RuntimeError, match='call final_setup'):
        predict_calls(problem, 'run_model')
    problem.setup()
    problem.final_setup()
    with pytest.raises(TypeError, match=r'an om\.Problem is needed'):
        predict_calls(problem.model, 'run_model')
    with pytest.raises(ValueError, match=r"task='run'\): tasks are run_model"):
        predict_calls(problem, 'run')
    with pytest.raises(TypeError, match="'form' is no option of 'run_model'; it has none"):
        predict_calls(problem, 'run_model', form='central')
    with pytest.raises(TypeError, match="'steps' is no option of 'check_partials'; it has method"):
        predict_calls(problem, 'check_partials', steps=1)
    with pytest.raises(TypeError, match="'of' is no option of 'driver_linearization'"):
        predict_calls(problem, 'driver_linearization', of='z')
    nothing = om.Problem(reports=False)
    nothing.model.add_subsystem('comp', Held(declarations=[fd('y1', 0.1)]))
    nothing.setup()
    nothing.final_setup()
    with pytest.raises(RuntimeError, match=r'[Dd]river is not providing any'):
        predict_calls(nothing, 'driver_linearization')
