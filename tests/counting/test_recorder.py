"""CallCountRecorder: an OpenMDAO recorder whose file outlives the process."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import CallCountMismatch, CallCountRecorder, read_call_counts
from tests.approximation.components import Held, fd
from tests.counting.test_counter import held_problem, scipy_driver

REPOSITORY = Path(__file__).parents[2]


def optimized(*recorders, on='driver'):
    problem = held_problem(driver=scipy_driver())
    for recorder in recorders:
        {'driver': problem.driver, 'problem': problem, 'comp': problem.model.comp}[on].add_recorder(
            recorder
        )
    problem.setup()
    problem.run_driver()
    return problem


@pytest.mark.parametrize('on', ['driver', 'problem', 'comp'])
def test_wherever_it_is_attached(on):
    recorder = CallCountRecorder('./calls.db')
    problem = optimized(recorder, on=on)
    assert recorder.total('comp') == problem.model.comp.calls
    assert isinstance(recorder.total('comp'), int)
    recorder.verify()
    problem.cleanup()
    assert read_call_counts('./calls.db').table() == recorder.table()


def test_attached_to_a_group_it_counts_what_is_below():
    problem = om.Problem(reports=False)
    for name in ('a', 'b'):
        group = problem.model.add_subsystem(name, om.Group())
        group.add_subsystem('comp', Held(declarations=[fd('y1', 0.01)]))
    recorder = CallCountRecorder('./calls.db')
    problem.model.a.add_recorder(recorder)
    problem.setup()
    problem.run_model()
    assert recorder.counts().components == {'a.comp'}


def test_beside_other_recorders_and_several_at_once():
    first, second = CallCountRecorder('./first.db'), CallCountRecorder('./second.db')
    problem = optimized(first, om.SqliteRecorder('./cases.sql'), second)
    assert first.total('comp') == second.total('comp') == problem.model.comp.calls
    problem.cleanup()
    assert om.CaseReader('./cases.sql').list_cases('driver', out_stream=None)


def test_startup_is_idempotent():
    """final_setup comes again with every run; each call is still counted once."""
    recorder = CallCountRecorder('./calls.db')
    problem = optimized(recorder)
    for _ in range(3):
        problem.final_setup()
        recorder.startup(problem.driver, problem.comm)
    problem.run_model()
    problem.setup()
    problem.run_driver()
    assert recorder.total('comp') == problem.model.comp.calls
    recorder.verify()


def test_shutdown_loses_nothing_and_stops_counting():
    recorder = CallCountRecorder('./calls.db')
    problem = optimized(recorder)
    counted = recorder.total('comp')
    problem.cleanup()
    assert not {'compute', '_linearize'} & set(vars(problem.model.comp))
    assert recorder.total('comp') == read_call_counts('./calls.db').total('comp') == counted
    assert sorted(p.name for p in Path().glob('calls.db*')) == ['calls.db']


def test_a_plain_name_goes_to_the_outputs_directory():
    recorder = CallCountRecorder('calls.db')
    problem = optimized(recorder)
    problem.cleanup()
    assert recorder.path == Path(problem.get_outputs_dir()) / 'calls.db'
    read_call_counts(recorder.path).verify()


def script(text):
    """Start a process that counts; it can import the tests' components."""
    Path('script.py').write_text(textwrap.dedent(text))
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY), 'OPENMDAO_REPORTS': '0'}
    return subprocess.Popen([sys.executable, 'script.py'], env=environment)


def test_a_script_without_cleanup_leaves_all_its_counts():
    process = script("""
        from tests.counting.test_recorder import *
        problem = optimized(CallCountRecorder('./calls.db'))
        open('calls', 'w').write(str(problem.model.comp.calls))
    """)
    assert process.wait() == 0
    assert read_call_counts('./calls.db').total('comp') == int(Path('calls').read_text())


def test_counts_survive_kill_9_up_to_the_last_second():
    process = script("""
        import time
        from tests.counting.test_recorder import *
        problem = held_problem()
        problem.add_recorder(CallCountRecorder('./calls.db'))
        problem.setup()
        for run in range(10**9):
            problem.run_model()
            time.sleep(0.01)
            if problem.model.comp.calls % 10 == 0:
                open('calls.part', 'w').write(str(problem.model.comp.calls))
                __import__('os').replace('calls.part', 'calls')
    """)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if Path('calls').exists() and int(Path('calls').read_text()) > 250:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = int(Path('calls').read_text())
    kept = read_call_counts('./calls.db').total('comp')
    # At 0.01 s a call at most a hundred fit into the second that may be lost.
    assert made - 110 <= kept <= made + 20


@pytest.fixture
def finished():
    optimized(CallCountRecorder('./calls.db')).cleanup()
    return Path('calls.db')


@pytest.mark.parametrize('kept', [0.3, 0.9])
def test_a_damaged_file_is_named(finished, kept):
    data = finished.read_bytes()
    finished.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ValueError, match=r'calls\.db.*(damaged|not a file of call counts)'):
        read_call_counts(finished)


