"""The ``openmdao`` command line: what we bring is listed, and scripts are counted unchanged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openmdao.api as om
import pytest

from mdao_seq import fd_audit
from tests.approximation.components import Declared, fd

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
    assert {'RNNComp', 'PageRankComp', 'CallCountRecorder', 'count_calls', 'fd_audit'} <= listed
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


SAME_NAME = """
import openmdao.api as om

class Two(om.ExplicitComponent):
    def initialize(self):
        self.options.declare('steps')

    def setup(self):
        self.add_input('x', 1.0)
        for output, step in zip('yz', self.options['steps']):
            self.add_output(output)
            self.declare_partials(output, 'x', method='fd', step=step)

    def compute(self, inputs, outputs):
        outputs['y'] = outputs['z'] = inputs['x'] ** 2

for steps in ((1e-2, 1e-4), (1e-4, 1e-4)):
    problem = om.Problem(name='study', reports=False)
    problem.model.add_subsystem('comp', Two(steps=steps))
    problem.setup()
    problem.run_model()
"""


def test_problems_of_the_same_name_are_kept_apart():
    Path('model.py').write_text(SAME_NAME)
    counted = openmdao('count_calls', 'model.py')
    assert [line for line in counted.stdout.splitlines() if line.startswith('study')] == [
        'study',
        'study (2)',
    ]
    audited = openmdao('fd_audit', 'model.py', '--run')
    assert audited.returncode == 1
    assert '1 of 2 components lose what they declare' in audited.stdout


def test_a_problem_inside_is_counted_with_the_component():
    Path('model').write_text("""
import openmdao.api as om

inner = om.Problem(reports=False, name='inner')
inner.model.add_subsystem('e', om.ExecComp('y=x**2'), promotes=['*'])
problem = om.Problem(reports=False, name='outer')
sub = om.SubmodelComp(problem=inner, inputs=['x'], outputs=['y'])
problem.model.add_subsystem('s', sub, promotes=['*'])
problem.setup()
problem.run_model()
""")
    counted = openmdao('count_calls', 'model')
    assert 's.e' in counted.stdout
    assert '\ninner\n' not in counted.stdout


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


LOSES, HOLDS = (
    f"""
import sys
import openmdao.api as om
from tests.approximation.components import Declared, fd

problem = om.Problem(name='study')
problem.model.add_subsystem('comp', Declared(declarations=[fd('y1', {step}), fd('y2', 0.05)]))
problem.setup()
print('set up', *sys.argv[1:])
problem.run_model()
print('has run', problem.model.comp.calls)
"""
    for step in (0.01, 0.05)
)


def audit(script, *options, name='model.py'):
    Path(name).write_text(script)
    return openmdao('fd_audit', name, *options)


def test_fd_audit_of_a_script():
    audited = audit(LOSES, '--', 'an argument')
    assert audited.returncode == 1, audited.stderr
    assert 'set up an argument' in audited.stdout
    assert 'has run' not in audited.stdout
    assert 'step dropped' in audited.stdout
    assert 'class Declared(PerOutputFD, om.ExplicitComponent):' in audited.stdout
    audited = audit(HOLDS)
    assert audited.returncode == 0, audited.stderr
    assert '1 of 1 components keep all that they declare' in audited.stdout


def test_fd_audit_lets_a_script_run_if_asked():
    audited = audit(LOSES, '--run')
    assert audited.returncode == 1
    assert 'has run 1' in audited.stdout
    assert 'step dropped' in audited.stdout


def test_fd_audit_as_json():
    audited = audit(LOSES, '--json')
    assert audited.returncode == 1
    found = json.loads(audited.stdout)  # and nothing that the script has printed
    assert 'set up' in audited.stderr
    (component,) = found['components']
    assert (component['evaluations'], component['evaluations_as_declared']) == (2, 4)
    assert [f['kind'] for f in component['findings']] == ['step dropped']
    assert json.loads(audit(HOLDS, '--json').stdout)['holds'] is True


@pytest.mark.parametrize(
    ('script', 'message'),
    [
        ('raise ArithmeticError("on purpose")', 'on purpose'),
        ('import sys; sys.exit(3)', 'the script exits: 3'),
        ('this is no Python', 'SyntaxError'),
        ('print("no problem")', 'no problem reached final_setup'),
    ],
)
@pytest.mark.parametrize('options', [(), ('--json',)])
def test_fd_audit_of_a_script_that_fails(script, message, options):
    audited = audit(script, *options)
    assert audited.returncode == 2
    assert message in audited.stderr


def test_fd_audit_of_a_script_that_fails_later_shows_what_it_found():
    audited = audit(LOSES.replace('problem.run_model()', 'problem.final_setup(); 1 / 0'))
    assert audited.returncode == 2
    assert 'ZeroDivisionError' in audited.stderr
    assert 'step dropped' in audited.stdout


def test_fd_audit_of_no_script():
    audited = openmdao('fd_audit', 'missing.py')
    assert audited.returncode == 2
    assert 'missing.py: no such file' in audited.stderr
    assert 'Traceback' not in audited.stderr


@pytest.mark.parametrize(
    'call', ['run_model()', 'run_driver()', 'check_partials()', 'model.run_apply_nonlinear()']
)
def test_fd_audit_evaluates_nothing(call):
    script = LOSES.replace('problem.run_model()', f'problem.final_setup(); problem.{call}')
    audited = audit(
        script.replace('problem.setup()', 'import atexit; problem.setup()').replace(
            'print(', 'atexit.register(lambda: print("calls", problem.model.comp.calls)); print(', 1
        )
    )
    assert audited.returncode == 1, audited.stderr
    assert 'has run' not in audited.stdout
    assert 'calls 0' in audited.stdout


def test_fd_audit_lets_a_setup_run_what_it_needs():
    """A group that runs a problem of its own while it is set up; then the outer one is audited."""
    inner = """
class Group(om.Group):
    def setup(self):
        self.add_subsystem('comp', Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)]))
        inner = om.Problem(name='inner')
        inner.model.add_subsystem('comp', om.ExecComp('y = 2 * x'))
        inner.setup()
        inner.run_model()
        print('inner has run')

problem.model.add_subsystem('group', Group())
problem.setup()
"""
    audited = audit(LOSES.replace('problem.setup()', inner))
    assert audited.returncode == 1, audited.stderr
    assert 'inner has run' in audited.stdout
    assert 'has run 1' not in audited.stdout
    assert 'group.comp' in audited.stdout


def test_the_command_and_the_function_agree():
    audited = audit(LOSES, '--json')
    (component,) = json.loads(audited.stdout)['components']
    problem = om.Problem(name='study', reports=False)
    comp = Declared(declarations=[fd('y1', 0.01), fd('y2', 0.05)])
    problem.model.add_subsystem('comp', comp)
    found = fd_audit(problem)
    problem.setup()
    problem.final_setup()
    assert found.to_dict()['components'] == [component]
