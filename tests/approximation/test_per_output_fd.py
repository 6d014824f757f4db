"""PerOutputFD: every declaration holds, at the cost that was planned."""

import copy
import pickle
import warnings

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, fd_cost, hold_declarations
from tests.approximation.components import (
    BANDED,
    Banded,
    Declared,
    Held,
    HeldBanded,
    fd,
    problem_of,
)
from tests.derivative_checks import partials_of

X = 1.3


def cubic_slope(h):
    """Central difference of x**3 at X, in closed form."""
    return 3 * X**2 + h**2


def exp_slope(h):
    """Central difference of exp at X, in closed form."""
    return np.exp(X) * np.sinh(h) / h


# ---- the seed question: two outputs, one input, two steps --------------------------------------


def test_openmdao_alone_drops_the_first_step():
    """The reason for this package; when this fails, OpenMDAO has mended it."""
    comp = Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    partials = partials_of(problem_of(comp))
    assert comp.calls == 2
    assert partials['y1', 'x'] == pytest.approx(cubic_slope(0.05), rel=1e-12)


def test_each_output_keeps_its_step():
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = problem_of(comp)
    assert fd_cost(comp).total == 4
    partials = partials_of(problem)
    assert comp.calls == 4
    np.testing.assert_allclose(np.ravel(comp.evaluated_at), [1.31, 1.29, 1.35, 1.25], rtol=1e-15)
    assert partials['y1', 'x'] == pytest.approx(cubic_slope(0.01), rel=1e-12)
    assert partials['y2', 'x'] == pytest.approx(exp_slope(0.05), rel=1e-12)


def test_names_may_come_from_a_generator():
    """A bug once: the generator was empty before OpenMDAO read it, and the partials were zero."""
    comp = Held(
        declarations=[{'of': (f'y{k}' for k in (1, 2)), 'wrt': iter(['x']), 'method': 'fd'}]
    )
    partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-5)
    assert partials['y2', 'x'] == pytest.approx(np.exp(X), rel=1e-5)


def test_a_name_that_is_none_is_openmdaos_error():
    with pytest.raises(ValueError, match="the 'of' arg must be a string"):
        problem_of(Held(declarations=[{'of': 3, 'wrt': 'x', 'method': 'fd'}]))


@pytest.mark.parametrize(
    ('declarations', 'calls'),
    [
        ([fd('y*', 0.01)], 2),
        ([fd('y1', 0.01), fd('y2', 0.01)], 2),
        ([fd('y1', 0.01, form='forward'), fd('y2', 0.01)], 2),
        ([{'of': 'y1', 'wrt': 'x', 'method': 'cs'}, fd('y2', 0.05)], 3),
        ([fd('y1', 0.01, order=4), fd('y2', 0.02)], 4),
        ([fd('*', 0.01), {'of': '*', 'wrt': 'x', 'val': 1.0}], 0),
    ],
    ids=['one pattern', 'one step', 'forward and central', 'cs and fd', 'orders', 'exact over fd'],
)
def test_cost_is_known_before_it_is_spent(declarations, calls):
    comp = Held(declarations=declarations)
    problem = problem_of(comp)
    assert fd_cost(comp).total == calls
    problem.model.run_linearize()
    assert comp.calls == calls


def test_cs_and_fd_on_one_input_are_each_as_exact_as_they_are():
    comp = Held(declarations=[{'of': 'y1', 'wrt': 'x', 'method': 'cs'}, fd('y2', 0.05)])
    partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-15)
    assert partials['y2', 'x'] == pytest.approx(exp_slope(0.05), rel=1e-12)


