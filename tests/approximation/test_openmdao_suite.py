"""OpenMDAO's own tests of approximations pass with every component held."""

import os
import re
import subprocess
import sys
from pathlib import Path

import openmdao
import pytest

pytest.importorskip('parameterized', reason="OpenMDAO's tests want it: pip install '.[test]'")

INSTALLED = Path(openmdao.__file__).parent
SUITE = [
    'core/tests/test_approx_derivs.py',
    'core/tests/test_check_partials.py',
    'core/tests/test_check_totals.py',
    'core/tests/test_partial_color.py',
    'core/tests/test_coloring.py',
    'core/tests/test_parallel_fd.py',
    'core/tests/test_expl_comp.py',
    'core/tests/test_impl_comp.py',
    'core/tests/test_distribcomp.py',
    'components/tests/test_exec_comp.py',
    'components/tests/test_external_code_comp.py',
    'jacobians/tests/test_jacobian.py',
]
PLUGIN = 'from mdao_seq import hold_all_declarations\nhold_all_declarations()\n'


def run(names, *options):
    """Run tests of the installed OpenMDAO; return (passed, ids of those that failed)."""
    environment = {**os.environ, 'OPENMDAO_REPORTS': '0'}
    environment['PYTHONPATH'] = os.pathsep.join(
        ['.', str(Path(__file__).parents[2]), os.environ.get('PYTHONPATH', '')]
    )
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-rfE', *options, *names],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = re.search(r'(\d+) passed', done.stdout)
    failed = re.findall(r'^(?:FAILED|ERROR) \S*?(openmdao/\S+)', done.stdout, re.MULTILINE)
    return int(passed[1]) if passed else 0, failed


@pytest.mark.slow
def test_all_that_pass_without_us_pass_with_us():
    Path('held_plugin.py').write_text(PLUGIN)
    passed, failed = run([INSTALLED / name for name in SUITE], '-p', 'held_plugin')
    assert passed > 500
    if failed:
        _, failed_anyway = run([INSTALLED.parent / name for name in failed])
        assert set(failed) == set(failed_anyway)
