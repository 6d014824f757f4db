"""The audit: what it finds OpenMDAO really does, which is proven from the component's own calls."""

import json

import numpy as np
import openmdao.api as om
import pytest
from openmdao.core.component import Component

from mdao_seq import PerOutputFD, fd_audit, fd_cost, hold_declarations
from tests.approximation.components import Banded, Declared, Held, fd

X, Z = np.array([1.3, 0.4]), np.array([2.0, 5.0])


class Probe(om.ExplicitComponent):
    """y1 = x**3 z, y2 = exp(x) z, by element; it says what `declare` does, and keeps its points."""

    def initialize(self):
        self.options.declare('declare')

    def setup(self):
        self.points = []
        self.add_input('x', X)
        self.add_input('z', Z)
        self.add_output('y1', shape=2)
        self.add_output('y2', shape=2)

    def setup_partials(self):
        self.options['declare'](self)

    def compute(self, inputs, outputs):
        x, z = inputs['x'], inputs['z']
        self.points.append((x.copy() - X, z.copy() - Z))
        outputs['y1'] = x**3 * z
        outputs['y2'] = np.exp(x) * z


class ProbeWithPartials(Probe):
    """It computes all that is exact."""

    def compute_partials(self, inputs, partials):
        x, z = inputs['x'], inputs['z']
        exact = {
            ('y1', 'x'): 3 * x**2 * z,
            ('y1', 'z'): x**3,
            ('y2', 'x'): np.exp(x) * z,
            ('y2', 'z'): np.exp(x),
        }
        for names in self.exact:
            partials[names] = np.diag(exact[names])


class MatrixFree(Probe):
    def compute_jacvec_product(self, inputs, d_inputs, d_outputs, mode):
        pass


def partials(*declarations):
    """Return what declares each of some (of, wrt, options) in turn."""

    def declare(comp):
        for of, wrt, options in declarations:
            comp.declare_partials(of, wrt, **options)

    return declare


