"""The counter misses nothing: it agrees with a plain counter inside compute, whoever calls."""

import warnings
from collections import Counter

import numpy as np
import openmdao.api as om
import pytest
from openmdao.test_suite.components.sellar import SellarDis1, SellarDis2

from mdao_seq import CallCountMismatch, PerOutputFD, count_calls, fd_cost
from mdao_seq.counting.counter import CallCounter
from tests.approximation.components import BANDED, Banded, Declared, Held, HeldBanded, fd

TWO_STEPS = [fd('y1', 0.01), fd('y2', 0.05)]


def held_problem(driver=None, cls=Held, declarations=TWO_STEPS):
    problem = om.Problem(reports=False, driver=driver)
    problem.model.add_subsystem('comp', cls(declarations=declarations))
    problem.model.add_design_var('comp.x', lower=0.5, upper=2.0)
    problem.model.add_objective('comp.y1')
    problem.model.add_constraint('comp.y2', upper=6.0)
    return problem


class Sellar(om.Group):
    """Two coupled disciplines, held, under the solver that is passed in."""

    def initialize(self):
        self.options.declare('solver')
        self.options.declare('held', default=True)

    def setup(self):
        for name, base, step in (('d1', SellarDis1, 1e-4), ('d2', SellarDis2, 1e-3)):
            self.add_subsystem(name, _declaring(base, step, self.options['held']), promotes=['*'])
        self.nonlinear_solver = self.options['solver']
        self.linear_solver = om.DirectSolver()


def _declaring(base, step, held):
    class Declaring(base):
        def setup_partials(self):
            self.declare_partials('*', '*', method='fd', step=step)

        def compute_partials(self, inputs, partials, discrete_inputs=None):
            """Leave them to the differences."""

    return type('Discipline', (PerOutputFD, Declaring) if held else (Declaring,), {})()


def sellar_problem(solver, held=True, driver=None):
    problem = om.Problem(reports=False, driver=driver)
    problem.model.add_subsystem('sellar', Sellar(solver=solver, held=held), promotes=['*'])
    problem.model.add_subsystem('obj', om.ExecComp('f = y1 + exp(-y2)'), promotes=['*'])
    problem.model.add_design_var('z', lower=[1.0, 0.5], upper=[4.0, 3.0])
    problem.model.add_objective('f')
    problem.model.add_constraint('y1', lower=3.16)
    return problem


@pytest.fixture
def plainly(monkeypatch):
    """Count calls inside compute itself, on the class, by path."""
    counted = Counter()

    def on(*classes):
        for cls in classes:
            original = cls.compute

            def compute(self, *args, _original=original, **kwargs):
                counted[self.pathname] += 1
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(cls, 'compute', compute)
        return counted

    return on


def scipy_driver():
    return om.ScipyOptimizeDriver(optimizer='SLSQP', maxiter=3, disp=False)


def doe_driver():
    return om.DOEDriver(om.FullFactorialGenerator(levels=3))


def genetic_driver():
    return om.SimpleGADriver(max_gen=2, pop_size=4)


RUNS = {
    'run_model': (None, lambda p: p.run_model()),
    'run_driver, SLSQP': (scipy_driver, lambda p: p.run_driver()),
    'run_driver, DOE': (doe_driver, lambda p: p.run_driver()),
    'run_driver, genetic': (genetic_driver, lambda p: p.run_driver()),
    'compute_totals': (None, lambda p: (p.run_model(), p.compute_totals())),
    'check_partials': (
        None,
        lambda p: (p.run_model(), p.check_partials(method='fd', out_stream=None)),
    ),
    'check_totals': (
        scipy_driver,
        lambda p: (p.run_model(), p.check_totals(method='fd', out_stream=None)),
    ),
    'a run that is set up again': (
        None,
        lambda p: (p.run_model(), p.setup(), p.run_model(), p.compute_totals()),
    ),
}
MODELS = {
    'held': (held_problem, (Declared,)),
    'stock': (lambda driver: held_problem(driver, Declared), (Declared,)),
    'exact': (
        lambda driver: held_problem(driver, declarations=[{'of': '*', 'wrt': 'x', 'val': 1.0}]),
        (Declared,),
    ),
    'Sellar, Newton': (
        lambda driver: sellar_problem(om.NewtonSolver(solve_subsystems=False), driver=driver),
        (SellarDis1, SellarDis2),
    ),
    'Sellar, Newton, stock': (
        lambda driver: sellar_problem(om.NewtonSolver(solve_subsystems=False), False, driver),
        (SellarDis1, SellarDis2),
    ),
    'Sellar, Gauss-Seidel': (
        lambda driver: sellar_problem(om.NonlinearBlockGS(), driver=driver),
        (SellarDis1, SellarDis2),
    ),
}


