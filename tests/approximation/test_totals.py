"""declare_totals: a group that is differenced as a whole, with a step for each response."""

import copy
import multiprocessing

import numpy as np
import openmdao.api as om
import pytest
from openmdao.test_suite.components.sellar import SellarNoDerivatives
from openmdao.utils.om_warnings import OMInvalidCheckDerivativesOptionsWarning

from mdao_seq import PerOutputFD, count_calls, fd_cost, hold_declarations, tune_steps
from tests.approximation.components import Declared

X = 1.3


class Pair(PerOutputFD, om.Group):
    """y1 = x**3 and y2 = exp(x), as totals.

    Parameters
    ----------
    totals : list of dict
        Keyword arguments of declare_totals.
    """

    def initialize(self):
        self.options.declare('totals', default=[])
        self.options.declare('x', default=X)

    def setup(self):
        self.add_subsystem('comp', Declared(x=self.options['x']), promotes=['*'])
        for totals in self.options['totals']:
            self.declare_totals(**totals)


def total(of, step, wrt='x', form='central', **options):
    """Keyword arguments of declare_totals."""
    return {'of': of, 'wrt': wrt, 'step': step, 'form': form, **options}


SEED = [total('y1', 0.01), total('y2', 0.05)]
PLACES = ('model', 'below')


def problem_of(group, place='model', **setup):
    """Return a problem of a group that is the model, or stands in it, run once; and the group."""
    model = group
    if place == 'below':
        model = om.Group()
        model.add_subsystem('group', group, promotes=['*'])
    problem = om.Problem(model, reports=False)
    problem.setup(**setup)
    problem.run_model()
    return problem


def totals(problem, of=('y1', 'y2'), wrt=('x',)):
    return problem.compute_totals(list(of), list(wrt), return_format='array')


def cubic_slope(h, x=X):
    """Central difference of x**3, in closed form."""
    return 3 * x**2 + h**2


def exp_slope(h, x=X):
    """Central difference of exp, in closed form."""
    return np.exp(x) * np.sinh(h) / h


# ---- each response keeps its step ---------------------------------------------------------------


def test_openmdao_alone_has_one_step_for_all():
    """The reason for declare_totals."""
    model = om.Group()
    comp = model.add_subsystem('comp', Declared(), promotes=['*'])
    model.approx_totals(step=0.01, form='central')
    problem = problem_of(model)
    comp.evaluated_at.clear()
    found = totals(problem)
    assert comp.calls == 2
    np.testing.assert_allclose(found[:, 0], [cubic_slope(0.01), exp_slope(0.01)], rtol=1e-10)


@pytest.mark.parametrize('place', PLACES)
def test_each_response_keeps_its_step(place):
    group = Pair(totals=SEED)
    problem = problem_of(group, place)
    group.comp.evaluated_at.clear()
    for _ in range(2):
        found = totals(problem)
        np.testing.assert_allclose(found[:, 0], [cubic_slope(0.01), exp_slope(0.05)], rtol=1e-12)
    offsets = np.ravel(group.comp.evaluated_at) - X
    np.testing.assert_allclose(offsets, [0.01, -0.01, 0.05, -0.05] * 2, rtol=1e-12)


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize(
    ('declared', 'runs'),
    [
        ([total('*', 0.01)], 2),
        ([total('y1', 0.01, form='forward'), total('y2', 0.01)], 2),
        ([total('y1', 0.01, order=4), total('y2', 0.02)], 4),
        ([total('y1', 0.01), {'of': 'y2', 'wrt': 'x', 'method': 'cs'}], 3),
        ([total('*', 0.5), *SEED], 4),
        ([total('y1', 0.5, order=4), total('comp.y?', 0.01)], 2),
        ([total('y1', 0.01)], 2),
        ([{'of': 'y*', 'wrt': ['x']}], 1),
    ],
)
def test_runs_are_predicted_shared_and_verified(declared, runs, place):
    group = Pair(totals=declared)
    problem = problem_of(group, place, force_alloc_complex=True)
    assert fd_cost(group, of=['y1', 'y2'], wrt=['x']).total == runs
    group.comp.evaluated_at.clear()
    with count_calls(problem) as counts:
        totals(problem)
    assert group.comp.calls == runs
    path = 'comp' if place == 'model' else 'group.comp'
    assert counts.total(group.pathname) == counts.total(path) == counts.total() == runs
    counts.verify()


