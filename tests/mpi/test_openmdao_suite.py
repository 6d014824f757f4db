"""OpenMDAO's own tests of approximations for two ranks pass with every component held."""

from contextlib import nullcontext

import pytest
from openmdao.utils.mpi import MPI

from mdao_seq import hold_all_declarations
from tests.approximation.test_openmdao_suite import INSTALLED, SUITE


class TwoRanks:
    """A pytest plugin: keeps the tests that are written for two ranks, and their outcomes."""

    def __init__(self):
        self.passed, self.failed = set(), set()

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if getattr(item.cls, 'N_PROCS', 1) == 2]

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.when == 'call' and report.passed:
            self.passed.add(report.nodeid)


@pytest.mark.slow
def test_all_that_pass_without_us_pass_with_us():
    outcomes = []
    for held in (False, True):
        with hold_all_declarations() if held else nullcontext():
            seen = TwoRanks()
            options = ['-q', '-p', 'no:cacheprovider', '-W', 'ignore', '--rootdir', str(INSTALLED)]
            pytest.main([*options, *(str(INSTALLED / name) for name in SUITE)], plugins=[seen])
            outcomes.append(seen)
    stock, held = outcomes
    print(f'with two ranks: {len(stock.passed)} pass in OpenMDAO, {len(held.passed)} held')
    assert len(stock.passed) > 20
    assert held.passed >= stock.passed, stock.passed - held.passed
    assert len(set(MPI.COMM_WORLD.allgather(len(held.passed)))) == 1
