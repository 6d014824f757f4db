"""Points shared among processes: the same partials and counts, and a crash says where it was."""

import multiprocessing
import os
import signal

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, count_calls, fd_cost, hold_declarations
from tests.approximation.components import Declared, Held
from tests.approximation.test_batches import DECLARED, Batched, partials, run
from tests.approximation.test_implicit import Roots


class Telling(Held):
    """Says in y1 which process evaluated it, and crashes or fails where it is told to."""

    def compute(self, inputs, outputs):
        super().compute(inputs, outputs)
        x = inputs['x'][2].real
        if abs(x - 3.02) < 1e-9:
            os.kill(os.getpid(), signal.SIGKILL)
        if x > 3.0:
            raise om.AnalysisError(f'process {os.getpid()}')


@pytest.fixture
def spawn():
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method('spawn', force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def compare(cls, declared=DECLARED[:2], **options):
    """Check two processes against one, in every bit, and against the plan."""
    serial, _ = run(cls, declared)
    problem, comp = run(cls, declared, fd_workers=2, **options)
    with count_calls(problem) as counts:
        found = partials(problem)
    np.testing.assert_array_equal(found, partials(serial))
    assert counts.total('comp') == fd_cost(comp).total > 0
    counts.verify()
    return counts


def test_partials_are_those_of_one_process_and_counts_come_home():
    counts = compare(Held)
    assert counts.total_calls('comp') == 12
    assert sum(row.seconds for row in counts.rows()) > 0


def test_complex_steps_run_in_processes_too():
    compare(Held, [DECLARED[0], {'of': 'y2', 'wrt': 'x', 'method': 'cs'}])


def test_each_process_takes_its_part_of_a_batch():
    counts = compare(Batched)
    assert counts.total_calls('comp') == 2


def test_processes_may_be_spawned(spawn):
    compare(Held)


def test_an_option_of_held_classes_too():
    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Declared(declarations=DECLARED[:2]))
    hold_declarations(problem)
    problem.setup()
    comp.options['fd_workers'] = 2
    problem.run_model()
    before = comp.calls
    partials(problem)
    assert comp.calls == before


def test_an_implicit_component_is_evaluated_in_processes():
    totals = []
    for workers in (1, 2):
        problem = om.Problem(reports=False)
        declared = [{'of': '*', 'wrt': '*', 'method': 'fd', 'form': 'central', 'step': 1e-3}]
        comp = problem.model.add_subsystem('comp', Roots(declarations=declared, fd_workers=workers))
        comp.linear_solver = om.DirectSolver()
        problem.setup()
        problem.run_model()
        with count_calls(problem) as counts:
            totals.append(problem.compute_totals(['comp.u'], ['comp.x'], return_format='array'))
        assert counts.total('comp') == fd_cost(comp).total
        counts.verify()
    np.testing.assert_array_equal(*totals)


def test_a_failure_in_a_process_is_survived_as_in_this_one():
    problem, comp = run(Telling, [DECLARED[1] | {'step': 1e-2}], fd_workers=2, x=[1.0, 2.0, 3.0])
    with pytest.warns(om.DerivativesWarning, match=r'x\[2\] \+0\.01.*process \d+'):
        found = problem.compute_totals(['comp.y2'], ['comp.x'], return_format='array')
    assert list(comp.fd_fallbacks.values()) == [1]
    np.testing.assert_allclose(found, np.diag(np.exp([1.0, 2.0, 3.0])), rtol=1e-2, atol=1e-9)


def test_a_crash_names_the_component_the_declaration_and_the_point():
    problem, _ = run(Telling, [DECLARED[1]], fd_workers=2, x=[1.0, 2.0, 3.0])
    with pytest.raises(
        RuntimeError, match=r"'comp'.*SIGKILL at the point x\[2\] \+0\.02 of d\(y2\)/d\(x\)"
    ):
        problem.compute_totals(['comp.y2'], ['comp.x'])
    assert not multiprocessing.active_children()


class Broken(PerOutputFD, om.ExplicitComponent):
    def setup(self):
        self.add_input('x', 1.0)
        self.add_output('y', 1.0)
        self.declare_partials('y', 'x', method='fd')

    def compute(self, inputs, outputs):
        if inputs['x'] != 1.0:
            raise KeyError('no such material')


def test_another_error_is_raised_as_it_is_with_the_place_in_the_process():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Broken(fd_workers=2))
    problem.setup()
    problem.run_model()
    with pytest.raises(KeyError, match='no such material') as caught:
        problem.compute_totals(['comp.y'], ['comp.x'])
    assert 'In a worker process' in caught.value.__notes__[0]


def test_at_least_one():
    with pytest.raises(ValueError, match='fd_workers'):
        Held(fd_workers=0)
