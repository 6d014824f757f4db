"""tune_steps: steps from measured noise, within what was announced, and they stay."""

import json
from pathlib import Path

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, StepTable, count_calls, fd_cost, hold_declarations, tune_steps
from mdao_seq.approximation._openmdao.sampling import outputs_along
from mdao_seq.approximation.asking import Asked
from tests.approximation.components import Declared, Held


class Noisy(PerOutputFD, om.ExplicitComponent):
    """Outputs of very different noise by one input, beside what is not tuned."""

    def initialize(self):
        self.options.declare('fails_beyond', default=np.inf)
        self.calls = 0

    def setup(self):
        self.rng = np.random.default_rng(4)
        self.add_input('x', 1.3, units='m')
        self.add_input('z', [1.0, 2.0, 0.0])
        for name in ('loud', 'quiet', 'exact', 'cs', 'idle'):
            self.add_output(name)
        self.add_output('cubes', shape=3)

    def setup_partials(self):
        self.declare_partials('loud', 'x', method='fd')
        self.declare_partials('quiet', 'x', method='fd', form='central')
        self.declare_partials('idle', 'x', method='fd')
        self.declare_partials('exact', 'x', val=2.0)
        self.declare_partials('cs', 'x', method='cs')
        rows = np.arange(3)
        self.declare_partials(
            'cubes', 'z', method='fd', form='central', step_calc='rel_element', rows=rows, cols=rows
        )

    def compute(self, inputs, outputs):
        self.calls += 1
        x = inputs['x']
        if abs(x.real - 1.3) > self.options['fails_beyond']:
            raise om.AnalysisError('too far')
        outputs['loud'] = np.exp(x) * (1 + 1e-5 * self.rng.standard_normal())
        outputs['quiet'] = np.sin(x) * (1 + 1e-12 * self.rng.standard_normal())
        outputs['exact'] = 2 * x
        outputs['cs'] = x**2
        outputs['idle'] = 7.0
        outputs['cubes'] = inputs['z'] ** 3


def run(**options):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Noisy(**options))
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    return problem, comp


def quietly(line):
    """Announce to nobody."""


def test_each_output_gets_the_step_of_its_noise():
    problem, _ = run()
    table = tune_steps(problem, 'comp', announce=quietly)
    # Forward: h = sqrt(2 sqrt(2) noise / |f''|); central: h = (3 noise / (sqrt(2) |f'''|))**(1/3).
    assert table['loud', 'x'].step == pytest.approx((2 * 2**0.5 * 1e-5) ** 0.5, rel=0.7)
    quiet = (3 * 1e-12 * np.sin(1.3) / 2**0.5 / np.cos(1.3)) ** (1 / 3)
    assert table['quiet', 'x'].step == pytest.approx(quiet, rel=0.7)
    assert table['quiet', 'x'].value == pytest.approx(np.cos(1.3), rel=1e-9)
    assert table['loud', 'x'].noise == pytest.approx(1e-5 * np.exp(1.3), rel=0.7)
    assert table['cubes', 'z'].value == pytest.approx(np.linalg.norm([3.0, 12.0]), rel=1e-9)
    assert table['idle', 'x'].remark == 'does not depend on the input'
    assert {row.declaration.of for row in table.rows} == {'loud', 'quiet', 'idle', 'cubes'}
    with pytest.raises(KeyError, match='exact'):
        table['exact', 'x']


def test_the_steps_hold_in_this_setup_and_the_next_until_declared_anew():
    problem, comp = run()
    with pytest.raises(KeyError):
        tune_steps(problem, comp, announce=quietly)['cs', 'x']
    table = tune_steps(problem, comp, announce=quietly)
    table.apply(comp)
    for _ in range(2):
        steps = {(d.of, d.wrt): d.step for d in fd_cost(comp).declarations}
        assert all(steps[r.declaration.of, r.declaration.wrt] == r.step for r in table.rows)
        with count_calls(problem) as counts:
            totals = problem.compute_totals(['comp.loud', 'comp.quiet'], ['comp.x'])
        counts.verify()
        assert totals['comp.loud', 'comp.x'].item() == pytest.approx(np.exp(1.3), rel=0.03)
        assert totals['comp.quiet', 'comp.x'].item() == pytest.approx(np.cos(1.3), rel=1e-6)
        problem.setup(force_alloc_complex=True)
        problem.run_model()
    comp.declare_partials('loud', 'x', method='fd', step=0.5)
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    assert {d.of: d.step for d in fd_cost(comp).declarations}['loud'] == 0.5


def test_what_is_announced_is_not_exceeded_and_all_is_counted():
    problem, comp = run()
    before = {name: problem.get_val(f'comp.{name}').copy() for name in ('x', 'z', 'loud')}
    comp.calls, said = 0, []
    with count_calls(problem) as counts:
        table = tune_steps(problem, comp, announce=said.append)
    assert comp.calls == table.spent == counts.total('comp', cause='tune') == counts.total('comp')
    assert table.spent <= table.announced
    assert f'at most {table.announced} evaluations' in said[0]
    assert 'x (1 element), z (3 elements)' in said[0]
    counts.verify()
    for name, value in before.items():
        np.testing.assert_array_equal(problem.get_val(f'comp.{name}'), value)