@pytest.mark.parametrize('place', PLACES)
def test_methods_may_differ(place):
    group = Pair(totals=[total('y1', 0.01), {'of': 'y2', 'wrt': 'x', 'method': 'cs'}])
    problem = problem_of(group, place, force_alloc_complex=True)
    found = totals(problem)
    np.testing.assert_allclose(found[:, 0], [cubic_slope(0.01), np.exp(X)], rtol=1e-12)


def test_a_later_call_replaces_an_earlier_one_whole():
    group = Pair(totals=[total('*', 0.5, order=4), total('y2', 0.05, form=None)])
    problem_of(group)
    plan = fd_cost(group, 'y2', 'x')
    assert [(d.form, d.order, d.step) for d in plan.declarations] == [('forward', 1, 0.05)]


def test_a_response_that_is_not_named_costs_nothing_more():
    group = Pair(totals=[total('y2', 0.05)])
    problem = problem_of(group)
    np.testing.assert_allclose(
        totals(problem)[:, 0], [cubic_slope(0.05), exp_slope(0.05)], rtol=1e-12
    )
    assert [cost for cost in fd_cost(group, ['y1', 'y2'], 'x').by_declaration.values()] == [
        (2, 0),
        (0, 2),
    ]


def test_a_variable_that_is_not_named_has_openmdaos_default():
    class Two(PerOutputFD, om.Group):
        def setup(self):
            self.add_subsystem('f', om.ExecComp('f = x**2 + z**2', x=1.0, z=2.0), promotes=['*'])
            self.declare_totals('f', 'x', step=0.1)

    problem = problem_of(Two())
    found = totals(problem, ['f'], ['x', 'z'])
    np.testing.assert_allclose(found, [[2.1, 4.0 + 1e-6]], rtol=1e-9)


def test_orders_bounds_and_extrapolation():
    group = Pair(totals=[total('y1', 0.1, bounds=(1.25, None)), total('y2', 0.3, order=4)])
    found = totals(problem_of(group))
    one_sided = np.polyfit(X + np.array([0.0, 0.1, 0.2]), (X + np.array([0.0, 0.1, 0.2])) ** 3, 2)
    np.testing.assert_allclose(found[0, 0], np.polyval(np.polyder(one_sided), X), rtol=1e-10)
    h = 0.3
    fourth = np.exp(X) * (8 * np.sinh(h) - np.sinh(2 * h)) / (6 * h)
    np.testing.assert_allclose(found[1, 0], fourth, rtol=1e-12)

    group = Pair(totals=[total('y1', 0.1), total('y2', 0.05, extrapolate=True)])
    found = totals(problem_of(group))
    (errors,) = group.fd_errors.values()
    assert abs(found[1, 0] - np.exp(X)) < abs(exp_slope(0.05) - np.exp(X)) / 100
    np.testing.assert_allclose(errors, abs(exp_slope(0.05) - found[1, 0]), rtol=1e-2)


def test_relative_steps_follow_the_variable():
    group = Pair(totals=[total('y1', 0.01, step_calc='rel_element')], x=[1.0, 2.0])
    problem = problem_of(group)
    for x in (np.array([1.0, 2.0]), np.array([3.0, 0.5])):
        problem.set_val('x', x)
        problem.run_model()
        found = totals(problem, ['y1'])
        np.testing.assert_allclose(np.diag(found), cubic_slope(0.01 * x, x), rtol=1e-10)


# ---- what a driver asks for ---------------------------------------------------------------------


