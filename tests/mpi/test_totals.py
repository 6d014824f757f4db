"""declare_totals with two ranks: parallel groups, distributed variables, shared points."""

import numpy as np
import openmdao.api as om
import pytest
from openmdao.utils.mpi import MPI

from mdao_seq import PerOutputFD, count_calls, fd_cost
from tests.approximation.components import Declared
from tests.approximation.test_totals import Pair, X, cubic_slope, exp_slope, problem_of, total

COMM = MPI.COMM_WORLD
PLACES = ('model', 'below')


def agreed(problem, of, wrt):
    """Return the totals, which every rank has to know alike."""
    found = problem.compute_totals(of, wrt, return_format='array')
    assert len({array.tobytes() for array in COMM.allgather(found)}) == 1
    return found


class Side(PerOutputFD, om.Group):
    """Two components, one on each rank, and one that needs both."""

    def setup(self):
        sides = self.add_subsystem('sides', om.ParallelGroup(), promotes=['*'])
        sides.add_subsystem('left', Declared(), promotes_inputs=['x'])
        sides.add_subsystem('right', Declared(), promotes_inputs=[('x', 'z')])
        self.add_subsystem('both', om.ExecComp('f = a * b'), promotes_outputs=['f'])
        self.connect('left.y1', 'both.a')
        self.connect('right.y2', 'both.b')
        self.declare_totals('left.y1', 'x', step=0.01, form='central')
        self.declare_totals('right.y2', 'z', step=0.05, form='central')
        self.declare_totals('f', ['x', 'z'], step=0.1, form='central')


@pytest.mark.parametrize('place', PLACES)
def test_a_parallel_group(place):
    group = Side()
    problem = problem_of(group, place)
    with count_calls(problem) as counts:
        found = agreed(problem, ['left.y1', 'right.y2', 'f'], ['x', 'z'])
    expected = [
        [cubic_slope(0.01), 0.0],
        [0.0, exp_slope(0.05)],
        [cubic_slope(0.1) * np.exp(X), X**3 * exp_slope(0.1)],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    counts.verify()
    assert counts.total(group.pathname) == 8


class Mean(om.ExplicitComponent):
    """f = mean(x**3) and g = mean(exp(x)), of 2 elements on rank 0 and 1 on rank 1."""

    def setup(self):
        size = 2 - self.comm.rank
        self.add_input('x', np.arange(1.0, size + 1.0) + 2.0 * self.comm.rank, distributed=True)
        self.add_output('f')
        self.add_output('g')
        self.add_output('spread', shape=size, distributed=True)

    def compute(self, inputs, outputs):
        x = inputs['x']
        outputs['f'] = self.comm.allreduce(np.sum(x**3)) / 3
        outputs['g'] = self.comm.allreduce(np.sum(np.exp(x))) / 3
        outputs['spread'] = x * outputs['f']


def test_distributed_variables():
    class Model(PerOutputFD, om.Group):
        def setup(self):
            size = 2 - self.comm.rank
            ivc = self.add_subsystem('ivc', om.IndepVarComp(), promotes=['*'])
            value = np.arange(1.0, size + 1.0) + 2.0 * self.comm.rank
            ivc.add_output('x', value, distributed=True)
            self.add_subsystem('mean', Mean(), promotes=['*'])
            self.declare_totals('f', 'x', step=0.01, form='central')
            self.declare_totals('g', 'x', step=0.05, form='central')
            self.declare_totals('spread', 'x', step=0.02, form='forward')

    group = Model()
    problem = problem_of(group)
    assert fd_cost(group, ['f', 'g', 'spread'], ['x']).total == 3 * 5
    with count_calls(problem) as counts:
        found = agreed(problem, ['f', 'g', 'spread'], ['x'])
    counts.verify()
    assert counts.total('') == counts.total('mean') == 15
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(found[0], cubic_slope(0.01, x) / 3, rtol=1e-9)
    np.testing.assert_allclose(found[1], exp_slope(0.05, x) / 3, rtol=1e-9)
    h = 0.02
    slope = ((x + h) ** 3 - x**3) / (3 * h)
    spread = np.outer(x, slope) + np.diag(12.0 + slope * h)
    np.testing.assert_allclose(found[2:], spread, rtol=1e-9)


@pytest.mark.parametrize('place', PLACES)
def test_the_groups_of_num_par_fd_share_the_points(place):
    x = [1.0, 2.0, 3.0]
    group = Pair(x=x, num_par_fd=2)
    # As with approx_totals, OpenMDAO has to know before its setup.
    for declared in (total('y1', 0.01), total('y2', 0.05)):
        group.declare_totals(**declared)
    problem = problem_of(group, place)
    with count_calls(problem) as counts:
        found = agreed(problem, ['y1', 'y2'], ['x'])
    np.testing.assert_allclose(np.diag(found[:3]), cubic_slope(0.01, np.array(x)), rtol=1e-9)
    np.testing.assert_allclose(np.diag(found[3:]), exp_slope(0.05, np.array(x)), rtol=1e-9)
    assert counts.total(group.pathname) == 6
    assert COMM.allreduce(counts.total(group.pathname)) == 12
    counts.verify()


def test_distributed_variables_within_the_groups_of_num_par_fd():
    """With 4 ranks each of the two groups spreads the variables over two."""
    x = np.array([1.0, 2.0, 3.0])

    class Spread(om.ExplicitComponent):
        def setup(self):
            mine = np.array_split(x, self.comm.size)[self.comm.rank]
            self.add_input('x', mine, distributed=True)
            self.add_output('y1', np.ones(mine.size), distributed=True)
            self.add_output('y2', np.ones(mine.size), distributed=True)

        def compute(self, inputs, outputs):
            self.comm.barrier()  # as a component that exchanges values would wait
            outputs['y1'] = inputs['x'] ** 3
            outputs['y2'] = np.exp(inputs['x'])

    class Model(PerOutputFD, om.Group):
        def setup(self):
            mine = np.array_split(x, self.comm.size)[self.comm.rank]
            ivc = self.add_subsystem('ivc', om.IndepVarComp(), promotes=['*'])
            ivc.add_output('x', mine, distributed=True)
            self.add_subsystem('comp', Spread(), promotes=['*'])

    group = Model(num_par_fd=2)
    group.declare_totals('y1', 'x', step=0.01, form='central')
    group.declare_totals('y2', 'x', step=0.05, form='central')
    problem = problem_of(group)
    with count_calls(problem) as counts:
        found = agreed(problem, ['y1', 'y2'], ['x'])
    expected = np.vstack([np.diag(cubic_slope(0.01, x)), np.diag(exp_slope(0.05, x))])
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert counts.total('comp') == counts.total('') == 6
    counts.verify()