def test_a_budget_is_never_exceeded():
    problem, comp = run()
    free = tune_steps(problem, comp, announce=quietly)
    least = free.trade[0][0]
    assert least < free.evaluations
    for budget in (least, free.evaluations - 1):
        table = tune_steps(problem, comp, budget=budget, announce=quietly)
        table.apply(comp)
        cs = 1
        assert fd_cost(comp).total - cs == table.evaluations <= budget
    with pytest.raises(ValueError, match=rf'budget = {least - 1}: .* takes {least} evaluations'):
        tune_steps(problem, comp, budget=least - 1, announce=quietly)


def test_an_accuracy_is_reached_at_the_least_cost():
    problem, comp = run()
    table = tune_steps(problem, comp, accuracy=0.05, announce=quietly)
    assert all(row.relative_error <= 0.05 for row in table.rows)
    assert table.evaluations == table.trade[0][0]


def test_a_table_is_saved_and_read_and_damage_is_noticed():
    problem, comp = run()
    table = tune_steps(problem, comp, announce=quietly)
    table.save('steps.json')
    assert StepTable.load('steps.json') == table
    assert 'tuning made' in str(table)
    text = Path('steps.json').read_text()
    document = json.loads(text)
    document['content']['rows'][0]['step'] *= 2
    for name, content, said in (
        ('damaged.json', json.dumps(document), 'damaged'),
        ('cut.json', text[:200], 'not a step table'),
        ('other.json', '{"format": "x"}', 'not a step table'),
        ('later.json', text.replace('"version": 1', '"version": 9'), 'upgrade'),
    ):
        Path(name).write_text(content)
        with pytest.raises(ValueError, match=rf'{name}.*{said}'):
            StepTable.load(name)


def test_a_component_that_fails_far_away_is_tuned_nearby():
    problem, comp = run(fails_beyond=0.02)
    table = tune_steps(problem, comp, announce=quietly)
    assert table['loud', 'x'].step < 0.02
    assert table['quiet', 'x'].value == pytest.approx(np.cos(1.3), rel=1e-8)
    problem, comp = run(fails_beyond=1e-12)
    with pytest.raises(ValueError, match=r"'comp'.*x\[0\]: it failed at too many"):
        tune_steps(problem, comp, announce=quietly)


def test_who_cannot_be_tuned_is_told_why():
    problem, comp = run()
    with pytest.raises(TypeError, match='no component'):
        tune_steps(problem, 'nowhere')
    with pytest.raises(ValueError, match=r'does not make.*quiet'):
        other = om.Problem(reports=False)
        held = other.model.add_subsystem('comp', Declared(declarations=[]))
        hold_declarations(other)
        other.setup()
        other.run_model()
        tune_steps(problem, comp, announce=quietly).apply(held)
    stock = om.Problem(reports=False)
    stock.model.add_subsystem('comp', Declared())
    stock.setup()
    stock.run_model()
    with pytest.raises(TypeError, match='PerOutputFD'):
        tune_steps(stock, 'comp')
    with pytest.raises(ValueError, match='no partial is declared with method fd'):
        tune_steps(other, 'comp')
    late = om.Problem(reports=False)
    late.model.add_subsystem('comp', Noisy())
    late.setup()
    with pytest.raises(RuntimeError, match='run the problem'):
        tune_steps(late, 'comp')


class Edge(PerOutputFD, om.ExplicitComponent):
    """A logarithm near the edge of its domain, beside an output that is never a number."""

    def setup(self):
        self.add_input('x', 1.0)
        self.add_output('y')
        self.add_output('lost')
        self.declare_partials('y', 'x', method='fd', form='central')

    def compute(self, inputs, outputs):
        x = inputs['x']
        if x < 0.95:
            raise om.AnalysisError('outside the domain')
        outputs['y'] = np.log(x - 0.9)
        outputs['lost'] = np.nan


def test_no_point_of_a_tuned_step_lies_where_the_component_fails():
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Edge())
    problem.setup()
    problem.run_model()
    table = tune_steps(problem, comp, announce=quietly)
    assert table['y', 'x'].step < 0.05
    table.apply(comp)
    totals = problem.compute_totals(['comp.y'], ['comp.x'])
    assert totals['comp.y', 'comp.x'].item() == pytest.approx(10.0, rel=1e-6)
    assert not comp.fd_fallbacks


def test_a_table_is_applied_where_it_can_be():
    problem, comp = run()
    table = tune_steps(problem, comp, announce=quietly)
    with pytest.raises(TypeError, match='PerOutputFD is needed'):
        table.apply(problem)
    fresh = om.Problem(reports=False)
    early = fresh.model.add_subsystem('comp', Noisy())
    fresh.setup(force_alloc_complex=True)
    with pytest.raises(RuntimeError, match='final_setup'):
        table.apply(early)
    for wrong in ({'span': 0.0}, {'elements': 0}):
        with pytest.raises(ValueError, match='must be positive'):
            tune_steps(problem, comp, announce=quietly, **wrong)


def test_what_is_sampled_along_an_input_is_the_outputs_there():
    """It was mirrored at the present outputs, which the magnitude of a derivative does not show."""
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Held(x=[1.0, 2.0]))
    problem.setup()
    problem.run_model()
    found = outputs_along(comp)(Asked(comp, (), 'tune'), 'x', 1, 0.5)
    np.testing.assert_allclose(found, [1.0, 2.5**3, np.e, np.exp(2.5)])
