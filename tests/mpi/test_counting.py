"""Counts of a parallel run: each rank counts, and together they are the evaluations made.

What several ranks repeat is one evaluation; what they share among them is as many as they make. The
reference is a counter inside compute that only the ranks that pay for an evaluation raise.
"""

import json
import os
import re
from pathlib import Path

import numpy as np
import openmdao.api as om
import pytest
from openmdao.utils.mpi import MPI
from openmdao.utils.om import openmdao_cmd

from mdao_seq import CallCountRecorder, PerOutputFD, predict_calls, read_call_counts
from tests.approximation.components import Declared, Held, fd

COMM = MPI.COMM_WORLD


@pytest.fixture
def path(tmp_path):
    """One folder for both ranks."""
    return Path(COMM.bcast(tmp_path)) / 'calls.db'


def counted(problem, path, *acts):
    """Count what acts do, and return the sum over the ranks beside this rank's own counts."""
    recorder = CallCountRecorder(path)
    problem.add_recorder(recorder)
    problem.setup()
    problem.final_setup()
    for act in acts:
        act(problem)
    recorder.verify()
    problem.cleanup()
    COMM.barrier()
    summed = read_call_counts(path)
    summed.verify()
    COMM.barrier()
    return summed, recorder


def run(problem):
    problem.run_model()


def differentiate(problem):
    problem.compute_totals(['comp.y1'], ['comp.x'])


def predict(problem):
    """Predict the compute_totals that went before, on this rank."""
    (recorder,) = problem._rec_mgr
    predicted = predict_calls(problem, 'compute_totals', of=['comp.y1'], wrt=['comp.x'])
    for cause in ('fd', 'totals'):
        assert predicted.total('comp', cause) == recorder.total('comp', cause)


def check(problem):
    problem.check_partials(out_stream=None, form='backward')


def alone(cls, num_par_fd=1):
    problem = om.Problem(reports=False)
    comp = cls(declarations=[fd('y1', 0.01)], x=[1.0, 2.0, 3.0])
    comp._num_par_fd = num_par_fd
    problem.model.add_subsystem('comp', comp)
    return problem


@pytest.mark.parametrize('cls', [Declared, Held])
def test_what_every_rank_repeats_is_counted_once(path, cls):
    problem = alone(cls)
    summed, own = counted(problem, path, run, differentiate, check)
    serial = len(problem.model.comp.evaluated_at)
    assert summed.total('comp') == own.total('comp') == serial
    assert summed.linearizations == own.counts().linearizations
    assert read_call_counts(path).to_dict() == summed.to_dict()


@pytest.mark.parametrize('cls', [Declared, Held])
def test_points_that_are_shared_are_added_and_runs_are_not(path, cls):
    problem = alone(cls, num_par_fd=2)
    summed, own = counted(problem, path, run, differentiate, predict, check)
    assert own.total('comp', 'run') == summed.total('comp', 'run') == 1
    assert summed.total('comp', 'fd') == COMM.allreduce(own.total('comp', 'fd')) == 2 * 6
    # A check's own points are shared, the residuals before them are not.
    assert summed.total('comp', 'check') == 2 + 3
    assert COMM.allreduce(own.total('comp', 'check')) == 2 * 2 + 3
    assert summed.linearizations['comp'] == 2


def parallel_group():
    problem = om.Problem(reports=False)
    parallel = problem.model.add_subsystem('parallel', om.ParallelGroup())
    for name in ('a', 'b'):
        parallel.add_subsystem(name, Held(declarations=[fd('y1', 0.01), fd('y2', 0.03)]))
    return problem


def test_components_of_a_parallel_group_are_each_on_their_rank(path):
    problem = parallel_group()

    def differentiate(problem):
        names = [f'parallel.{c}.{y}' for c in 'ab' for y in ('y1', 'y2')]
        problem.compute_totals(names, ['parallel.a.x', 'parallel.b.x'])

    summed, own = counted(problem, path, run, differentiate)
    assert own.counts().components == {f'parallel.{"ab"[COMM.rank]}'}
    assert summed.components == {'parallel.a', 'parallel.b'}
    for name in summed.components:
        assert summed.total(name, 'run') == 1
        assert summed.total(name, 'fd') == 4


class HeldGroup(PerOutputFD, om.Group):
    pass


@pytest.mark.parametrize('group', [om.Group, HeldGroup])
def test_the_runs_of_a_model_whose_totals_are_shared(path, group):
    problem = om.Problem(reports=False)
    problem.model = group(num_par_fd=2)
    problem.model.add_subsystem('comp', Declared(x=[1.0, 2.0, 3.0]))
    if group is HeldGroup:
        problem.model.declare_totals('comp.y1', 'comp.x', form='central', step=1e-3)
    else:
        problem.model.approx_totals(form='central', step=1e-3)
    summed, own = counted(problem, path, run, differentiate, predict)
    assert summed.total('comp', 'run') == own.total('comp', 'run') == 1
    assert summed.total('comp', 'totals') == COMM.allreduce(own.total('comp', 'totals')) == 6
    if group is HeldGroup:
        assert summed.total('', 'fd') == 6