def design(group, **driver):
    """Return a problem with part of a vector as design variable, and two constraints on y2."""
    group.add_subsystem('sum', om.ExecComp('f = sum(x**2)', x=np.ones(4)), promotes=['*'])
    group.set_input_defaults('x', np.linspace(0.5, 1.5, 4), units='m')
    group.add_design_var('x', indices=[2, 0], lower=0.1, upper=2.0, ref=3.0)
    group.add_objective('f', ref=0.5)
    group.add_constraint('y2', indices=[0], upper=3.0, alias='left')
    group.add_constraint('y2', indices=[3, 2], lower=1.0, alias='right', ref=10.0)
    problem = om.Problem(group, reports=False)
    problem.driver = om.ScipyOptimizeDriver(disp=False, maxiter=4, **driver)
    return problem


DESIGN = [total('f', 1e-4), total('left', 1e-3), total('right', 1e-2, form='forward')]


class Design(PerOutputFD, om.Group):
    def setup(self):
        self.add_subsystem('comp', Declared(x=np.ones(4)), promotes=['*'])
        for totals in DESIGN:
            self.declare_totals(**totals)


def test_aliases_and_indices_have_steps_of_their_own():
    group = Design()
    problem = design(group)
    problem.setup()
    problem.run_model()
    plan = fd_cost(group)
    assert [(d.of, d.step) for d in plan.declarations] == [
        ('f', 1e-4),
        ('left', 1e-3),
        ('right', 1e-2),
    ]
    assert plan.total == 2 * (2 + 2 + 1)
    found = problem.driver._compute_totals(driver_scaling=False, return_format='array')
    x = np.linspace(0.5, 1.5, 4)
    reference = np.zeros((4, 2))
    reference[0] = 2 * x[[2, 0]]
    reference[1, 1] = exp_slope(1e-3, x[0])
    reference[3, 0] = np.exp(x[2]) * (np.exp(1e-2) - 1) / 1e-2
    np.testing.assert_allclose(found, reference, rtol=1e-9, atol=1e-12)


def test_a_driver_runs_on_them_and_the_counts_hold():
    group = Design()
    problem = design(group)
    problem.setup()
    problem.final_setup()
    per_linearization = fd_cost(group).total
    with count_calls(problem) as counts:
        problem.run_driver()
    counts.verify()
    assert counts.linearizations[''] > 1
    assert counts.total('') == per_linearization * counts.linearizations['']
    assert counts.total('comp', cause='totals') == counts.total('')

    exact = design(om.Group())
    exact.model.add_subsystem('comp', om.ExecComp('y2 = exp(x)', shape=4), promotes=['*'])
    exact.setup()
    exact.run_driver()
    np.testing.assert_allclose(problem.get_val('x'), exact.get_val('x'), atol=1e-3)