@pytest.mark.parametrize(('form', 'order'), [('forward', 3), ('backward', 2), ('central', 6)])
def test_higher_orders(form, order):
    errors = []
    for h in (0.2, 0.1):
        comp = Held(declarations=[fd('y2', h, form=form, order=order)])
        errors.append(abs(partials_of(problem_of(comp))['y2', 'x'].item() - np.exp(X)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


# ---- what is declared later, beside, or by the component itself --------------------------------


def test_a_later_declaration_replaces_the_earlier_whole():
    """Form and step of the first are not inherited, under the same or another pattern."""
    for again in ('y1', 'y[1]'):
        comp = Held(declarations=[fd('y1', 0.01), {'of': again, 'wrt': 'x', 'method': 'fd'}])
        problem_of(comp)
        (declaration,) = fd_cost(comp).declarations
        assert (declaration.step, declaration.form) == (1e-6, 'forward')


def test_fd_then_cs_does_not_inherit_the_step():
    comp = Held(declarations=[fd('y1', 0.01), {'of': 'y1', 'wrt': 'x', 'method': 'cs'}])
    partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-15)


def test_a_constant_partial_beside_fd_keeps_its_value():
    comp = Held(declarations=[{'of': 'y1', 'wrt': 'x', 'val': 7.0}, fd('y2', 0.05)])
    partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == 7.0
    assert comp.calls == 2


def test_exact_over_fd_that_nothing_fills_is_not_a_silent_zero():
    comp = Held(declarations=[fd('y1', 0.01), {'of': 'y1', 'wrt': 'x'}])
    with pytest.warns(om.DerivativesWarning, match=r'd\(y1\)/d\(x\): declared exact after'):
        partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == pytest.approx(cubic_slope(0.01), rel=1e-12)


def test_exact_over_fd_that_compute_partials_fills_costs_nothing():
    class Exact(Held):
        def compute_partials(self, inputs, partials):
            partials['y1', 'x'] = 3 * inputs['x'] ** 2

    comp = Exact(declarations=[fd('y*', 0.01), {'of': 'y*', 'wrt': 'x'}])
    partials = partials_of(problem_of(comp))
    assert comp.calls == fd_cost(comp).total == 0
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-15)


def test_a_declaration_from_outside_comes_after_the_components_own():
    """Between setup and final_setup, as a user tries other steps on a component at hand."""
    comp = Held(declarations=[fd('*', 0.01)])
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    for _ in range(2):
        problem.setup()
        comp.declare_partials('y1', 'x', method='fd', step=0.03, form='central')
        problem.run_model()
        assert {d.of: d.step for d in fd_cost(comp).declarations} == {'y1': 0.03, 'y2': 0.01}
    assert partials_of(problem)['y1', 'x'] == pytest.approx(cubic_slope(0.03), rel=1e-12)


def test_compute_partials_fills_the_others():
    class Both(Held):
        def compute_partials(self, inputs, partials):
            partials['y1', 'x'] = 3 * inputs['x'] ** 2

    comp = Both(declarations=[{'of': 'y1', 'wrt': 'x'}, fd('y2', 0.05)])
    partials = partials_of(problem_of(comp))
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-15)
    assert partials['y2', 'x'] == pytest.approx(exp_slope(0.05), rel=1e-12)


# ---- shapes, steps and sparsity ----------------------------------------------------------------


@pytest.mark.parametrize('step_calc', ['abs', 'rel', 'rel_avg', 'rel_legacy', 'rel_element'])
@pytest.mark.parametrize('form', ['forward', 'backward', 'central'])
def test_one_declaration_is_openmdaos_own_difference(step_calc, form):
    """With nothing to hold apart, the result is stock OpenMDAO's."""
    x = np.array([[1.0, -2.0, 0.0], [0.5, 3.0, 2.0]])
    declaration = fd('*', 1e-3, form=form, step_calc=step_calc, minimum_step=1e-5)
    stock = partials_of(problem_of(Declared(x=x, declarations=[declaration])))
    held = partials_of(problem_of(Held(x=x, declarations=[declaration])))
    for key, reference in stock.items():
        np.testing.assert_allclose(held[key], reference, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    'sparsity', [{'diagonal': True}, {'rows': np.arange(4), 'cols': np.arange(4)}, {}]
)
def test_vector_inputs_sparse_or_dense(sparsity):
    x = np.array([0.5, 1.0, 1.5, 2.0])
    comp = Held(x=x, declarations=[fd('y1', 0.01, **sparsity), fd('y2', 0.05, **sparsity)])
    partials = partials_of(problem_of(comp))
    assert comp.calls == 4 * 4
    np.testing.assert_allclose(partials['y1', 'x'], np.diag(3 * x**2 + 1e-4), atol=1e-9)
    expected = np.diag(np.exp(x) * np.sinh(0.05) / 0.05)
    np.testing.assert_allclose(partials['y2', 'x'], expected, atol=1e-9)


def test_relative_steps_follow_the_input():
    comp = Held(declarations=[fd('y1', 0.1, step_calc='rel'), fd('y2', 0.1)])
    problem = problem_of(comp)
    problem.model.run_linearize()
    problem.set_val('comp.x', 2.0, units='m')
    problem.run_model()
    partials = partials_of(problem)
    assert partials['y1', 'x'] == pytest.approx(12 + 0.2**2, rel=1e-12)


