"""Evaluations in several processes: a linearization with fd_workers beside OpenMDAO's own, serial.

A component that computes for a while (a fixed-point iteration in plain Python, which no BLAS thread
helps) is linearized by central differences of 8 inputs: 16 evaluations. Run it alone:
``python benchmarks/fd_workers.py``.
"""

import os

import numpy as np
import openmdao.api as om

from _peers import compare, main
from mdao_seq import PerOutputFD


class Slow(om.ExplicitComponent):
    """Kepler's equation for 8 mean anomalies, over and over."""

    def initialize(self):
        """Declare how slow."""
        self.options.declare('repeats', types=int, desc='how often the equation is solved')

    def setup(self):
        """Declare the variables and one central step."""
        self.add_input('mean_anomaly', np.linspace(0.1, 3.0, 8), units='rad')
        self.add_output('anomaly', shape=8, units='rad')
        self.declare_partials('*', '*', method='fd', form='central', step=1e-5)

    def compute(self, inputs, outputs):
        """Iterate."""
        for _ in range(self.options['repeats']):
            anomaly = inputs['mean_anomaly'].copy()
            for _ in range(20):
                anomaly = inputs['mean_anomaly'] + 0.3 * np.sin(anomaly)
        outputs['anomaly'] = anomaly


class HeldSlow(PerOutputFD, Slow):
    """The same, held."""


def linearizer(cls, **options):
    """Return a function that linearizes once."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', cls(**options))
    problem.setup()
    problem.run_model()
    problem.model.run_linearize()
    return problem.model.run_linearize


def rows():
    """Yield one row for each duration of an evaluation and number of processes."""
    for repeats, duration in ((30, 'about 1 ms'), (300, 'about 10 ms'), (3000, 'about 100 ms')):
        for workers in sorted({2, os.cpu_count()}):
            yield compare(
                case=f'evaluation of {duration}, {workers} processes',
                what='jacobian',
                ours=linearizer(HeldSlow, repeats=repeats, fd_workers=workers),
                peers={'OpenMDAO FD': linearizer(Slow, repeats=repeats)},
                rounds=7,
            )


if __name__ == '__main__':
    main(__doc__, rows)