def audited(comp, **options):
    """Return the audit of a component, and the component after one linearization."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    audit = fd_audit(problem)
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    comp.points.clear()
    comp.run_linearize()
    if options.get('again'):
        comp.points.clear()
        comp.run_linearize()
    return audit, comp


def lost(audit):
    return {(f.of, f.wrt): f.kind for f in audit.findings}


def offsets(comp, wrt='x', element=0):
    """Return by how much one element was perturbed, in the order of the calls."""
    moved = [point[wrt == 'z'][element] for point in comp.points]
    return [complex(d) if abs(d.imag) else float(d.real) for d in moved if abs(d) > 1e-15 or d.imag]


def near(*values):
    return pytest.approx(list(values), rel=1e-6)


CENTRAL = {'method': 'fd', 'form': 'central'}
FORWARD = {'method': 'fd'}
TWO_STEPS = partials(('y1', 'x', CENTRAL | {'step': 0.01}), ('y2', 'x', CENTRAL | {'step': 0.05}))


class TestTheLastOutputDecides:
    def test_step(self):
        audit, comp = audited(Probe(declare=TWO_STEPS))
        (finding,) = audit.findings
        assert (finding.component, finding.of, finding.wrt) == ('comp', 'y1', 'x')
        assert finding.kind == 'step dropped'
        assert (finding.declared.step, finding.actual.step) == (0.01, 0.05)
        assert finding.decided_by == 'd(y2)/d(x)'
        assert offsets(comp) == near(0.05, -0.05)
        (component,) = audit.components
        assert component.evaluations == len(comp.points) == 4
        assert component.evaluations_as_declared == 8

    def test_form(self):
        declare = partials(
            ('y1', 'x', CENTRAL | {'step': 0.05}), ('y2', 'x', FORWARD | {'step': 0.05})
        )
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'form dropped'}
        assert offsets(comp) == near(0.05)

    def test_step_calc(self):
        declare = partials(
            ('y1', 'x', FORWARD | {'step': 0.1, 'step_calc': 'rel_element'}),
            ('y2', 'x', FORWARD | {'step': 0.1}),
        )
        audit, comp = audited(Probe(declare=declare))
        assert {f.kind for f in audit.findings} == {'step_calc dropped'}
        assert offsets(comp) == near(0.1)

    def test_minimum_step(self):
        relative = FORWARD | {'step': 1e-9, 'step_calc': 'rel_avg'}
        declare = partials(('y1', 'x', relative | {'minimum_step': 0.2}), ('y2', 'x', relative))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'minimum_step dropped'}
        assert all(abs(d) < 1e-8 for d in offsets(comp))

    def test_fd_turned_to_cs(self):
        declare = partials(('y1', 'x', CENTRAL | {'step': 0.01}), ('y2', 'x', {'method': 'cs'}))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'fd turned to cs'}
        assert offsets(comp) == [1e-40j]

    def test_cs_turned_to_fd(self):
        declare = partials(('y1', 'x', {'method': 'cs'}), ('y2', 'x', FORWARD | {'step': 0.01}))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'cs turned to fd'}
        assert offsets(comp) == near(0.01)

    def test_a_constant_value(self):
        declare = partials(('y1', 'x', {'val': np.eye(2)}), ('y2', 'x', FORWARD))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'exact value overwritten'}
        found = comp._jacobian['y1', 'x']
        assert np.allclose(found, np.diag(3 * X**2 * Z), rtol=1e-4)  # not what was declared

    def test_of_a_pattern_made_before(self):
        """Where all is declared first, and one pair of it better."""
        declare = partials(('*', '*', FORWARD), ('y1', 'x', FORWARD | {'step': 0.01}))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'step dropped'}
        assert offsets(comp) == near(1e-6)
        assert audit.components[0].evaluations == len(comp.points)


class TestAnEarlierDeclarationStays:
    @pytest.mark.parametrize('words', [('y*', 'x'), ('*', 'x')])
    def test_exact(self, words):
        """The calls are made, and thrown away."""
        comp = ProbeWithPartials(declare=partials((*words, FORWARD), ('y*', 'x', {})))
        comp.exact = [('y1', 'x'), ('y2', 'x')]
        audit, comp = audited(comp)
        assert lost(audit) == dict.fromkeys(comp.exact, 'exact stays fd')
        assert len(comp.points) == audit.components[0].evaluations == 2
        assert audit.components[0].evaluations_as_declared == 0
        assert np.allclose(comp._jacobian['y1', 'x'], np.diag(3 * X**2 * Z), rtol=1e-14)

    def test_exact_with_a_value(self):
        declare = partials(('y1', 'x', FORWARD), ('y1', 'x', {'val': np.eye(2)}))
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'exact stays fd'}
        assert np.allclose(comp._jacobian['y1', 'x'], np.diag(3 * X**2 * Z), rtol=1e-4)

    def test_step_of_fd_under_cs(self):
        declare = partials(('y1', 'x', FORWARD | {'step': 0.01}), ('y1', 'x', {'method': 'cs'}))
        audit, comp = audited(Probe(declare=declare))
        (finding,) = audit.findings
        assert finding.kind == 'step inherited'
        assert (finding.declared.step, finding.actual.step) == (1e-40, 0.01)
        assert finding.mend == "self.declare_partials('y1', 'x', method='cs', step=1e-40)"
        assert offsets(comp) == [0.01j]

    def test_form(self):
        declare = partials(
            ('y1', 'x', CENTRAL | {'step': 0.01}), ('y1', 'x', FORWARD | {'step': 0.02})
        )
        audit, comp = audited(Probe(declare=declare))
        assert lost(audit) == {('y1', 'x'): 'form inherited'}
        assert offsets(comp) == near(0.02, -0.02)

    def test_what_is_said_again_in_the_same_words_speaks_too_early(self):
        every = ('*', 'x', FORWARD | {'step': 0.01})
        declare = partials(every, ('y1', 'x', FORWARD | {'step': 0.02}), (*every[:2], CENTRAL))
        audit, comp = audited(Probe(declare=declare))
        assert audit.findings
        assert all(f.declared.step == 1e-6 for f in audit.findings)
        assert len(offsets(comp)) == 2
        assert 1e-6 not in offsets(comp)

    def test_option_derivs_method(self):
        comp = Probe(declare=partials(('*', '*', FORWARD | {'step': 0.01})))
        comp.options['derivs_method'] = 'cs'
        audit, comp = audited(comp)
        assert set(lost(audit).values()) == {'step inherited'}
        assert offsets(comp) == [0.01j]


class TestOneOfAColoringDecides:
    def test_two_inputs(self):
        def declare(comp):
            comp.declare_partials('*', 'x', method='fd', step=0.01)
            comp.declare_partials('*', 'z', method='fd', step=0.02)
            comp.declare_coloring(method='fd', show_summary=False)

        audit, comp = audited(Probe(declare=declare), again=True)
        kinds = lost(audit)
        assert set(kinds.values()) == {'one step for a whole coloring'}
        (wrt,) = {wrt for _, wrt in kinds}
        step = {'x': 0.02, 'z': 0.01}[wrt]
        assert [d for d in offsets(comp, wrt)] == near(step)
        assert len(comp.points) == 2  # colored

    def test_one_pair_declared_before(self):
        """As published for a clock that counts in minutes: the step is lost with the coloring."""

        def declare(comp):
            comp.declare_partials('y1', 'x', method='fd', step=60.0)
            comp.declare_coloring(method='fd', show_summary=False)

        audit, comp = audited(Probe(declare=declare), again=True)
        assert lost(audit)['y1', 'x'] in ('step dropped', 'one step for a whole coloring')
        assert offsets(comp) == near(1e-6)

    def test_cs_by_the_default_of_declare_coloring(self):
        def declare(comp):
            comp.declare_partials('*', '*', method='cs')
            comp.declare_coloring(show_summary=False)

        audit, comp = audited(Probe(declare=declare), again=True)
        assert set(lost(audit).values()) == {'cs turned to fd'}
        assert not np.iscomplexobj(np.array(offsets(comp)))

    def test_of_two_methods(self):
        def declare(comp):
            comp.declare_coloring(method='cs', show_summary=False)
            comp.declare_partials('*', 'x', method='fd', step=0.01)

        audit, comp = audited(Probe(declare=declare), again=True)
        (decided,) = {f.actual for f in audit.findings}
        last = [point for point in comp.points if np.any(point[0]) or np.any(point[1])][-1]
        assert np.iscomplexobj(last[0]) == (decided.method == 'cs')
        lost_wrt = {f.wrt for f in audit.findings}
        assert lost_wrt == ({'x'} if decided.method == 'cs' else {'z'})

    def test_relative_to_each_element(self):
        def declare(comp):
            comp.declare_partials('*', '*', method='fd', step=0.1, step_calc='rel_element')
            comp.declare_coloring(method='fd', show_summary=False)

        try:
            audit, comp = audited(Probe(declare=declare), again=True)
        except ValueError:
            pytest.skip('OpenMDAO 3.40 fails here by itself')
        assert set(lost(audit).values()) == {'one step for a whole coloring'}
        steps = {*offsets(comp), *offsets(comp, element=1)}
        assert max(steps) - min(steps) < 1e-9  # though X differs

    def test_exact_before_the_coloring_is_approximated_as_said(self):
        def declare(comp):
            comp.declare_partials('*', '*')
            comp.declare_coloring(method='cs', show_summary=False)

        audit, _ = audited(Probe(declare=declare))
        assert audit.holds


def test_a_matrix_free_component_ignores_all():
    audit, comp = audited(MatrixFree(declare=TWO_STEPS))
    assert lost(audit) == dict.fromkeys([('y1', 'x'), ('y2', 'x')], 'matrix-free ignored')
    assert comp.points == []
    assert audit.components[0].evaluations == 0
    assert {f.mend for f in audit.findings} == {'self.matrix_free = False  # in setup()'}


def test_a_negative_relative_step_vanishes():
    declare = partials(('y1', 'x', FORWARD | {'step': -0.1, 'step_calc': 'rel_avg'}))
    audit, comp = audited(Probe(declare=declare))
    assert lost(audit) == {('y1', 'x'): 'negative step vanishes'}
    assert all(abs(d) < 1e-11 for d in offsets(comp))


class ByResidual(om.ImplicitComponent):
    """Two outputs under one named residual."""

    def setup(self):
        self.points = []
        self.add_input('x', X)
        self.add_output('y', shape=2)
        self.add_residual('r', shape=(2,))
        self.declare_partials('r', ['x', 'y'], method='fd', step=0.01, form='central')

    def apply_nonlinear(self, inputs, outputs, residuals):
        self.points.append((inputs['x'] - X, outputs['y'].copy()))
        residuals['r'] = outputs['y'] - inputs['x'] ** 2


def test_options_of_a_named_residual_are_dropped():
    audit, comp = audited(ByResidual())
    kinds = {(f.of, f.wrt, f.kind) for f in audit.findings}
    assert kinds == {('y', w, f'{k} dropped') for w in 'xy' for k in ('step', 'form')}
    assert offsets(comp) == near(1e-6)


def holding():
    """Return declarations that lose nothing, by name."""
    both = ['y1', 'y2']
    return {
        'one step for both outputs': partials((both, 'x', CENTRAL | {'step': 0.05})),
        'the same step said twice': partials(
            ('y1', 'x', CENTRAL | {'step': 0.05}), ('y2', 'x', CENTRAL | {'step': 0.05})
        ),
        'one declaration': partials(('y1', 'x', FORWARD | {'step': 0.05})),
        'patterns': partials(('*', '*', CENTRAL)),
        'defaults in other words': partials(
            ('y1', 'x', FORWARD), ('y2', 'x', FORWARD | {'step': 1e-6, 'form': 'forward'})
        ),
        'rows and cols': partials(
            (both, 'x', CENTRAL | {'step': 0.05, 'rows': [0, 1], 'cols': [0, 1]})
        ),
        'diagonal': partials((both, 'x', CENTRAL | {'diagonal': True})),
        'other inputs': partials(
            (both, 'x', CENTRAL | {'step': 0.05}), (both, 'z', {'method': 'cs'})
        ),
        'exact by another input': partials((both, 'z', {'val': np.eye(2)}), (both, 'x', FORWARD)),
        'zero after fd': partials(('*', 'x', FORWARD), ('y1', 'x', {'dependent': False})),
        'a pair replaced whole': partials(
            ('y1', 'x', FORWARD | {'step': 0.01}), ('y1', 'x', CENTRAL | {'step': 0.02})
        ),
        'all replaced by other words': partials(
            ('*', '*', FORWARD | {'step': 0.01}), (both, ['x', 'z'], CENTRAL | {'step': 0.02})
        ),
        'minimum step of an absolute step': partials(
            ('y1', 'x', FORWARD | {'minimum_step': 0.1}), ('y2', 'x', FORWARD)
        ),
        'step of zero means the default': partials(
            ('y1', 'x', FORWARD | {'step': 0}), ('y2', 'x', FORWARD)
        ),
    }


@pytest.mark.parametrize('name', holding())
def test_nothing_is_found_where_nothing_is_lost(name):
    audit, comp = audited(Probe(declare=holding()[name]))
    assert audit.holds, audit
    (component,) = audit.components
    assert component.evaluations == component.evaluations_as_declared == len(comp.points)


@pytest.mark.parametrize('method', ['fd', 'cs'])
def test_a_coloring_of_one_step_holds(method):
    def declare(comp):
        comp.declare_partials('*', '*', method=method)
        comp.declare_coloring(wrt='*', method=method, show_summary=False)

    audit, comp = audited(Probe(declare=declare), again=True)
    assert audit.holds, audit
    assert audit.components[0].bound
    assert len(comp.points) == 2 < audit.components[0].evaluations


def test_a_step_said_in_declare_coloring_is_meant():
    def declare(comp):
        comp.declare_partials('*', '*', method='fd', step=0.01, form='central')
        comp.declare_coloring(wrt='*', method='fd', step=0.02, show_summary=False)

    audit, comp = audited(Probe(declare=declare), again=True)
    assert audit.holds, audit
    assert offsets(comp) == near(0.02, -0.02)


def test_exact_beside_fd_that_compute_partials_fills():
    """The points serve the other output, so that none is thrown away."""
    comp = ProbeWithPartials(declare=partials(('*', 'x', FORWARD), ('y1', 'x', {})))
    comp.exact = [('y1', 'x')]
    audit, comp = audited(comp)
    assert audit.holds, audit
    assert len(comp.points) == audit.components[0].evaluations_as_declared == 2


class ByName(Probe):
    """It names what it computes."""

    def compute_partials(self, inputs, partials):
        partials['y1', 'x'] = np.diag(3 * inputs['x'] ** 2 * inputs['z'])
        partials['y2', 'x'] = np.diag(np.exp(inputs['x']) * inputs['z'])


def test_exact_that_compute_partials_does_not_name_keeps_the_approximation():
    """As published: fd for one input, then exact for all, of which compute_partials has others."""
    audit, comp = audited(ByName(declare=partials(('*', 'z', FORWARD), ('*', '*', {}))))
    assert audit.holds, audit
    assert audit.components[0].evaluations_as_declared == len(comp.points) == 2
    assert np.allclose(comp._jacobian['y1', 'z'], np.diag(X**3), rtol=1e-4)
    audit, comp = audited(ByName(declare=partials(('*', 'x', FORWARD), ('*', '*', {}))))
    assert lost(audit) == dict.fromkeys([('y1', 'x'), ('y2', 'x')], 'exact stays fd')


def test_holding_keeps_what_compute_partials_does_not_set():
    """A bug once: held, the partial was zero without a word."""
    for words in (('*', '*'), ('y*', '*')):
        comp = ByName(declare=partials(('*', 'z', CENTRAL | {'step': 0.01}), (*words, {})))
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('comp', comp)
        hold_declarations(problem)
        problem.setup()
        problem.run_model()
        comp.points.clear()
        comp.run_linearize()
        assert np.allclose(comp._jacobian['y1', 'z'], np.diag(X**3), rtol=1e-9)
        assert np.allclose(comp._jacobian['y1', 'x'], np.diag(3 * X**2 * Z), rtol=1e-14)
        assert len(comp.points) == 4


def test_an_initial_value_is_no_constant():
    declare = partials(('y1', 'x', {'val': np.eye(2)}), ('y2', 'x', FORWARD))
    audit, comp = audited(ByName(declare=declare))
    assert audit.holds, audit
    assert np.allclose(comp._jacobian['y1', 'x'], np.diag(3 * X**2 * Z), rtol=1e-14)


def test_exact_that_nothing_fills_keeps_the_approximation():
    audit, comp = audited(Probe(declare=partials(('y1', 'x', FORWARD), ('y1', 'x', {}))))
    assert audit.holds, audit
    assert np.allclose(comp._jacobian['y1', 'x'], np.diag(3 * X**2 * Z), rtol=1e-4)


def test_components_of_openmdao_hold():
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('ivc', om.IndepVarComp('x', X))
    model.add_subsystem('colored', om.ExecComp('y = 2 * x + 1', x=X, y=X))
    model.add_subsystem('diagonal', om.ExecComp('y = x**2', has_diag_partials=True, x=X, y=X))
    model.add_subsystem('balance', om.BalanceComp('u', val=1.0))
    declared = model.add_subsystem('declared', om.ExecComp('y = x * z', x=X, y=X, z=Z))
    declared.declare_partials('y', '*', method='fd', step=0.01)
    audit = fd_audit(problem)
    problem.setup()
    problem.final_setup()
    assert audit.holds, audit
    assert [each.component for each in audit.components] == ['declared']


def test_held_components_hold():
    comp = Held(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', comp)
    audit = fd_audit(problem)
    problem.setup()
    problem.final_setup()
    (component,) = audit.components
    assert audit.holds
    assert component.is_held
    assert component.evaluations == component.evaluations_as_declared == fd_cost(comp).total == 4


LOSING = {
    'two steps': TWO_STEPS,
    'fd and cs': partials(('y1', 'x', CENTRAL), ('y2', 'x', {'method': 'cs'})),
    'value': partials(('y1', 'x', {'val': np.eye(2)}), ('y2', 'x', FORWARD)),
    'pattern': partials(('*', '*', FORWARD), ('y1', 'x', FORWARD | {'step': 0.01})),
}


@pytest.mark.parametrize('name', LOSING)
def test_the_line_mends(name):
    audit, _ = audited(Probe(declare=LOSING[name]))
    assert {f.mend for f in audit.findings} == {'class Probe(PerOutputFD, om.ExplicitComponent):'}
    as_declared = audit.components[0].evaluations_as_declared
    Mended = type('Probe', (PerOutputFD, Probe), {})
    for cls, hold in ((Mended, False), (Probe, True)):
        mended = cls(declare=LOSING[name])
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('comp', mended)
        if hold:
            hold_declarations(problem)
        audit = fd_audit(problem)
        problem.setup(force_alloc_complex=True)
        problem.run_model()
        mended.points.clear()
        mended.run_linearize()
        assert audit.holds
        assert len(mended.points) == as_declared


def test_a_line_that_restates_mends_in_openmdao_itself():
    before = ('y1', 'x', CENTRAL | {'step': 0.01}), ('y1', 'x', FORWARD | {'step': 0.02})
    audit, _ = audited(Probe(declare=partials(*before)))
    (finding,) = audit.findings

    def declare(self):
        partials(*before)(self)
        exec(finding.mend)

    audit, comp = audited(Probe(declare=declare))
    assert audit.holds
    assert offsets(comp) == near(0.02)


def test_a_matrix_free_component_mended():
    class Mended(MatrixFree):
        def setup(self):
            super().setup()
            self.matrix_free = False

    audit, comp = audited(Mended(declare=partials(('y*', 'x', FORWARD))))
    assert audit.holds
    assert len(comp.points) == 2


class TestWhereItListens:
    def test_nothing_is_changed(self):
        stock = Component.declare_partials, Component.declare_coloring, Component._setup_procs
        jacobians = []
        for is_audited in (False, True):
            comp = Banded(declarations=[fd('y1', 0.01), fd('y2', 0.05, wrt='z')], coloring={})
            problem = om.Problem(reports=False)
            problem.model.add_subsystem('comp', comp)
            if is_audited:
                audit = fd_audit(problem)
            problem.setup()
            problem.final_setup()
            assert comp.calls == 0
            problem.run_model()
            jacobian = problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x', 'comp.z'])
            jacobians.append((comp.calls, {k: v.tolist() for k, v in jacobian.items()}))
        assert jacobians[0] == jacobians[1]
        assert not audit.is_empty
        assert stock == (
            Component.declare_partials,
            Component.declare_coloring,
            Component._setup_procs,
        )

    def test_declared_from_outside(self):
        """Before the audit, after it, in configure, and between setup and final_setup."""
        comps = [Declared() for _ in range(4)]

        class Configures(om.Group):
            def setup(self):
                self.add_subsystem('comp', comps[2])

            def configure(self):
                declare(comps[2])

        def declare(comp):
            for each in (fd('y1', 0.01), fd('y2', 0.05)):
                comp.declare_partials(**each)

        problem = om.Problem(reports=False)
        for k, system in enumerate([comps[0], comps[1], Configures(), comps[3]]):
            problem.model.add_subsystem(f'c{k}', system)
        declare(comps[0])
        audit = fd_audit(problem)
        declare(comps[1])
        for _ in range(2):
            problem.setup()
            declare(comps[3])
            problem.final_setup()
            assert [f.component for f in audit.findings] == ['c0', 'c1', 'c2.comp', 'c3']
            assert {f.kind for f in audit.findings} == {'step dropped'}

    def test_names_from_an_iterator(self):
        def declare(comp):
            comp.declare_partials((name for name in ('y1', 'y2')), iter(['x']), **CENTRAL)

        audit, comp = audited(Probe(declare=declare))
        assert audit.holds
        assert len(comp.points) == 4

    def test_a_problem_inside(self):
        inner = om.Problem(name='inner', reports=False)
        inner.model.add_subsystem('deep', Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
        outer = om.Problem(name='outer', reports=False)
        outer.model.add_subsystem(
            'sub', om.SubmodelComp(problem=inner, inputs=['deep.x'], outputs=['deep.y1'])
        )
        other = om.Problem(name='other', reports=False)
        other.model.add_subsystem('c', Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
        audit = fd_audit(outer)
        other.setup()
        outer.setup()
        outer.final_setup()
        other.final_setup()
        assert [(f.problem, f.component) for f in audit.findings] == [('inner', 'deep')]

    def test_a_driver_decides_what_is_evaluated(self):
        declarations = [fd('y1', 0.01), fd('y2', 0.05)]
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('comp', Declared(declarations=declarations))
        problem.model.add_design_var('comp.x')
        problem.model.add_objective('comp.y1')
        audit = fd_audit(problem)
        problem.setup()
        problem.final_setup()
        (component,) = audit.components
        assert (component.evaluations, component.evaluations_as_declared) == (2, 2)
        assert not audit.holds  # y1 is differenced with the step of y2


def test_it_comes_before_setup():
    problem = om.Problem(reports=False)
    problem.setup()
    with pytest.raises(RuntimeError, match=r'before problem\.setup\(\)'):
        fd_audit(problem)
    with pytest.raises(TypeError, match=r'an om\.Problem is needed'):
        fd_audit(problem.model)


def test_nothing_is_known_before_final_setup():
    problem = om.Problem(reports=False)
    audit = fd_audit(problem)
    with pytest.raises(RuntimeError, match='final_setup'):
        _ = audit.holds
    problem.setup()
    problem.final_setup()


def test_it_is_json():
    audit, _ = audited(Probe(declare=TWO_STEPS))
    found = json.loads(json.dumps(audit.to_dict()))
    assert found['holds'] is False
    (component,) = found['components']
    (finding,) = component['findings']
    assert finding['declared']['step'] == 0.01
    assert finding['kind'] == 'step dropped'


def test_the_table_joins_what_is_lost_alike():
    declare = partials(('y1', '*', CENTRAL | {'step': 0.01}), ('y2', '*', FORWARD | {'step': 0.05}))
    audit, _ = audited(Probe(declare=declare))
    assert len(audit.findings) == 4
    rows = [line for line in str(audit).splitlines() if 'step dropped' in line]
    assert len(rows) == 2  # each as for another partial
    assert all('step dropped, form dropped' in row for row in rows)
    assert '1 of 1 components lose what they declare' in str(audit)