def test_discrete_inputs_pass_through():
    class Discrete(PerOutputFD, om.ExplicitComponent):
        def setup(self):
            self.add_input('x', X)
            self.add_discrete_input('power', 3)
            self.add_output('y')
            self.declare_partials('y', 'x', method='fd', step=0.01, form='central')

        def compute(self, inputs, outputs, discrete_inputs, discrete_outputs):
            outputs['y'] = inputs['x'] ** discrete_inputs['power']

    partials = partials_of(problem_of(Discrete()))
    assert partials['y', 'x'] == pytest.approx(cubic_slope(0.01), rel=1e-12)


# ---- colorings ---------------------------------------------------------------------------------


@pytest.mark.parametrize('coloring', [{}, {'wrt': 'x'}, {'wrt': ['z'], 'step': 7.0}])
def test_a_coloring_leaves_every_step_alone(coloring):
    plain = HeldBanded(declarations=BANDED)
    reference = partials_of(problem_of(plain))
    comp = HeldBanded(declarations=BANDED, coloring=coloring)
    problem = problem_of(comp)
    assert str(fd_cost(comp)).startswith('comp: at most ')
    problem.model.run_linearize()
    plan = fd_cost(comp)
    assert plan.total < fd_cost(plain).total
    assert {(d.of, d.wrt, d.step) for d in plan.declarations} >= {
        ('y1', 'x', 0.01),
        ('y1', 'z', 0.02),
        ('y2', 'z', 0.05),
    }
    comp.calls = 0
    partials = partials_of(problem)
    assert comp.calls == plan.total
    for key, value in reference.items():
        np.testing.assert_allclose(partials[key], value, atol=1e-10)


def test_a_coloring_approximates_what_is_not_declared():
    """As in OpenMDAO: without a declaration all partials are approximated."""
    comp = HeldBanded(declarations=[], coloring={'method': 'cs'})
    problem = problem_of(comp)
    partials = partials_of(problem)
    x = problem.get_val('comp.x')
    np.testing.assert_allclose(np.diag(partials['y1', 'x']), 3 * x**2, rtol=1e-14)
    assert fd_cost(comp).total < 16


def test_a_component_that_is_not_held_is_predicted_with_its_coloring():
    comp = Banded(declarations=BANDED, coloring={})
    problem = problem_of(comp)
    problem.model.run_linearize()
    comp.calls = 0
    problem.model.run_linearize()
    assert fd_cost(comp).total == comp.calls


# ---- inside a model ----------------------------------------------------------------------------


def test_only_what_the_driver_needs_is_evaluated():
    """y2 is no response: its two points are neither planned nor evaluated."""
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = om.Problem(reports=False, driver=om.ScipyOptimizeDriver(disp=False))
    problem.model.add_subsystem('comp', comp)
    problem.model.add_design_var('comp.x', lower=0.5, upper=2.0)
    problem.model.add_objective('comp.y1')
    problem.setup()
    problem.final_setup()
    assert fd_cost(comp).total == 2
    problem.run_driver()
    assert problem.get_val('comp.x') == pytest.approx(0.5)
    comp.evaluated_at.clear()
    problem.compute_totals()
    assert comp.calls == 2
    comp.evaluated_at.clear()
    problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x'])
    assert comp.calls == 4


def test_units_and_scaling_are_openmdaos():
    """A step is in the input's own units, whatever the source's units and the outputs' ref."""
    problem = om.Problem(reports=False)
    ivc = problem.model.add_subsystem('ivc', om.IndepVarComp())
    ivc.add_output('x', val=X * 100, units='cm', ref=50.0)
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem.model.add_subsystem('comp', comp)
    problem.model.connect('ivc.x', 'comp.x')
    problem.setup()
    problem.run_model()
    totals = problem.compute_totals(['comp.y1', 'comp.y2'], ['ivc.x'])
    assert totals['comp.y1', 'ivc.x'] == pytest.approx(cubic_slope(0.01) / 100, rel=1e-12)
    assert totals['comp.y2', 'ivc.x'] == pytest.approx(exp_slope(0.05) / 100, rel=1e-12)