@pytest.mark.parametrize('run', RUNS)
@pytest.mark.parametrize('model', MODELS)
def test_recorded_is_counted_is_predicted(model, run, plainly):
    make, classes = MODELS[model]
    driver, act = RUNS[run]
    problem = make(driver=driver and driver())
    if 'Newton' in model:
        problem.model.set_input_defaults('z', np.array([2.0, 2.0]))
    counted = plainly(*classes)
    with count_calls(problem) as counts:
        problem.setup()
        for solver in _solvers(problem):
            solver.options['iprint'] = -1
        act(problem)
    assert counted
    for path, calls in counted.items():
        assert counts.total(path) == calls, path
    counts.verify()


def _solvers(problem):
    problem.final_setup()
    for system in problem.model.system_iter(include_self=True, recurse=True):
        if system.nonlinear_solver is not None:
            yield system.nonlinear_solver


@pytest.mark.parametrize('scope', ['totals', 'semi-totals'])
def test_a_group_that_is_differenced_as_a_whole(scope, plainly):
    """No component is linearized: the outer difference runs them, and no plan is at stake."""
    problem = om.Problem(reports=False)
    group = problem.model.add_subsystem('group', om.Group())
    group.add_subsystem('comp', Held(declarations=TWO_STEPS))
    (problem.model if scope == 'totals' else group).approx_totals(method='fd')
    problem.setup()
    problem.run_model()
    counted = plainly(Declared)
    with count_calls(problem) as counts:
        problem.compute_totals(['group.comp.y1', 'group.comp.y2'], ['group.comp.x'])
    assert counts.total('group.comp') == counted['group.comp'] > 0
    assert counts.total('group.comp', cause='totals') == counted['group.comp']
    counts.verify()


def test_causes_and_declarations():
    problem = held_problem()
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        problem.compute_totals()
        problem.check_partials(method='fd', form='forward', out_stream=None)
    # check_partials linearizes once more, evaluates its base point twice and steps once.
    assert counts.total('comp', cause='run') == 1
    assert counts.total('comp', cause='fd') == 2 * 4
    assert counts.total('comp', cause='cs') == 0
    assert counts.total('comp', cause='check') == counts.total('comp') - 9 > 0
    assert counts.measured('comp') == {
        'd(y1)/d(x) central order 2, step 0.01': 4,
        'd(y2)/d(x) central order 2, step 0.05': 4,
    }


@pytest.mark.parametrize('cls', [HeldBanded, Banded])
def test_the_search_for_a_coloring_is_counted_apart(cls):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', cls(declarations=BANDED, coloring={}))
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        for _ in range(2):
            problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x', 'comp.z'])
    assert counts.total('comp') == comp.calls
    assert counts.total('comp', cause='coloring') > 0
    assert counts.total('comp', cause='fd') == 2 * fd_cost(comp).total
    counts.verify()


def test_the_table_says_it_all():
    problem = held_problem()
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        problem.compute_totals()
    rows = [row[:4] + row[5:7] for row in counts.rows()]
    assert rows == [
        ('comp', 'compute', 'fd', 'd(y1)/d(x) central order 2, step 0.01', 2, 2),
        ('comp', 'compute', 'fd', 'd(y2)/d(x) central order 2, step 0.05', 2, 2),
        ('comp', 'compute', 'run', '', 1, None),
    ]
    last = counts.table().splitlines()[-2:]
    assert last[0].split()[:2] == ['total', '5']
    assert last[1] == 'linearizations: comp: 1'


