"""step='auto': the first linearization tunes, and the result is kept."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, StepTable, count_calls, fd_cost, tune_steps


class Rounded(PerOutputFD, om.ExplicitComponent):
    """coarse = exp(x) to six digits, fine = exp(x); a step for each has to be found."""

    def initialize(self):
        self.calls = 0
        self.options.declare('declarations')

    def setup(self):
        self.add_input('x', 1.0)
        self.add_output('coarse', ref=10.0)
        self.add_output('fine')
        for of, options in self.options['declarations'].items():
            self.declare_partials(of, 'x', method='fd', **options)

    def compute(self, inputs, outputs):
        self.calls += 1
        outputs['fine'] = np.exp(inputs['x'])
        outputs['coarse'] = np.round(outputs['fine'].real, 6)


BOTH = {name: {'step': 'auto', 'form': 'central'} for name in ('coarse', 'fine')}


def build(declarations=BOTH):
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Rounded(declarations=declarations))
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    return problem, comp


def totals(problem):
    return problem.compute_totals(['comp.coarse', 'comp.fine'], ['comp.x'], return_format='array')


def test_the_first_linearization_tunes_and_later_ones_do_not(capsys):
    problem, comp = build()
    before = fd_cost(comp)
    assert before.is_upper_bound and before.total == 4
    assert 'at most 4 evaluations per linearization (the first linearization tunes' in str(before)
    comp.calls = 0
    with count_calls(problem) as counts:
        found = totals(problem)
    np.testing.assert_allclose(found[1], np.e, rtol=1e-9)
    np.testing.assert_allclose(found[0], np.e, rtol=1e-3)
    assert counts.total('comp', cause='tune') == comp.tuned_steps.spent > 0
    assert counts.total('comp') == comp.calls == comp.tuned_steps.spent + fd_cost(comp).total
    assert f'at most {comp.tuned_steps.announced} evaluations' in capsys.readouterr().out
    counts.verify()
    assert not fd_cost(comp).is_upper_bound
    coarse, fine = (comp.tuned_steps[name, 'x'].step for name in ('coarse', 'fine'))
    assert coarse > 10 * fine
    with count_calls(problem) as counts:
        problem.setup()
        problem.run_model()
        totals(problem)
    assert counts.total('comp', cause='tune') == 0
    assert capsys.readouterr().out == ''


def test_only_what_is_auto_is_tuned():
    problem, comp = build(BOTH | {'fine': {'step': 1e-3, 'form': 'central'}})
    found = totals(problem)
    np.testing.assert_allclose(found[1, 0], np.e * np.sinh(1e-3) / 1e-3, rtol=1e-10)
    assert [row.declaration.of for row in comp.tuned_steps.rows] == ['coarse']


def test_steps_are_those_of_tune_steps_and_its_table_stands_in(tmp_path):
    tuned, other = build()
    table = tune_steps(tuned, other, announce=lambda text: None)
    table.save('steps.json')
    problem, comp = build()
    StepTable.load('steps.json').apply(comp)
    with count_calls(problem) as counts:
        totals(problem)
    assert counts.total('comp', cause='tune') == 0
    by_itself, at_once = build()
    totals(by_itself)
    assert [r.step for r in at_once.tuned_steps.rows] == [r.step for r in table.rows]


def test_a_check_tunes_first_and_scaling_does_not_matter():
    problem, comp = build()
    data = problem.check_partials(out_stream=None, step=1e-4, form='central')['comp']
    assert abs(data['coarse', 'x']['J_fwd'][0, 0] - np.e) < 1e-3
    assert comp.tuned_steps.spent > 0


def test_a_complex_step_has_nothing_to_tune():
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Rounded(declarations={}))
    problem.setup()
    with pytest.raises(ValueError, match="step 'auto' is not a positive finite number"):
        comp.declare_partials('fine', 'x', method='cs', step='auto')
