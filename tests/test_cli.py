"""The ``openmdao`` command line: what we bring is listed, and scripts are counted unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

SCRIPT = """
import sys
import openmdao.api as om
from tests.approximation.components import Declared, Held, fd

declarations = [fd('y1', 0.01), fd('y2', 0.05)]
for cls in (Held, Declared):
    problem = om.Problem(name=cls.__name__)
    problem.model.add_subsystem('comp', cls(declarations=declarations))
    problem.setup()
    problem.run_model()
    problem.compute_totals(['comp.y1', 'comp.y2'], ['comp.x'])
    print('made', problem.model.comp.calls, *sys.argv[1:])
"""


def openmdao(*arguments, **environment):
    """Run the command line tool of this Python's environment."""
    tool = Path(sys.executable).with_name('openmdao')
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get('PYTHONPATH', '')])
    return subprocess.run(
        [tool, *arguments],
        env={**os.environ, 'PYTHONPATH': paths, 'OPENMDAO_REPORTS': '0', **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_list_installed_shows_what_we_bring():
    shown = openmdao('list_installed', '-i', 'mdao_seq')
    assert shown.returncode == 0, shown.stderr
    listed = {line.split()[0] for line in shown.stdout.splitlines() if ' mdao_seq.' in line}
    assert {'RNNComp', 'PageRankComp', 'CallCountRecorder', 'count_calls'} <= listed
    assert 'Import of' not in shown.stdout


def test_count_calls_of_a_script():
    Path('model.py').write_text(SCRIPT)
    counted = openmdao('count_calls', 'model.py', '--verify', '--', 'an argument')
    assert counted.returncode == 0, counted.stderr
    assert 'made 5 an argument' in counted.stdout
    assert 'made 3 an argument' in counted.stdout
    assert 'd(y1)/d(x) central order 2, step 0.01' in counted.stdout
    assert 'measured = predicted' in counted.stdout
    totals = [line.split()[1] for line in counted.stdout.splitlines() if line.startswith('total')]
    assert totals == ['5', '3']


@pytest.mark.parametrize('code', [0, 3])
def test_a_script_that_exits_is_counted_all_the_same(code):
    """A bug once: sys.exit(main()), also with 0, ended the command before its table."""
    Path('model.py').write_text(f'{SCRIPT}\nsys.exit({code})\n')
    counted = openmdao('count_calls', 'model.py', '--verify')
    assert counted.returncode == code
    assert 'd(y1)/d(x) central order 2, step 0.01' in counted.stdout
    assert ('measured = predicted' in counted.stdout) == (code == 0)


def test_a_script_that_fails_is_counted_up_to_there():
    Path('model.py').write_text(f'{SCRIPT}\nraise ArithmeticError("on purpose")\n')
    counted = openmdao('count_calls', 'model.py')
    assert counted.returncode == 1
    assert 'on purpose' in counted.stderr
    assert 'd(y1)/d(x) central order 2, step 0.01' in counted.stdout


def test_nothing_is_not_verified():
    Path('empty.py').write_text('print("no problem")')
    counted = openmdao('count_calls', 'empty.py', '--verify')
    assert counted.returncode == 1
    assert 'nothing to verify' in counted.stderr


def test_count_calls_of_a_recorders_file():
    Path('model.py').write_text(
        SCRIPT.replace('problem.setup()', 'problem.add_recorder(recorder); problem.setup()')
        .replace('for cls in (Held, Declared)', 'for cls in (Held,)')
        .replace('import sys', 'from mdao_seq import CallCountRecorder\nimport sys')
        .replace('declarations =', "recorder = CallCountRecorder('./calls.db')\ndeclarations =")
    )
    assert openmdao('model.py').returncode == 0
    counted = openmdao('count_calls', 'calls.db')
    assert counted.returncode == 0, counted.stderr
    assert any(line.split()[:2] == ['total', '5'] for line in counted.stdout.splitlines())


@pytest.mark.parametrize('name', ['missing.py', 'text.db', 'folder'])
def test_what_cannot_be_counted_is_named(name):
    Path('text.db').write_text('text')
    Path('folder').mkdir()
    counted = openmdao('count_calls', name)
    assert counted.returncode == 1
    assert name in counted.stderr
    assert 'Traceback' not in counted.stderr


def test_the_report_is_one_page():
    Path('model.py').write_text(SCRIPT)
    assert openmdao('model.py', OPENMDAO_REPORTS='mdao_seq_calls').returncode == 0
    page = Path('Held_out/reports/mdao_seq_calls.html').read_text()
    assert 'd(y2)/d(x) central order 2, step 0.05' in page
    assert '"evaluations": 2' in page
    assert '<h1>Evaluations of Held</h1>' in page
    assert 'http' not in page
    assert Path('Declared_out/reports/mdao_seq_calls.html').exists()


def test_the_report_is_off_unless_asked_for():
    Path('model.py').write_text(SCRIPT)
    assert openmdao('model.py', OPENMDAO_REPORTS='1').returncode == 0
    assert not list(Path().rglob('mdao_seq_calls.html'))