@pytest.mark.parametrize('amount', [-1, 1])
def test_verify_names_the_declaration_that_differs(amount, monkeypatch):
    """An evaluation that is skipped, and one made in its name that was not planned."""
    problem = held_problem()
    problem.setup()
    problem.run_model()
    comp = problem.model.comp

    # What stock OpenMDAO did to y1's step, or a scheme that evaluates too often.
    original = comp.run_apply_nonlinear
    state = {'n': 0}

    def run_apply_nonlinear():
        state['n'] += 1
        if state['n'] != 1 or amount > 0:
            original()
        if state['n'] == 1 and amount > 0:
            original()

    with count_calls(problem) as counts:
        problem.compute_totals()
        counts.verify()
        monkeypatch.setattr(comp, 'run_apply_nonlinear', run_apply_nonlinear)
        problem.compute_totals()
    expected = rf'comp: d\(y1\)/d\(x\) central.*: {4 + amount} evaluations measured, 4 predicted'
    with pytest.raises(CallCountMismatch, match=expected) as caught:
        counts.verify()
    assert 'linearizations: comp: 2' in str(caught.value)
    assert 'd(y2)' not in str(caught.value).split('\n\n')[0]


class Root(PerOutputFD, om.ImplicitComponent):
    """r = u**2 - a, by a central difference and a complex step."""

    def setup(self):
        self.add_input('a', 2.0)
        self.add_output('u', 1.0)

    def setup_partials(self):
        self.declare_partials('u', 'u', method='fd', form='central', step=1e-4)
        self.declare_partials('u', 'a', method='cs')

    def apply_nonlinear(self, inputs, outputs, residuals):
        residuals['u'] = outputs['u'] ** 2 - inputs['a']


def test_a_complex_step_inside_a_complex_step_is_predicted_as_it_is_run():
    """A bug once: OpenMDAO differences instead, and the prediction still spoke of complex step."""
    problem = om.Problem(reports=False)
    group = problem.model.add_subsystem('group', om.Group())
    group.add_subsystem('comp', Root(), promotes=['*'])
    group.nonlinear_solver = om.NewtonSolver(solve_subsystems=False, iprint=-1, maxiter=30)
    group.linear_solver = om.DirectSolver()
    problem.model.approx_totals(method='cs')
    problem.setup(force_alloc_complex=True)
    with count_calls(problem) as counts, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        problem.run_model()
        totals = problem.compute_totals(['group.u'], ['group.a'])
    assert totals['group.u', 'group.a'].item() == pytest.approx(0.5 / 2**0.5, rel=1e-6)
    assert any('step 1e-06' in declaration for declaration in counts.measured('group.comp'))
    counts.verify()


def test_an_interrupted_linearization_is_no_mismatch():
    class Fails(Held):
        def compute(self, inputs, outputs):
            super().compute(inputs, outputs)
            if inputs['x'] == 1.25:
                raise ZeroDivisionError('a defect')

    problem = held_problem(cls=Fails)
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        with pytest.raises(ZeroDivisionError):
            problem.compute_totals()
        problem.set_val('comp.x', 1.0)
        problem.run_model()
        problem.compute_totals()
    assert counts.total('comp') == problem.model.comp.calls == 1 + 4 + 1 + 4
    counts.verify()


def test_unknown_paths_and_causes_are_errors():
    problem = held_problem()
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
    assert counts.total() == counts.total('co*') == counts.total('comp') == 1
    with pytest.raises(KeyError, match=r"'compp' is the path of no counted component.*comp"):
        counts.total('compp')
    with pytest.raises(KeyError, match="'finite' is not a cause"):
        counts.total('comp', cause='finite')


class Outer(Held):
    """Its compute runs a problem of its own, with a component of the same path."""

    def setup(self):
        super().setup()
        self.inner = held_problem()
        self.inner.setup()
        self.inner.final_setup()

    def compute(self, inputs, outputs):
        super().compute(inputs, outputs)
        self.inner.run_model()


def test_a_component_of_the_same_path_in_another_problem_is_another():
    """A bug once: what the inner one ran was booked to the outer one's declaration."""
    problem = held_problem(cls=Outer)
    problem.setup()
    problem.run_model()
    with count_calls(problem.model.comp.inner) as counts:
        problem.compute_totals(['comp.y1'], ['comp.x'])
    assert counts.total('comp', cause='run') == counts.total('comp') == 2
    counts.verify()


