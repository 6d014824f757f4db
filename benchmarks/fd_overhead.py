"""What does the framework add to one evaluation: PerOutputFD beside OpenMDAO's own differences.

A component whose compute does nothing is linearized by both in turn, with one central step for
all, so that both make the same evaluations. Run it alone: ``python benchmarks/fd_overhead.py``.
"""

import openmdao.api as om

from _peers import compare, main
from mdao_seq import PerOutputFD


class Empty(om.ExplicitComponent):
    """No computation at all."""

    def initialize(self):
        """Declare the sizes."""
        self.options.declare('n_in', types=int, desc='size of the input')
        self.options.declare('n_out', types=int, desc='size of each of the two outputs')

    def setup(self):
        """Declare the variables."""
        self.add_input('x', shape=self.options['n_in'])
        self.add_output('y1', shape=self.options['n_out'])
        self.add_output('y2', shape=self.options['n_out'])

    def setup_partials(self):
        """Declare one step for all."""
        self.declare_partials('*', 'x', method='fd', form='central', step=1e-3)

    def compute(self, inputs, outputs):
        """Do nothing."""


class HeldEmpty(PerOutputFD, Empty):
    """The same, held."""


def linearizer(cls, n_in, n_out):
    """Return a function that linearizes once."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', cls(n_in=n_in, n_out=n_out))
    problem.setup()
    problem.run_model()
    problem.model.run_linearize()
    return problem.model.run_linearize


def rows():
    """Yield one row for each size."""
    for n_in, n_out in ((1, 1), (10, 10), (100, 10), (100, 1000)):
        evaluations = 2 * n_in
        yield compare(
            case=f'{n_in} inputs, 2 x {n_out} outputs',
            what='evaluation',
            ours=linearizer(HeldEmpty, n_in, n_out),
            peers={'OpenMDAO FD': linearizer(Empty, n_in, n_out)},
            unit='us',
            scale=1e6 / evaluations,
        )


if __name__ == '__main__':
    main(__doc__, rows)