def test_the_state_is_left_as_it_was():
    comp = Held(declarations=[fd('y1', 0.01), {'of': 'y2', 'wrt': 'x', 'method': 'cs'}])
    problem = problem_of(comp)
    vectors = comp._inputs, comp._outputs, comp._residuals
    before = [vector.asarray(copy=True) for vector in vectors]
    problem.model.run_linearize()
    for vector, value in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector.asarray(), value)
    assert not (comp.under_complex_step or comp.under_finite_difference)


def test_state_is_restored_when_compute_fails():
    class Fails(Held):
        def compute(self, inputs, outputs):
            if abs(inputs['x'] - 1.25) < 1e-9:
                raise ZeroDivisionError('a defect')
            super().compute(inputs, outputs)

    comp = Fails(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = problem_of(comp)
    with pytest.raises(ZeroDivisionError, match='a defect'):
        problem.model.run_linearize()
    assert problem.get_val('comp.x') == X
    assert not comp.under_finite_difference


def test_an_outer_complex_step_falls_back_and_says_so():
    comp = Held(declarations=[{'of': 'y1', 'wrt': 'x', 'method': 'cs'}, fd('y2', 0.05)])
    problem = problem_of(comp, force_alloc_complex=True)
    problem.model._set_complex_step_mode(True)
    try:
        with pytest.warns(om.DerivativesWarning, match='Nested complex step'):
            problem.model.run_linearize()
        partials = comp._jacobian
        assert partials['comp.y1', 'comp.x'] == pytest.approx(3 * X**2, rel=1e-5)
        assert partials['comp.y2', 'comp.x'] == pytest.approx(exp_slope(0.05), rel=1e-12)
    finally:
        problem.model._set_complex_step_mode(False)


def test_check_partials_keeps_its_guard():
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = problem_of(comp)
    with pytest.warns(om.OMInvalidCheckDerivativesOptionsWarning):
        problem.check_partials(out_stream=None, method='fd', step=0.05, form='central')
    with warnings.catch_warnings():
        warnings.simplefilter('error', om.OMInvalidCheckDerivativesOptionsWarning)
        data = problem.check_partials(out_stream=None, method='fd', step=1e-6)['comp']
    error = np.asarray(data['y1', 'x']['J_fwd']) - np.asarray(data['y1', 'x']['J_fd'])
    assert error.item() == pytest.approx(0.01**2, rel=0.1)


# ---- copies ------------------------------------------------------------------------------------


def test_a_second_setup_holds_too():
    problem = problem_of(Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
    problem.model.run_linearize()
    problem.setup()
    problem.run_model()
    assert partials_of(problem)['y1', 'x'] == pytest.approx(cubic_slope(0.01), rel=1e-12)


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_deepcopy_and_pickle_hold_too(copied):
    comp = copied(Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
    assert partials_of(problem_of(comp))['y1', 'x'] == pytest.approx(cubic_slope(0.01), rel=1e-12)
    assert comp.calls == 4


# ---- what bad input gets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'step': 0}, r"<class Held>: declare_partials\('y1', 'x', method='fd'\): step 0 "),
        ({'step': -0.01}, 'step -0.01 is not a positive'),
        ({'form': 'middle'}, "form 'middle' is not one of"),
        ({'order': 3}, 'order 3 of form'),
        ({'step_calc': 'percent'}, "'percent' is not a valid setting for step_calc"),
    ],
)
def test_a_bad_declaration_is_refused_where_it_stands(options, said):
    comp = Held(declarations=[{**fd('y1', 0.01), **options}])
    with pytest.raises(ValueError, match=said):
        problem_of(comp)


@pytest.mark.parametrize('names', [('y7', 'x'), ('y1', 'z')])
def test_a_declaration_that_matches_nothing(names):
    of, wrt = names
    with pytest.raises(ValueError, match=rf'comp.*(?:{of}|{wrt})'):
        problem_of(Held(declarations=[fd(of, 0.01, wrt=wrt)]))


def test_order_means_nothing_for_exact_partials():
    with pytest.raises(ValueError, match='order=4'):
        problem_of(Held(declarations=[{'of': 'y1', 'wrt': 'x', 'order': 4}]))


def test_a_matrix_free_component_with_fd_is_an_error():
    class MatrixFree(Held):
        def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
            """Never asked."""

    with pytest.raises(RuntimeError, match=r'd\(y1\)/d\(x\).*matrix-free'):
        problem_of(MatrixFree(declarations=[fd('y1', 0.01)]))


@pytest.mark.parametrize('passed_by', ['_add_approximations', 'compute_approximations'])
def test_a_version_of_openmdao_that_passes_us_by_is_refused(passed_by, monkeypatch):
    """As on 3.36 to 3.39: no evaluation, or one step for all, and no word."""
    from mdao_seq.approximation._openmdao.held_component import HeldComponent
    from mdao_seq.approximation._openmdao.scheme import PlannedScheme

    if passed_by == '_add_approximations':
        monkeypatch.delattr(HeldComponent, passed_by)
    else:
        monkeypatch.setattr(PlannedScheme, passed_by, lambda self, system, jac: None)
    problem = problem_of(Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
    with pytest.raises(RuntimeError, match=r'OpenMDAO \d.* did not run the approximations'):
        problem.model.run_linearize()


def test_a_version_that_lacks_a_hook_is_refused_at_setup(monkeypatch):
    """As on 3.36 to 3.39, which have no _add_approximations."""
    from openmdao.core.component import Component

    from mdao_seq.approximation._openmdao import versions

    monkeypatch.delattr(Component, '_add_approximations')
    versions._lacking.cache_clear()
    try:
        with pytest.raises(RuntimeError, match=r'lacks Component._add_approximations.*3\.40\.0'):
            problem_of(Held(declarations=[fd('y1', 0.01)]))
    finally:
        versions._lacking.cache_clear()


def test_the_mixin_stands_first():
    with pytest.raises(TypeError, match='must stand before the OpenMDAO class'):

        class Late(om.ExplicitComponent, PerOutputFD):
            pass


# ---- fd_cost -----------------------------------------------------------------------------------


def test_fd_cost_of_some_partials():
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem_of(comp)
    assert fd_cost(comp, of='y1').total == 2
    assert fd_cost(comp, of=['y1', 'y2'], wrt='*').total == 4
    with pytest.raises(ValueError, match="of='y9'"):
        fd_cost(comp, of='y9')


def test_fd_cost_of_a_component_that_is_not_held_is_what_openmdao_does():
    comp = Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem_of(comp)
    plan = fd_cost(comp)
    assert (plan.total, [d.step for d in plan.declarations]) == (2, [0.05])


def test_fd_cost_before_final_setup():
    with pytest.raises(RuntimeError, match='final_setup'):
        fd_cost(Held(declarations=[fd('y1', 0.01)]))


def test_fd_cost_of_a_group_says_what_to_ask():
    problem = problem_of(Held(declarations=[fd('y1', 0.01)]))
    with pytest.raises(TypeError, match='a component is needed'):
        fd_cost(problem.model)


def test_fd_cost_of_exact_partials():
    comp = Held(declarations=[{'of': 'y1', 'wrt': 'x', 'val': 1.0}])
    problem_of(comp)
    assert str(fd_cost(comp)) == 'comp: 0 evaluations per linearization: none is approximated'


# ---- what is set up again, or overridden ---------------------------------------------------------


class Resized(PerOutputFD, om.ExplicitComponent):
    """y = x**3, and from the seventh element on y depends on x0 * x1 too; colored."""

    def initialize(self):
        self.options.declare('n')

    def setup(self):
        n = self.options['n']
        self.add_input('x', np.arange(1.0, n + 1))
        self.add_output('y', shape=n)

    def setup_partials(self):
        self.declare_coloring('x', method='fd', step=1e-3, show_summary=False, perturb_size=1e-2)

    def compute(self, inputs, outputs):
        x = inputs['x']
        outputs['y'] = x**3
        outputs['y'][6:] += x[0] * x[1]


@pytest.mark.parametrize('sizes', [(6, 8), (8, 6)])
def test_a_coloring_of_other_sizes_is_found_anew(sizes):
    """A bug once: the coloring of the first setup served the second, whose partials were wrong."""
    comp = Resized()
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    for n in sizes:
        comp.options['n'] = n
        problem.setup()
        problem.run_model()
        found = problem.compute_totals(['comp.y'], ['comp.x'])['comp.y', 'comp.x']
        x = np.arange(1.0, n + 1)
        expected = np.diag(3 * x**2 + 3e-3 * x + 1e-6)
        expected[6:, 0] += x[1]
        expected[6:, 1] += x[0]
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(('method', 'calls'), [('cs', 1), ('fd', 4)])
def test_openmdaos_option_for_all_partials_stands_above_the_declarations(method, calls):
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    comp.options['derivs_method'] = method
    partials = partials_of(problem_of(comp))
    assert fd_cost(comp).total == calls
    assert partials['y1', 'x'] == pytest.approx(3 * X**2, rel=1e-12 if method == 'cs' else 1e-4)


@pytest.mark.parametrize('declared', [('*', 'x'), ('y', 'x'), ('*', ('x',))])
def test_a_coloring_leaves_alone_what_is_declared_whatever_its_words(declared):
    """A bug once: declared in the coloring's own words ('*', wrt), it was overwritten."""

    class Colored(PerOutputFD, om.ExplicitComponent):
        def setup(self):
            self.add_input('x', np.arange(1.0, 5.0))
            self.add_output('y', shape=4)

        def setup_partials(self):
            self.declare_partials(*declared, method='cs')
            self.declare_coloring('x', method='fd', show_summary=False)

        def compute(self, inputs, outputs):
            outputs['y'] = inputs['x'] ** 3

    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Colored())
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    totals = problem.compute_totals(['comp.y'], ['comp.x'])
    np.testing.assert_allclose(totals['comp.y', 'comp.x'], np.diag(3.0 * np.arange(1, 5) ** 2))
    assert {d.method for d in fd_cost(comp).declarations} == {'cs'}


def test_what_configure_declared_once_is_not_kept_for_ever():
    """A bug once: it stood above the component's own declarations in every later setup."""

    class Configures(om.Group):
        def setup(self):
            self.add_subsystem('comp', Held(declarations=[fd('y1', 0.01)]))
            self.coarse = getattr(self, 'coarse', True)

        def configure(self):
            if self.coarse:
                self.comp.declare_partials('y1', 'x', method='fd', step=0.5)

    problem = om.Problem(reports=False)
    group = problem.model.add_subsystem('group', Configures())
    comp = None
    steps = []
    for coarse in (True, True, False):
        group.coarse = coarse
        problem.setup()
        problem.final_setup()
        comp = group.comp
        steps.append(fd_cost(comp).declarations[0].step)
    assert steps == [0.5, 0.5, 0.01]


def test_configure_of_a_component_that_stays_is_heard_in_its_own_setup_only():
    class Configures(om.Group):
        coarse = True

        def configure(self):
            if self.coarse:
                self.comp.declare_partials('y1', 'x', method='fd', step=0.5)

    for held in (False, True):
        group = Configures()
        cls = Declared if held else Held
        comp = group.add_subsystem('comp', cls(declarations=[fd('y1', 0.01)]))
        problem = om.Problem(group, reports=False)
        if held:
            hold_declarations(problem)
        steps = []
        for coarse in (True, False):
            group.coarse = coarse
            problem.setup()
            problem.final_setup()
            steps.append(fd_cost(comp).declarations[0].step)
        assert steps == [0.5, 0.01]


def test_a_group_that_is_differenced_as_a_whole_is_told():
    problem = problem_of(Held(declarations=[fd('y1', 0.01)]))
    assert not [str(w.message) for w in _warnings_of(problem)]
    problem.model.approx_totals()
    problem.setup()
    problem.run_model()
    assert 'the model is differenced as a whole' in str(_warnings_of(problem)[0].message)


def _warnings_of(problem):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        fd_cost(problem.model.comp)
    return caught


def test_the_cost_is_known_once_a_coloring_was_given_up():
    """A bug once: it stayed an upper bound for ever."""

    class Dense(PerOutputFD, om.ExplicitComponent):
        def setup(self):
            self.add_input('x', np.arange(1.0, 4.0))
            self.add_output('y', shape=3)
            self.declare_coloring('x', method='fd', show_summary=False)

        def compute(self, inputs, outputs):
            outputs['y'] = inputs['x'].sum() ** 2 * np.arange(1.0, 4.0)

    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Dense())
    problem.setup()
    problem.run_model()
    assert fd_cost(comp).is_upper_bound
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        problem.compute_totals(['comp.y'], ['comp.x'])
    assert not fd_cost(comp).is_upper_bound
    assert fd_cost(comp).total == 3


def test_fd_cost_of_a_component_whose_problem_is_gone():
    """A bug once: nobody keeps the problem of ``fd_cost(problem().model.comp)``."""

    def component():
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('comp', Held(declarations=[fd('y1', 0.01)]))
        problem.setup()
        problem.final_setup()
        return problem.model.comp

    assert fd_cost(component()).total == 2