class Colors(om.ExplicitComponent):
    """y = x**2 + w**2, colored, with a declaration before or after; nothing depends on z."""

    def initialize(self):
        self.options.declare('before', default=None)
        self.options.declare('after', default=None)
        self.calls = 0

    def setup(self):
        for name in 'xwz':
            self.add_input(name, [1.0, 2.0, 3.0])
        self.add_output('y', shape=3)

    def setup_partials(self):
        if self.options['before']:
            self.declare_partials(**self.options['before'])
        self.declare_coloring('*', method='fd', show_summary=False, min_improve_pct=0)
        if self.options['after']:
            self.declare_partials(**self.options['after'])

    def compute(self, inputs, outputs):
        self.calls += 1
        outputs['y'] = inputs['x'] ** 2 + inputs['w'] ** 2


class HeldColors(PerOutputFD, Colors):
    pass


@pytest.mark.parametrize('cls', [Colors, HeldColors])
def test_colors_are_predicted_as_they_are_run(cls):
    """A bug once: columns that change nothing were perturbed, or were predicted for OpenMDAO."""
    cs = {'of': 'y', 'wrt': 'w', 'method': 'cs'}
    central = {'of': '*', 'wrt': 'w', 'method': 'fd', 'form': 'central'}
    cases = ({}, {'after': central}, {'before': central}, {'after': cs})
    found = []
    for options in cases:
        problem = om.Problem(reports=False)
        comp = problem.model.add_subsystem('comp', cls(**options))
        problem.setup(force_alloc_complex=True)
        problem.run_model()
        problem.model.run_linearize()
        comp.calls = 0
        with count_calls(problem) as counts:
            problem.model.run_linearize()
        assert comp.calls == fd_cost(comp).total, options
        counts.verify()
        found.append(comp.calls)
    if cls is HeldColors:
        assert found == [2, 3, 3, 2]


def test_openmdao_looks_at_inputs_only_when_it_asks_what_the_driver_needs():
    """A bug once: its cost was planned as if it looked at outputs too."""
    comp = Declared(declarations=[fd('y1', 0.01), {'of': 'y2', 'wrt': 'x', 'method': 'cs'}])
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    problem.model.add_objective('comp.y1')
    problem.model.add_design_var('comp.x')
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    made = comp.calls
    problem.compute_totals()
    assert comp.calls - made == fd_cost(comp).total == 1


def test_what_is_printed_is_the_table():
    problem = held_problem()
    problem.setup()
    with count_calls(problem) as counts:
        problem.run_model()
    assert str(counts) == counts.table()


def test_a_component_is_no_problem():
    problem = held_problem()
    with (
        pytest.raises(TypeError, match=r'an om\.Problem is needed.*CallCountRecorder'),
        count_calls(problem.model.comp),
    ):
        pass


def test_counters_nest_and_leave_in_any_order():
    problem = held_problem()
    problem.setup()
    problem.run_model()
    comp = problem.model.comp
    outer, inner = CallCounter(), CallCounter()
    outer.watch_problem(problem)
    inner.watch_problem(problem)
    problem.run_model()
    outer.stop()
    problem.run_model()
    inner.stop()
    problem.run_model()
    assert (outer.counts.total('comp'), inner.counts.total('comp')) == (1, 2)
    assert not {'compute', '_linearize', 'check_partials'} & set(vars(comp))
    assert 'final_setup' not in vars(problem)


def test_seconds_tell_what_a_declaration_and_another_choice_cost():
    problem = held_problem()
    problem.setup()
    with count_calls(problem) as counts:
        problem.run_model()
        with pytest.raises(ValueError, match='no evaluation of it was counted'):
            fd_cost(problem.model.comp, counts=CallCounter().counts)
        problem.compute_totals()
    plan = fd_cost(problem.model.comp, counts=counts)
    row = next(row for row in counts.rows() if row.cause == 'fd')
    assert plan.seconds_each == counts.seconds_each('comp') > 0
    assert plan.seconds == pytest.approx(4 * plan.seconds_each)
    assert 0 < row.seconds < 10 * plan.seconds
    forward = plan.what_if('y1', 'x', form='forward')
    assert forward.seconds == pytest.approx(3 * plan.seconds_each)
    assert 'instead of 4, ' in str(forward)
    stock = held_problem(cls=Declared)
    stock.setup()
    stock.final_setup()
    with pytest.raises(ValueError, match='what_if is answered for declarations that hold'):
        fd_cost(stock.model.comp).what_if('*', 'x', step=0.1)