def test_what_a_variable_does_not_reach_is_not_run():
    class Split(PerOutputFD, om.Group):
        def setup(self):
            self.add_subsystem('a', Declared(), promotes_inputs=['x'])
            self.add_subsystem('b', Declared(), promotes_inputs=[('x', 'z')])
            self.add_design_var('x')
            self.add_design_var('z')
            self.add_objective('a.y1')
            self.add_constraint('b.y2', upper=10.0)
            self.declare_totals('a.y1', 'x', step=0.01, form='central')
            self.declare_totals('b.*', 'z', step=0.1)
            self.declare_totals('b.*', 'x', step=0.3)

    group = Split()
    problem = problem_of(group)
    assert fd_cost(group).total == 3
    group.a.evaluated_at.clear(), group.b.evaluated_at.clear()
    found = problem.compute_totals(return_format='array')
    assert (group.a.calls, group.b.calls) == (2, 1)
    expected = [[cubic_slope(0.01), 0.0], [0.0, np.exp(X) * (np.exp(0.1) - 1) / 0.1]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_coloring_of_the_model_keeps_each_step():
    class Colored(PerOutputFD, om.Group):
        def setup(self):
            x = np.linspace(1.0, 2.0, 8)
            self.add_subsystem('comp', Declared(x=x), promotes=['*'])
            self.add_subsystem('f', om.ExecComp('f = x[0]**2', x=x), promotes=['*'])
            self.set_input_defaults('x', x, units='m')
            self.declare_totals('y1', 'x', step=0.01, form='central')
            self.declare_totals('y2', 'x', step=0.05, form='central')
            self.declare_totals('f', 'x', step=0.05, form='forward')
            self.add_design_var('x', lower=0.5, upper=3.0)
            self.add_objective('f')
            self.add_constraint('y1', upper=20.0)
            self.add_constraint('y2', indices=[1, 3], upper=20.0)

    group = Colored()
    problem = om.Problem(group, reports=False)
    problem.driver = om.ScipyOptimizeDriver(disp=False, maxiter=2)
    problem.driver.declare_coloring(show_summary=False)
    problem.setup()
    problem.final_setup()
    assert fd_cost(group).total == 8 * 4
    with count_calls(problem) as counts:
        problem.run_driver()
    counts.verify()
    assert fd_cost(group).total == 4
    problem.set_val('x', np.linspace(1.0, 2.0, 8))
    problem.run_model()
    with count_calls(problem) as counts:
        found = problem.driver._compute_totals(driver_scaling=False, return_format='array')
    assert counts.total('comp') == 4
    x = np.linspace(1.0, 2.0, 8)
    np.testing.assert_allclose(np.diag(found[1:9]), cubic_slope(0.01, x), rtol=1e-10)
    np.testing.assert_allclose(found[9:, [1, 3]], np.diag(exp_slope(0.05, x[[1, 3]])), rtol=1e-10)
    assert found[0, 0] == pytest.approx(2.05)


def test_other_totals_in_between_change_nothing():
    """In OpenMDAO the driver would go on with what was asked last."""
    group = Design()
    problem = design(group)
    problem.setup()
    problem.run_model()
    first = problem.driver._compute_totals(return_format='array').copy()
    other = problem.compute_totals(['y1'], ['x'], return_format='array')
    assert other.shape == (4, 2)
    np.testing.assert_array_equal(problem.driver._compute_totals(return_format='array'), first)


# ---- models with solvers, compared with OpenMDAO's own ------------------------------------------


def same_step(group, method, step, form):
    if isinstance(group, PerOutputFD):
        options = {'form': form} if method == 'fd' else {}
        group.declare_totals('*', '*', method=method, step=step, **options)
    else:
        group.approx_totals(method=method, step=step, form=form if method == 'fd' else None)


@pytest.mark.parametrize(
    ('solver', 'method', 'form', 'place'),
    [
        ('block', 'fd', 'forward', 'model'),
        ('block', 'fd', 'central', 'below'),
        ('block', 'cs', None, 'model'),
        ('block', 'cs', None, 'below'),
        ('newton', 'fd', 'forward', 'model'),
        ('newton', 'fd', 'central', 'model'),
    ],
)
def test_with_one_step_for_all_they_are_openmdaos(method, form, solver, place):
    """On Sellar's problem, whose components have no derivatives of their own.

    (A Newton solver of a group that is differenced converges in OpenMDAO only as the model's.)
    """
    found = []
    for cls in (SellarNoDerivatives, type('Held', (PerOutputFD, SellarNoDerivatives), {})):
        newton = om.NewtonSolver(solve_subsystems=False)
        group = cls(
            nonlinear_solver=newton if solver == 'newton' else om.NonlinearBlockGS(),
            linear_solver=om.DirectSolver,
            nl_atol=1e-11,
            nl_maxiter=60,
        )
        same_step(group, method, 1e-30 if method == 'cs' else 1e-5, form)
        problem = problem_of(group, place, force_alloc_complex=True)
        problem.set_solver_print(-1)
        found.append(totals(problem, ['obj', 'con1', 'con2'], ['x', 'z']))
    stock, held = found
    assert np.abs(stock).max() > 1.0
    np.testing.assert_allclose(held, stock, rtol=1e-5, atol=1e-5)


def test_semi_totals_take_part_in_a_larger_model():
    class Ends(PerOutputFD, om.Group):
        def setup(self):
            self.add_subsystem('a', om.ExecComp('u = x**3', x=1.0), promotes=['*'])
            self.add_subsystem('b', om.ExecComp(['v = exp(u)', 'w = u*x'], x=1.0), promotes=['*'])
            self.declare_totals('v', 'x', step=1e-3, form='central', order=4)
            self.declare_totals('w', 'x', step=0.1, form='central')

    model = om.Group()
    model.add_subsystem('before', om.ExecComp('x = 2*t', t=0.4), promotes=['*'])
    model.add_subsystem('ends', Ends(), promotes=['*'])
    model.add_subsystem('after', om.ExecComp('y = v*w'), promotes=['*'])
    problem = om.Problem(model, reports=False)
    problem.setup()
    problem.run_model()
    x = 0.8
    dv = np.exp(x**3) * 3 * x**2
    # OpenMDAO perturbs the input of each component by itself.
    dw = x * (3 * x**2 + 0.1**2) + x**3
    expected = 2 * (dv * x**4 + np.exp(x**3) * dw)
    for mode in ('fwd', 'rev'):
        problem.setup(mode=mode)
        problem.run_model()
        found = problem.compute_totals(['y'], ['t'], return_format='array').item()
        assert found == pytest.approx(expected, rel=1e-8)
    # u is nobody's: it follows, and costs nothing.
    assert fd_cost(model.ends).total == 2 * 6


class Two(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', 3.0)
        self.add_input('z', 2.0)
        self.add_output('y')
        self.add_output('w')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2 * inputs['z']
        outputs['w'] = inputs['z'] ** 3 + inputs['x']


def test_other_totals_through_a_group_below_are_of_what_is_asked():
    """A bug once: its variables were those of the first totals, and others zero, or an error."""
    group = type('Held', (PerOutputFD, om.Group), {})()
    group.add_subsystem('two', Two(), promotes=['*'])
    group.declare_totals('*', '*', step=1e-3, form='central')
    problem = problem_of(group, 'below')
    exact = {('y', 'x'): 12.0, ('y', 'z'): 9.0, ('w', 'x'): 1.0, ('w', 'z'): 12.0}
    for ofs, wrts in (('y', 'x'), ('y', 'z'), ('yw', 'xz'), ('w', 'z'), ('y', 'xz')):
        with count_calls(problem) as counts:
            found = problem.compute_totals(list(ofs), list(wrts))
        for of in ofs:
            for wrt in wrts:
                assert found[of, wrt].item() == pytest.approx(exact[of, wrt], rel=1e-6)
        counts.verify()
        assert counts.total('group') == 2 * len(wrts)


def test_components_below_keep_their_own_declarations_where_a_solver_wants_them():
    """A Newton solver of the group linearizes its components; the group is differenced outside."""
    group = type('Held', (PerOutputFD, SellarNoDerivatives), {})(
        nonlinear_solver=om.NewtonSolver(solve_subsystems=False),
        linear_solver=om.DirectSolver,
        nl_atol=1e-11,
    )
    group.declare_totals('obj', ['x', 'z'], step=1e-4, form='central')
    group.declare_totals('con*', ['x', 'z'], step=1e-3, form='central')
    problem = om.Problem(group, reports=False)
    hold_declarations(problem)
    problem.setup()
    problem.set_solver_print(-1)
    problem.run_model()
    with count_calls(problem) as counts:
        totals(problem, ['obj', 'con1', 'con2'], ['x', 'z'])
    counts.verify()
    assert counts.total('') == 12
    assert counts.linearizations['cycle.d1'] >= 12


class Coupled(PerOutputFD, om.Group):
    """y = 2 x + x**2 / 10 - z and z = 0.3 y + c, solved by Newton, itself or in a group inside."""

    def initialize(self):
        self.options.declare('linear_solver')
        self.options.declare('is_inside')

    def setup(self):
        solved = self
        if self.options['is_inside']:
            solved = self.add_subsystem('solved', om.Group(), promotes=['*'])
        y = om.ExecComp('y = 2*x + 0.1*x**2 - z', x=1.0, z=1.0)
        solved.add_subsystem('a', y, promotes=['*'])
        solved.add_subsystem('b', om.ExecComp('z = 0.3*y + c', c=1.0), promotes=['*'])
        solved.nonlinear_solver = om.NewtonSolver(
            solve_subsystems=False, iprint=-1, maxiter=20, atol=1e-13, rtol=1e-13
        )
        solved.linear_solver = self.options['linear_solver'](iprint=-1)
        self.declare_totals(['y', 'z'], ['x', 'c'], step=1e-3, form='central')


@pytest.mark.parametrize('solver', [om.DirectSolver, om.ScipyKrylov])
def test_newton_inside_of_a_differenced_group(solver):
    model = om.Group()
    model.add_subsystem('by', om.IndepVarComp('x', 1.5), promotes=['*'])
    model.add_subsystem('g', Coupled(linear_solver=solver, is_inside=True), promotes=['*'])
    problem = problem_of(model)
    found = totals(problem, ['y', 'z'], ['x'])
    np.testing.assert_allclose(found[:, 0], np.array([1.0, 0.3]) * 2.3 / 1.3, rtol=1e-8)


def test_newton_of_a_differenced_group_below_is_refused():
    """A bug once: a TypeError; OpenMDAO's own group gives zeros, or an AttributeError."""
    model = om.Group()
    model.add_subsystem('g', Coupled(linear_solver=om.DirectSolver, is_inside=False))
    with pytest.raises(RuntimeError, match=r"'g' .*its own NewtonSolver .*a group inside of it"):
        problem_of(model)


# ---- failures, checks, tuning, processes --------------------------------------------------------


class Bounded(Pair):
    def setup(self):
        super().setup()

        def compute(inputs, outputs):
            if inputs['x'].real > 1.32:
                raise om.AnalysisError('too far')
            Declared.compute(self.comp, inputs, outputs)

        self.comp.compute = compute


@pytest.mark.parametrize('place', PLACES)
def test_a_run_that_fails_costs_its_own_response_a_point(place):
    group = Bounded(totals=SEED)
    problem = problem_of(group, place)
    with pytest.warns(om.DerivativesWarning, match=r'd\(y2\)/d\(x\).*x\[0\] \+0.05.*too far'):
        found = totals(problem)
    backward = np.exp(X) * (1 - np.exp(-0.05)) / 0.05
    np.testing.assert_allclose(found[:, 0], [cubic_slope(0.01), backward], rtol=1e-10)
    assert list(group.fd_fallbacks.values()) == [1]
    assert problem.get_val('x') == X


def test_no_point_left_names_the_declaration():
    group = Bounded(totals=[total('y1', 0.1, form='forward')])
    problem = problem_of(group)
    with pytest.raises(om.AnalysisError, match=r'd\(y1\)/d\(x\).*no point is left.*too far'):
        totals(problem)


def test_check_totals_leaves_them_as_they_are():
    """OpenMDAO goes on with the options of the check."""
    group = Pair(totals=SEED)
    problem = problem_of(group, force_alloc_complex=True)
    before = totals(problem)
    with count_calls(problem) as counts:
        data = problem.check_totals(['y1', 'y2'], ['x'], method='cs', out_stream=None)
    np.testing.assert_allclose(data['y1', 'x']['J_fwd'], cubic_slope(0.01), rtol=1e-12)
    np.testing.assert_allclose(data['y1', 'x']['J_fd'], 3 * X**2, rtol=1e-14)
    counts.verify()
    assert counts.total('comp') == 4 + 1
    problem.check_totals(['y1', 'y2'], ['x'], step=[1e-3, 1e-4], out_stream=None)
    np.testing.assert_array_equal(totals(problem), before)


def test_check_totals_over_a_newton_solver():
    """The solver's own linearization is not the end of the check."""
    found = []
    for cls in (SellarNoDerivatives, type('Held', (PerOutputFD, SellarNoDerivatives), {})):
        group = cls(
            nonlinear_solver=om.NewtonSolver(solve_subsystems=False),
            linear_solver=om.DirectSolver,
            nl_atol=1e-11,
        )
        same_step(group, 'fd', 1e-4, 'central')
        problem = problem_of(group)
        problem.set_solver_print(-1)
        before = totals(problem, ['obj', 'con1'], ['x', 'z'])
        data = problem.check_totals(['obj', 'con1'], ['x', 'z'], step=1e-5, out_stream=None)
        found.append(data['obj', 'z']['J_fd'])
        if cls is not SellarNoDerivatives:
            after = totals(problem, ['obj', 'con1'], ['x', 'z'])
            np.testing.assert_allclose(after, before, rtol=1e-7)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


def test_check_totals_says_what_it_cannot_check():
    group = Pair(totals=SEED)
    problem = problem_of(group)
    with pytest.warns(OMInvalidCheckDerivativesOptionsWarning, match=r'd\(y2\)/d\(x\): declared'):
        problem.check_totals(['y1', 'y2'], ['x'], step=0.05, form='central', out_stream=None)
    np.testing.assert_allclose(totals(problem)[0, 0], cubic_slope(0.01), rtol=1e-12)


@pytest.mark.parametrize('place', PLACES)
def test_steps_of_totals_can_be_tuned(place):
    group = Pair(totals=[total('y1', 1.0), total('y2', 1.0, order=4)])
    problem = problem_of(group, place)
    if place == 'model':
        with pytest.raises(ValueError, match='no total that its driver'):
            tune_steps(problem, group, announce=lambda line: None)
        group.add_design_var('x')
        group.add_objective('y1')
        group.add_constraint('y2', upper=10.0)
        problem.setup()
        problem.run_model()
    else:
        totals(problem)
    with count_calls(problem) as counts:
        table = tune_steps(problem, group, announce=lambda line: None)
    path = f'{group.pathname}.comp'.lstrip('.')
    assert counts.total(path, cause='tune') == table.spent <= table.announced
    table.apply(group)
    np.testing.assert_allclose(totals(problem)[:, 0], [3 * X**2, np.exp(X)], rtol=1e-9)
    assert {d.step for d in fd_cost(group).declarations} == {row.step for row in table.rows}


@pytest.mark.parametrize('place', PLACES)
def test_auto_steps_are_found_once(place):
    group = Pair(totals=[total('y1', 'auto'), total('y2', 'auto')])
    problem = problem_of(group, place)
    with count_calls(problem) as counts:
        found = totals(problem), totals(problem)
    np.testing.assert_allclose(found[0][:, 0], [3 * X**2, np.exp(X)], rtol=1e-7)
    np.testing.assert_array_equal(*found)
    counts.verify()


@pytest.mark.parametrize('place', PLACES)
def test_points_in_processes(place):
    found = []
    for workers in (1, 2):
        group = Pair(totals=SEED, fd_workers=workers, x=[1.0, 2.0, 3.0])
        problem = problem_of(group, place)
        with count_calls(problem) as counts:
            found.append(totals(problem))
        counts.verify()
        path = f'{group.pathname}.comp'.lstrip('.')
        assert counts.total(group.pathname) == counts.total(path, cause='totals') == 12
    np.testing.assert_array_equal(*found)


def test_a_group_is_not_sent_to_spawned_processes(monkeypatch):
    monkeypatch.setattr(multiprocessing, 'get_start_method', lambda allow_none: 'spawn')
    group = Pair(totals=SEED, fd_workers=2)
    with pytest.raises(RuntimeError, match='fd_workers = 2: a group cannot be sent'):
        totals(problem_of(group))


# ---- setup, copies, errors ----------------------------------------------------------------------


@pytest.mark.parametrize('place', PLACES)
def test_they_survive_another_setup_and_copies(place):
    group = Pair(totals=SEED)
    problem = problem_of(group, place)
    first = totals(problem)
    problem.setup()
    problem.run_model()
    np.testing.assert_array_equal(totals(problem), first)
    twin = om.Problem(copy.deepcopy(Pair(totals=SEED)), reports=False)
    twin.setup()
    twin.run_model()
    np.testing.assert_array_equal(totals(twin), first)


def test_they_may_be_declared_in_configure_and_from_outside():
    class Configured(Pair):
        def configure(self):
            self.declare_totals('y1', 'x', step=0.02, form='central')

    group = Configured(totals=SEED)
    problem = problem_of(group)
    for _ in range(2):
        np.testing.assert_allclose(
            totals(problem)[:, 0], [cubic_slope(0.02), exp_slope(0.05)], rtol=1e-12
        )
        problem.setup()
        problem.run_model()
    assert len(group._held_totals) == 3

    group = Pair()
    group.declare_totals('y1', 'x', step=0.03, form='central')
    problem = problem_of(group)
    np.testing.assert_allclose(totals(problem)[0, 0], cubic_slope(0.03), rtol=1e-12)


def test_approx_totals_takes_its_place_back():
    group = Pair(totals=SEED)
    problem = problem_of(group)
    totals(problem)
    group.approx_totals(step=0.02, form='central')
    np.testing.assert_allclose(
        totals(problem)[:, 0], [cubic_slope(0.02), exp_slope(0.02)], rtol=1e-10
    )


def test_a_group_without_declarations_is_openmdaos():
    group = Pair()
    group.approx_totals(step=0.02, form='central')
    problem = problem_of(group)
    np.testing.assert_allclose(totals(problem)[0, 0], cubic_slope(0.02), rtol=1e-10)
    with pytest.raises(TypeError, match='declare_totals'):
        fd_cost(group)


@pytest.mark.parametrize(
    ('declared', 'message'),
    [
        (total('y3', 0.1), r"declare_totals\(of='y3'\) names no output"),
        (total('y1', 0.1, wrt='w'), r"declare_totals\(wrt='w'\) names no input"),
        (total('y1', -0.1), r"declare_totals\('y1', 'x'.*-0.1 is not a positive"),
        (total('y1', 0.1, order=3), 'order 3'),
    ],
)
def test_bad_declarations_are_refused(declared, message):
    with pytest.raises(ValueError, match=message):
        problem_of(Pair(totals=[declared]))


def test_they_are_for_groups_with_the_mixin_first():
    class Comp(PerOutputFD, om.ExplicitComponent):
        """No group."""

    with pytest.raises(TypeError, match='declare_totals is for groups'):
        Comp().declare_totals('y', 'x')
    with pytest.raises(TypeError, match=r'as in class Late\(PerOutputFD, om.Group\)'):

        class Late(om.Group, PerOutputFD):
            pass


def test_what_a_model_costs_depends_on_what_is_asked():
    group = Pair(totals=SEED)
    problem_of(group)
    with pytest.raises(RuntimeError, match='name what you will ask for'):
        fd_cost(group)
    outside = Pair()
    outside.declare_totals('y1', 'x')
    om.Problem(outside, reports=False).setup()
    with pytest.raises(RuntimeError, match='final_setup'):
        fd_cost(outside)


class HeldInside(PerOutputFD, om.Group):
    """A group of one component that has declarations of its own."""

    def initialize(self):
        self.options.declare('stock', default=False)

    def setup(self):
        self.add_subsystem('comp', Constant(), promotes=['*'])
        if self.options['stock']:
            self.approx_totals(step=0.1, form='central')
        else:
            self.declare_totals('*', 'x', step=0.1, form='central')


class Constant(PerOutputFD, om.ExplicitComponent):
    """y1 = x**3 by fd, y2 = 2 x with a constant partial."""

    def setup(self):
        self.add_input('x', X)
        self.add_output('y1')
        self.add_output('y2')
        self.declare_partials('y1', 'x', method='fd', step=1e-3)
        self.declare_partials('y2', 'x', val=2.0)

    def compute(self, inputs, outputs):
        outputs['y1'] = inputs['x'] ** 3
        outputs['y2'] = 2.0 * inputs['x'] + 0.1 * inputs['x'] ** 3


@pytest.mark.parametrize('stock', [False, True])
def test_a_component_inside_keeps_its_own_declarations(stock):
    """A bug once: the group's options, and values, were written into the component's."""
    group = HeldInside(stock=stock)
    problem = problem_of(group, 'below')
    for _ in range(2):
        totals(problem)
        plan = fd_cost(group.comp)
        assert [(d.of, d.form, d.step) for d in plan.declarations] == [('y1', 'forward', 1e-3)]
    data = problem.check_partials(out_stream=None, form='central', step=1e-4)['group.comp']
    assert data['y1', 'x']['J_fwd'].item() == pytest.approx(((X + 1e-3) ** 3 - X**3) / 1e-3)
    if not stock:
        assert data['y2', 'x']['J_fwd'].item() == 2.0