class Distributed(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', np.ones(2), distributed=True)
        self.add_output('y', shape=2, distributed=True)
        self.declare_partials('y', 'x', method='fd')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2


def test_a_distributed_component_is_one(path):
    problem = om.Problem(reports=False)
    source = problem.model.add_subsystem('source', om.IndepVarComp())
    source.add_output('x', np.ones(2), distributed=True)
    problem.model.add_subsystem('comp', Distributed())
    problem.model.connect('source.x', 'comp.x')

    def differentiate(problem):
        problem.compute_totals(['comp.y'], ['source.x'])

    summed, own = counted(problem, path, run, differentiate)
    assert summed.total('comp', 'run') == own.total('comp', 'run') == 1
    assert summed.total('comp', 'fd') == own.total('comp', 'fd') == 4


def test_the_report_adds_what_the_ranks_have_made(tmp_path, monkeypatch):
    """Each rank writes it when its process ends; here, they end now."""
    monkeypatch.chdir(COMM.bcast(tmp_path))
    ends = []
    monkeypatch.setattr('atexit.register', ends.append)
    problem = om.Problem(reports=['mdao_seq_calls'], name='both')
    comp = problem.model.add_subsystem('comp', Held(declarations=[fd('y1', 0.01)]))
    comp._num_par_fd = 2
    problem.setup()
    problem.run_model()
    problem.compute_totals(['comp.y1'], ['comp.x'])
    page = Path(problem.get_reports_dir()) / 'mdao_seq_calls.html'
    for rank in range(2):
        if rank == COMM.rank:
            ends[-1]()
            text = page.read_text()
            assert ('without 1 of 2 processes' in text) == (rank == 0)
            (made,) = [row for row in rows_of(text) if row['cause'] == 'fd']
            assert made['evaluations'] == made['predicted'] == 1 + rank
        COMM.barrier()


def rows_of(page):
    data = re.search(r'id="data">(.*?)</script>', page)[1]
    return json.loads(data)['rows']


def test_a_rank_whose_file_is_missing_or_of_another_run_is_named(path):
    counted(alone(Held), path, run)
    counted(alone(Held), path.with_name('other.db'), run)
    if COMM.rank == 0:
        beside, other = (path.with_name(f'{name}_1') for name in ('calls.db', 'other.db'))
        os.replace(other, beside)
        with pytest.raises(ValueError, match=r'calls\.db_1: is of another run'):
            read_call_counts(path)
        beside.unlink()
        with pytest.raises(FileNotFoundError, match=r'calls\.db_1: process 1 of 2 has no file'):
            read_call_counts(path)
    COMM.barrier()


def test_openmdao_refuses_recorders_of_systems():
    with pytest.raises(RuntimeError, match='Recording of Systems when running parallel'):
        alone(Held).model.add_recorder(CallCountRecorder('calls.db'))


SCRIPT = """
import openmdao.api as om

class Comp(om.ExplicitComponent):
    def setup(self):
        self.add_input('x', 1.0)
        self.add_output('y')
        self.declare_partials('y', 'x', method='fd', step=1e-3)
        self.declare_partials('y', 'x', method='fd', form='central')

    def compute(self, inputs, outputs):
        outputs['y'] = inputs['x'] ** 2

problem = om.Problem(reports=False, name='script')
parallel = problem.model.add_subsystem('parallel', om.ParallelGroup())
for name in 'ab':
    parallel.add_subsystem(name, Comp())
problem.setup()
problem.run_model()
problem.compute_totals(['parallel.a.y', 'parallel.b.y'], ['parallel.a.x', 'parallel.b.x'])
"""


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr('sys.argv', ['openmdao', *arguments])
    with pytest.raises(SystemExit) as end:
        openmdao_cmd()
        raise SystemExit(0)
    return capsys.readouterr().out, end.value.code


def test_the_commands_print_once_of_all_ranks(tmp_path, monkeypatch, capsys):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    out, status = command(monkeypatch, capsys, 'count_calls', str(script), '--verify')
    assert not status
    outs = COMM.allgather(out)
    assert 'parallel.a' in outs[0] and 'parallel.b' in outs[0]
    assert 'measured = predicted' in outs[0] and 'parallel' not in outs[1]


def test_the_audit_is_of_all_ranks(tmp_path, monkeypatch, capsys):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    out, status = command(monkeypatch, capsys, 'fd_audit', '--run', '--json', str(script))
    outs = COMM.allgather(out)
    found = json.loads(outs[0])
    assert {each['component'] for each in found['components']} == {'parallel.a', 'parallel.b'}
    assert outs[1] == ''
    assert status == (0 if found['holds'] else 1)