class Reassigned(om.ExplicitComponent):
    """Puts its methods on the instance, at each setup or in the first call, as some classes do."""

    def initialize(self):
        self.options.declare('lazy', default=False)

    def setup(self):
        self.calls = 0
        self.add_input('x', 1.0)
        self.add_output('y')
        self.declare_partials('y', 'x', method='fd')
        self.compute = self._first if self.options['lazy'] else self._square

    def _first(self, inputs, outputs):
        self.compute = self._square
        self._square(inputs, outputs)

    def _square(self, inputs, outputs):
        self.calls += 1
        outputs['y'] = inputs['x'] ** 2


@pytest.mark.parametrize('lazy', [False, True])
def test_a_method_that_is_assigned_anew_is_counted_still(lazy):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Reassigned(lazy=lazy), promotes=['*'])
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        calls = comp.calls
        problem.setup()
        problem.run_model()
        problem.run_model()
        problem.compute_totals('y', 'x')
    assert counts.total() == calls + comp.calls == 4
    counts.verify()
    problem.run_model()
    assert counts.total() == 4


class Helped(om.ImplicitComponent):
    """Has a helper with the name of an evaluation that only explicit components make."""

    def setup(self):
        self.calls = 0
        self.add_input('x', 4.0)
        self.add_output('u', 1.0)
        self.declare_partials('u', '*', method='fd')
        self.linear_solver = om.DirectSolver()

    def compute(self, x, u):
        return u**2 - x

    def apply_nonlinear(self, inputs, outputs, residuals):
        self.calls += 1
        residuals['u'] = self.compute(inputs['x'], outputs['u'])

    def solve_nonlinear(self, inputs, outputs):
        self.calls += 1
        outputs['u'] = inputs['x'] ** 0.5


def test_a_helper_with_the_name_of_an_evaluation_is_none():
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Helped(), promotes=['*'])
    problem.setup()
    with count_calls(problem) as counts:
        problem.run_model()
        problem.compute_totals('u', 'x')
    assert counts.total() == comp.calls == 3
    counts.verify()


class InBatches(PerOutputFD, om.ExplicitComponent):
    """Whose batch of points is a loop."""

    def setup(self):
        self.add_input('x', np.ones(3))
        self.add_output('y')
        self.declare_partials('y', 'x', method='fd')

    def compute(self, inputs, outputs):
        outputs['y'] = np.sum(inputs['x'] ** 2)

    def compute_batch(self, inputs, outputs):
        for k, x in enumerate(inputs['x']):
            one = {'y': 0.0}
            self.compute({'x': x}, one)
            outputs['y'][k] = one['y']


def test_points_of_a_batch_are_counted_once():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', InBatches(), promotes=['*'])
    problem.setup()
    with count_calls(problem) as counts:
        problem.run_model()
        problem.compute_totals('y', 'x')
    assert counts.total('comp', 'fd') == 3
    assert counts.total_calls('comp', 'fd', 'compute_batch') == 1
    assert counts.total_calls('comp', 'fd', 'compute') == 3
    counts.verify()


def test_a_component_is_counted_where_it_stands_now():
    problem = om.Problem(reports=False)
    moving = problem.model.add_subsystem('before', om.ExecComp('y=x'))
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        problem.model = om.Group()
        problem.model.add_subsystem('after', moving)
        problem.setup()
        problem.run_model()
    assert (counts.total('before'), counts.total('after')) == (1, 1)


def test_a_search_below_an_approximated_group_is_no_difference():
    class Colored(om.ExplicitComponent):
        def setup(self):
            self.add_input('x', 1.0)
            self.add_output('y')
            self.declare_coloring(wrt='*', method='cs', show_summary=False)

        def compute(self, inputs, outputs):
            outputs['y'] = inputs['x'] ** 2

    problem = om.Problem(reports=False)
    group = problem.model.add_subsystem('group', om.Group(), promotes=['*'])
    group.add_subsystem('comp', Colored(), promotes=['*'])
    group.approx_totals(method='fd')
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    problem.compute_totals('y', 'x')
    with warnings.catch_warnings(), count_calls(problem) as counts:
        warnings.simplefilter('ignore')
        problem.check_partials(out_stream=None)
    assert counts.total('group.comp', 'coloring') == 4
    assert counts.total('group.comp', 'fd') == 0
    counts.verify()