def test_a_flipped_bit_is_noticed_wherever_it_matters(finished):
    """A bug once: SQLite does not notice that a number has changed on the disk."""
    data, kept = finished.read_bytes(), read_call_counts(finished)
    rng = np.random.default_rng(5)
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    noticed = 0
    for place in rng.choice(used, 120, replace=False):
        damaged = bytearray(data)
        damaged[place] ^= 2
        finished.write_bytes(damaged)
        try:
            found = read_call_counts(finished)
        except ValueError:
            noticed += 1
        else:
            assert found.to_dict() == kept.to_dict()
    assert noticed > 60


def test_a_file_that_is_replaced_or_removed_does_not_end_a_run():
    """A bug once: cleanup raised SQLite's error, without the name of the file."""
    first, second = (optimized(CallCountRecorder('./shared.db'), on='problem') for _ in range(2))
    with pytest.warns(UserWarning, match=r'shared\.db.*replaced by another recorder'):
        first.cleanup()
    second.cleanup()
    assert read_call_counts('shared.db').total('comp') == second.model.comp.calls
    removed = optimized(CallCountRecorder('./removed.db'), on='problem')
    Path('removed.db').unlink()
    with pytest.warns(UserWarning, match=r'removed\.db.*removed'):
        removed.cleanup()


def test_a_folder_in_the_place_of_the_file_is_named():
    Path('folder.db').mkdir()
    with pytest.raises(ValueError, match=r'folder\.db.*folder'):
        optimized(CallCountRecorder('./folder.db'))
    with pytest.raises(ValueError, match=r'folder\.db.*folder'):
        read_call_counts('folder.db')


def test_other_files_are_refused_and_left_alone(finished):
    Path('text.db').write_text('precious')
    with closing(sqlite3.connect('other.db')) as connection:
        connection.execute('CREATE TABLE precious (x)')
    for name in ('text.db', 'other.db'):
        before = Path(name).read_bytes()
        with pytest.raises(ValueError, match=rf'{name}.*not a file of call counts'):
            optimized(CallCountRecorder(f'./{name}'))
        assert Path(name).read_bytes() == before
        with pytest.raises(ValueError, match='not a file of call counts'):
            read_call_counts(name)
    with pytest.raises(FileNotFoundError, match=r'missing\.db'):
        read_call_counts('missing.db')


def test_a_file_in_the_outputs_directory_is_pointed_to():
    optimized(CallCountRecorder('mine.db')).cleanup()
    with pytest.raises(FileNotFoundError, match=r'did you mean .*_out/mine\.db'):
        read_call_counts('mine.db')


def test_nothing_counted_is_nothing_verified():
    """A recorder on a driver that is then replaced sees nothing; that is no success."""
    recorder = CallCountRecorder('./calls.db')
    with pytest.raises(CallCountMismatch, match='no component is counted yet'):
        recorder.verify()
    with pytest.raises(KeyError, match='no component is counted yet'):
        recorder.total()


def test_a_solver_is_no_place_for_it():
    problem = held_problem()
    problem.model.nonlinear_solver.add_recorder(CallCountRecorder('./calls.db'))
    problem.setup()
    with pytest.raises(TypeError, match=r'calls\.db.*NonlinearRunOnce; add it to a problem'):
        problem.final_setup()


def test_a_missing_folder_is_named():
    with pytest.raises(FileNotFoundError, match=r'there is no directory .*nowhere'):
        optimized(CallCountRecorder('nowhere/calls.db'))


def test_a_file_of_a_later_version_says_so(finished):
    with closing(sqlite3.connect(finished)) as connection:
        connection.execute('PRAGMA user_version = 99')
    with pytest.raises(ValueError, match=r'version 99.*upgrade'):
        read_call_counts(finished)


def test_what_each_iteration_of_a_driver_made_is_kept(monkeypatch):
    monkeypatch.setattr('mdao_seq.counting.history.MOST', 4)
    recorder = CallCountRecorder('./calls.db')
    problem = held_problem(driver=om.DOEDriver(om.FullFactorialGenerator(levels=11)))
    problem.driver.add_recorder(recorder)
    problem.setup()
    problem.run_driver()
    problem.cleanup()
    entries = read_call_counts('./calls.db').iterations()
    assert [entry.iterations for entry in entries] == [4, 4, 3]
    assert [entry.made['comp', 'run'][0] for entry in entries] == [4, 4, 3]
    assert read_call_counts('./calls.db').to_dict() == recorder.counts().to_dict()


def test_predicted_beside_measured_over_iterations():
    recorder = CallCountRecorder('./calls.db')
    optimized(recorder).cleanup()
    entries = recorder.counts().iterations()
    assert len(entries) > 2 and entries[-1].iterations == 0
    assert all(entry.predicted == entry.measured for entry in entries)
    assert sum(e.measured.get('comp', 0) for e in entries) == recorder.total('comp', 'fd')


@pytest.mark.parametrize('version', [1, 2])
def test_a_file_of_an_earlier_version_opens(version):
    """Files as versions 0.1 wrote them, kept with the tests."""
    counts = read_call_counts(Path(__file__).parent / f'calls_of_version_{version}.db')
    assert counts.total('comp') == 9
    assert counts.total_calls('comp', 'fd') == 4
    assert not counts.iterations()
    counts.verify()
