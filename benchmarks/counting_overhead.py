"""What counting costs: runs and linearizations with count_calls or a recorder, beside without.

A component whose compute takes about 100 microseconds is run and linearized. "attached" counts in
memory; "recorder" writes a file, too; "detached" had a counter that has gone. Ratios below 1 are
what it costs. Run it alone: ``python benchmarks/counting_overhead.py``.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

import openmdao.api as om

from _peers import compare, main
from mdao_seq import CallCountRecorder, PerOutputFD, count_calls


class Busy(PerOutputFD, om.ExplicitComponent):
    """Does nothing for 100 microseconds."""

    def setup(self):
        """Declare two outputs with a step each."""
        self.add_input('x', shape=10)
        for name, step in (('y1', 1e-3), ('y2', 1e-2)):
            self.add_output(name)
            self.declare_partials(name, 'x', method='fd', form='central', step=step)

    def compute(self, inputs, outputs):
        """Wait: of a computation the time would not be the same twice."""
        end = perf_counter() + 1e-4
        while perf_counter() < end:
            pass


def problem_with(stack, how, folder):
    """Return a problem that is counted, or not."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Busy())
    if how == 'recorder':
        problem.add_recorder(CallCountRecorder(folder / 'calls.db'))
    problem.setup()
    problem.run_model()
    if how == 'detached':
        with count_calls(problem):
            problem.run_model()
    if how == 'attached':
        stack.enter_context(count_calls(problem))
    problem.model.run_linearize()
    return problem


def rows():
    """Yield one row for each way of counting and each thing that is counted."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        plain = problem_with(stack, 'plain', Path(folder))
        for how in ('attached', 'recorder', 'detached'):
            counted = problem_with(stack, how, Path(folder))
            stack.callback(counted.cleanup)
            for what, call in (
                ('run', lambda problem: problem.model.run_solve_nonlinear),
                ('jacobian', lambda problem: problem.model.run_linearize),
            ):
                yield compare(
                    case=how,
                    what=what,
                    ours=call(counted),
                    peers={'not counted': call(plain)},
                    unit='us',
                    scale=1e6,
                    rounds=41,
                )


if __name__ == '__main__':
    main(__doc__, rows)
