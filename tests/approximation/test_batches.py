"""A component that takes batches of points: one call a linearization, the same partials."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, count_calls, fd_cost
from tests.approximation.components import Held, problem_of


class Batched(Held):
    """Takes batches, and can refuse one, or a point of one."""

    batches = 0
    refuses = staticmethod(lambda x: np.zeros(np.shape(x), dtype=bool))

    def compute(self, inputs, outputs):
        if np.any(self.refuses(inputs['x'])):
            raise om.AnalysisError('x is refused')
        super().compute(inputs, outputs)

    def compute_batch(self, inputs, outputs):
        self.batches += 1
        if np.any(self.refuses(inputs['x'])):
            raise om.AnalysisError('x is refused')
        outputs['y1'] = inputs['x'] ** 3
        outputs['y2'][:] = np.exp(inputs['x'])


DECLARED = [
    {'of': 'y1', 'wrt': 'x', 'method': 'fd', 'step': 1e-2, 'form': 'central', 'order': 4},
    {'of': 'y2', 'wrt': 'x', 'method': 'fd', 'step': 2e-2, 'form': 'central'},
    {'of': 'y1', 'wrt': 'n', 'method': 'cs'},
]


def run(cls, declared=DECLARED[:2], x=(1.0, 2.0, 3.0), **options):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', cls(declarations=declared, x=list(x), **options))
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    return problem, comp


def partials(problem):
    return problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x'], return_format='array')


def test_one_call_makes_the_evaluations_of_a_linearization():
    one_by_one, _ = run(Held)
    problem, comp = run(Batched)
    before = len(comp.evaluated_at)
    with count_calls(problem) as counts:
        np.testing.assert_allclose(partials(problem), partials(one_by_one), rtol=1e-14)
    assert comp.batches == counts.total_calls('comp') == 1
    assert counts.total('comp') == fd_cost(comp).total == 3 * 4
    assert len(comp.evaluated_at) == before
    counts.verify()


def test_complex_steps_are_a_batch_of_their_own():
    declared = [DECLARED[0], {'of': 'y2', 'wrt': 'x', 'method': 'cs'}]
    problem, comp = run(Batched, declared)
    with count_calls(problem) as counts:
        found = partials(problem)
    np.testing.assert_allclose(found[3:], np.diag(np.exp([1.0, 2.0, 3.0])), rtol=1e-15)
    assert counts.total_calls('comp') == comp.batches == 2
    assert counts.total('comp', cause='cs') == 3
    counts.verify()


def test_a_batch_that_fails_is_run_point_by_point_and_counted():
    """The failing point is found, the others are used, and the counts agree with the plan."""
    problem, comp = run(Batched)
    comp.refuses = lambda x: np.asarray(x) > 3.011
    with count_calls(problem) as counts, pytest.warns(om.DerivativesWarning, match=r'x\[2\]'):
        found = partials(problem)
    assert list(comp.fd_fallbacks.values()) == [1, 1]
    np.testing.assert_allclose(found[:3], 3 * np.diag([1.0, 4.0, 9.0]), rtol=1e-3)
    assert comp.batches == 1
    assert counts.total('comp') == 2 * fd_cost(comp).total
    counts.verify()


def test_a_point_that_is_not_a_number_fails_alone():
    class SomeNaN(Batched):
        def compute_batch(self, inputs, outputs):
            super().compute_batch(inputs, outputs)
            outputs['y1'][inputs['x'] > 3.0] = np.nan

    problem, comp = run(SomeNaN)
    with pytest.warns(om.DerivativesWarning, match=r'x\[2\]'):
        found = partials(problem)
    np.testing.assert_allclose(found[:3], 3 * np.diag([1.0, 4.0, 9.0]), rtol=1e-3)
    assert comp.batches == 1


def test_a_class_that_overrides_compute_alone_is_evaluated_by_it():
    class Scaled(Batched):
        def compute(self, inputs, outputs):
            super().compute(inputs, outputs)
            outputs['y1'] *= 10.0

    problem, comp = run(Scaled)
    np.testing.assert_allclose(np.diag(partials(problem)[:3]), 30 * np.array([1, 4, 9]), rtol=1e-6)
    assert comp.batches == 0


class Discrete(PerOutputFD, om.ExplicitComponent):
    """y = x**n, in matrices, with an input that is not differentiated and discrete variables."""

    def setup(self):
        self.add_input('x', val=np.array([[1.0, 2.0], [3.0, 4.0]]))
        self.add_input('shift', val=np.ones(3))
        self.add_discrete_input('n', 3)
        self.add_discrete_output('said', '')
        self.add_output('y', shape=(2, 2))
        self.declare_partials('y', 'x', method='fd', form='central', step=1e-3)

    def compute(self, inputs, outputs, discrete_inputs, discrete_outputs):
        discrete_outputs['said'] = 'run'
        outputs['y'] = inputs['x'] ** discrete_inputs['n'] + inputs['shift'].sum()

    def compute_batch(self, inputs, outputs, discrete_inputs, discrete_outputs):
        discrete_outputs['said'] = 'batch'
        assert inputs['x'].shape == (8, 2, 2) and inputs['shift'].shape == (8, 3)
        with pytest.raises(ValueError, match='read-only'):
            inputs['x'][0] = 0.0
        shift = inputs['shift'].sum(axis=1)
        outputs['y'] = inputs['x'] ** discrete_inputs['n'] + shift[:, None, None]


def test_every_array_has_a_leading_axis_of_points():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Discrete())
    problem.setup()
    problem.run_model()
    found = problem.compute_totals(['comp.y'], ['comp.x'], return_format='array')
    np.testing.assert_allclose(np.diag(found), 3 * np.array([1, 4, 9, 16]), rtol=1e-5)
    assert problem.get_val('comp.said') == 'run'


def test_batches_under_a_coloring_and_scaling():
    class Diagonal(Batched):
        def setup_partials(self):
            super().setup_partials()
            self.declare_coloring(show_summary=False)

    problem, comp = run(Diagonal)
    partials(problem)
    comp.batches = 0
    found = partials(problem)
    assert comp.batches == 1 and fd_cost(comp).total == 4
    np.testing.assert_allclose(np.diag(found[:3]), 3 * np.array([1, 4, 9]), rtol=1e-6)


class Careless(PerOutputFD, om.ExplicitComponent):
    """Its compute_batch is what the test says."""

    def setup(self):
        self.add_input('x', np.ones(3))
        self.add_output('y', np.zeros(2))
        self.declare_partials('y', 'x', method='fd')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'][:2]

    def compute_batch(self, inputs, outputs):
        self.fill(inputs, outputs)


def careless(fill):
    comp = Careless()
    comp.fill = fill
    return problem_of(comp).model


def test_a_batch_of_another_shape_is_refused():
    """A bug once: it was reshaped, and the partials were wrong."""

    def fill(inputs, outputs):
        outputs['y'] = inputs['x'][:2]

    with pytest.raises(ValueError, match=r"'comp'.*compute_batch has given y the shape \(2, 3\)"):
        careless(fill).run_linearize()


def test_a_batch_that_fills_nothing_or_another_name_is_noticed():
    with pytest.raises(om.AnalysisError, match=r'no point is left; .*does compute_batch set y\?'):
        careless(lambda inputs, outputs: None).run_linearize()
    with pytest.raises(KeyError, match='compute_batch has given Y, no output'):
        careless(lambda inputs, outputs: outputs.update(Y=1.0)).run_linearize()


def test_an_error_in_a_batch_says_where():
    with pytest.raises(ZeroDivisionError) as told:
        careless(lambda inputs, outputs: 1 / 0).run_linearize()
    assert "'comp' <class Careless>: in compute_batch, at 3 points" in told.value.__notes__
