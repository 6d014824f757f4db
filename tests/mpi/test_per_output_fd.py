"""PerOutputFD with two ranks: shared points, distributed variables, and faults on one rank."""

import numpy as np
import openmdao.api as om
import pytest
from openmdao.utils.mpi import MPI

from mdao_seq import PerOutputFD, count_calls, fd_cost, tune_steps
from tests.approximation.components import Held
from tests.approximation.test_batches import DECLARED, Batched, partials, run

COMM = MPI.COMM_WORLD
X = np.array([1.0, 2.0, 3.0])


def central(h, order_4=False):
    """Return the central difference of x**3 and of exp(x) in closed form."""
    cubic = 3 * X**2 if order_4 else 3 * X**2 + h**2
    return cubic, np.exp(X) * np.sinh(h) / h


@pytest.mark.parametrize('cls', [Held, Batched])
def test_the_groups_of_num_par_fd_share_the_points(cls):
    problem, comp = run(cls, num_par_fd=2)
    with count_calls(problem) as counts:
        found = partials(problem)
    np.testing.assert_allclose(np.diag(found[:3]), central(1e-2, order_4=True)[0], rtol=1e-9)
    np.testing.assert_allclose(np.diag(found[3:]), central(2e-2)[1], rtol=1e-9)
    assert counts.total('comp') == 6
    assert COMM.allreduce(counts.total('comp')) == fd_cost(comp).total == 12
    counts.verify()
    assert len({array.tobytes() for array in COMM.allgather(found)}) == 1


def test_complex_steps_and_an_odd_number_of_points_are_shared():
    declared = [DECLARED[1] | {'of': 'y1', 'form': 'forward'}, {**DECLARED[2], 'of': 'y2'}]
    declared[1]['wrt'] = 'x'
    problem, _ = run(Held, declared, num_par_fd=2)
    with count_calls(problem) as counts:
        found = partials(problem)
    np.testing.assert_allclose(np.diag(found[3:]), np.exp(X), rtol=1e-14)
    assert COMM.allreduce(counts.total('comp', cause='fd')) == 3
    assert COMM.allreduce(counts.total('comp', cause='cs')) == 3
    counts.verify()


class Failing(Held):
    def compute(self, inputs, outputs):
        if inputs['x'][2].real > 3.0:
            raise om.AnalysisError(f'on rank {COMM.rank}')
        super().compute(inputs, outputs)


def test_a_point_that_fails_on_one_rank_is_known_to_all():
    problem, comp = run(Failing, [DECLARED[1]], num_par_fd=2)
    with pytest.warns(om.DerivativesWarning, match=r'x\[2\] \+0\.02.*on rank 0'):
        found = problem.compute_totals(['comp.y2'], ['comp.x'], return_format='array')
    backward = np.e**3 * (1 - np.exp(-0.02)) / 0.02
    np.testing.assert_allclose(found[2, 2], backward, rtol=1e-9)
    assert list(comp.fd_fallbacks.values()) == [1]


def test_another_error_on_one_rank_ends_both():
    class Broken(Held):
        def compute(self, inputs, outputs):
            if inputs['x'][1] > 2.0:
                raise KeyError('only where this point is evaluated')
            super().compute(inputs, outputs)

    problem, _ = run(Broken, [DECLARED[1]], num_par_fd=2)
    with pytest.raises(KeyError, match='only where'):
        problem.compute_totals(['comp.y2'], ['comp.x'])


class Distributed(PerOutputFD, om.ExplicitComponent):
    """y1 = serial * x**3 and y2 = exp(x), of 2 elements on rank 0 and 1 on rank 1.

    A partial of OpenMDAO holds what a rank's outputs owe to that rank's inputs.
    """

    def setup(self):
        mine = X[:2] if self.comm.rank == 0 else X[2:]
        self.add_input('x', mine, distributed=True)
        self.add_input('serial', 2.0)
        self.add_output('y1', np.ones(mine.size), distributed=True)
        self.add_output('y2', np.ones(mine.size), distributed=True)
        self.declare_partials('y1', 'x', method='fd', form='central', step=1e-2)
        self.declare_partials('y2', 'x', method='fd', form='central', step=2e-2)
        self.declare_partials('*', 'serial', method='fd', form='central', step=1e-3)

    def compute(self, inputs, outputs):
        self.comm.barrier()  # as a component that exchanges values would wait
        outputs['y1'] = inputs['serial'] * inputs['x'] ** 3
        outputs['y2'] = np.exp(inputs['x'])


def distributed():
    problem = om.Problem(reports=False)
    indeps = problem.model.add_subsystem('indeps', om.IndepVarComp(), promotes=['*'])
    indeps.add_output('x', X[:2] if COMM.rank == 0 else X[2:], distributed=True)
    indeps.add_output('serial', 2.0)
    comp = problem.model.add_subsystem('comp', Distributed(), promotes=['*'])
    problem.setup()
    problem.run_model()
    return problem, comp


def test_distributed_variables_keep_each_declarations_step():
    problem, comp = distributed()
    with count_calls(problem) as counts:
        problem.model.run_linearize()
    assert counts.total('comp') == fd_cost(comp).total == 3 * 4 + 2
    counts.verify()
    totals = problem.compute_totals(['y1', 'y2'], ['x', 'serial'])
    np.testing.assert_allclose(totals['y1', 'x'], np.diag(2 * central(1e-2)[0]), atol=1e-8)
    expected = np.diag(central(2e-2)[1])
    np.testing.assert_allclose(totals['y2', 'x'], expected, atol=1e-8)
    np.testing.assert_allclose(totals['y1', 'serial'].ravel(), X**3, rtol=1e-8)


def test_a_distributed_component_is_whole_in_each_group_of_num_par_fd():
    class Spread(PerOutputFD, om.ExplicitComponent):
        def setup(self):
            mine = np.array_split(X, self.comm.size)[self.comm.rank]
            self.add_input('x', mine, distributed=True)
            self.add_output('y1', mine, distributed=True)
            self.add_output('y2', mine, distributed=True)
            self.declare_partials('y1', 'x', method='fd', form='central', step=1e-2)
            self.declare_partials('y2', 'x', method='fd', form='central', step=2e-2)

        def compute(self, inputs, outputs):
            outputs['y1'] = inputs['x'] ** 3
            outputs['y2'] = np.exp(inputs['x'])

    problem = om.Problem(reports=False)
    comp = problem.model.add_subsystem('comp', Spread(num_par_fd=2))
    problem.setup()
    problem.run_model()
    with count_calls(problem) as counts:
        comp.run_linearize()
    counts.verify()
    assert COMM.allreduce(counts.total('comp')) == fd_cost(comp).total == 12
    for of, slope in (('y1', central(1e-2)[0]), ('y2', central(2e-2)[1])):
        np.testing.assert_allclose(
            comp._jacobian['comp.' + of, 'comp.x'], np.diag(slope), atol=1e-9
        )


def test_components_of_a_parallel_group_are_differenced_each_on_its_rank():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('indeps', om.IndepVarComp('x', X))
    group = problem.model.add_subsystem('both', om.ParallelGroup())
    for name in ('a', 'b'):
        group.add_subsystem(name, Held(declarations=DECLARED[:2], x=list(X)))
        problem.model.connect('indeps.x', f'both.{name}.x')
    problem.setup()
    problem.run_model()
    totals = problem.compute_totals(['both.a.y1', 'both.b.y2'], ['indeps.x'])
    np.testing.assert_allclose(np.diag(totals['both.a.y1', 'indeps.x']), 3 * X**2, rtol=1e-9)
    expected = central(2e-2)[1]
    np.testing.assert_allclose(np.diag(totals['both.b.y2', 'indeps.x']), expected, rtol=1e-9)


def test_worker_processes_beside_ranks_are_refused():
    problem, _ = run(Held, fd_workers=2)
    with pytest.raises(RuntimeError, match=r'fd_workers = 2 .* use num_par_fd'):
        partials(problem)


class Noisy(Held):
    def compute(self, inputs, outputs):
        super().compute(inputs, outputs)
        noise = np.random.default_rng().uniform(-1e-6, 1e-6, size=3)  # another on every rank
        outputs['y2'] += noise


@pytest.mark.parametrize('options', [{}, {'num_par_fd': 2}])
def test_all_ranks_tune_to_the_same_steps(options):
    declared = [{'of': y, 'wrt': 'x', 'method': 'fd', 'step': 'auto'} for y in ('y1', 'y2')]
    problem, comp = run(Noisy, declared, **options)
    partials(problem)
    steps = [row.step for row in comp.tuned_steps.rows]
    assert COMM.allgather(steps) == [steps, steps]
    assert steps[1] > 10 * steps[0]


def test_distributed_variables_are_not_tuned():
    problem, comp = distributed()
    with pytest.raises(RuntimeError, match='distributed variables'):
        tune_steps(problem, comp)


class BatchOnOneRank(PerOutputFD, om.ExplicitComponent):
    """y = x**3 of elements that live on rank 0 only; no number beyond 3.005."""

    def setup(self):
        mine = X if self.comm.rank == 0 else X[:0]
        self.add_input('x', mine, distributed=True)
        self.add_output('y', mine, distributed=True)
        self.declare_partials('y', 'x', method='fd', step=0.01, form='central')

    def compute(self, inputs, outputs):
        self.comm.barrier()
        outputs['y'] = inputs['x'] ** 3


def of_rank_0(cls):
    problem = om.Problem(reports=False)
    indeps = problem.model.add_subsystem('indeps', om.IndepVarComp(), promotes=['*'])
    indeps.add_output('x', X if COMM.rank == 0 else X[:0], distributed=True)
    comp = problem.model.add_subsystem('comp', cls(), promotes=['*'])
    problem.setup()
    problem.run_model()
    return problem, comp


def test_a_rank_without_elements_takes_part_in_batches():
    """A bug once: it raised, and the others waited for ever."""

    class Batch(BatchOnOneRank):
        def compute_batch(self, inputs, outputs):
            self.comm.barrier()
            outputs['y'] = inputs['x'] ** 3

    problem, _ = of_rank_0(Batch)
    found = problem.compute_totals('y', 'x')['y', 'x']
    np.testing.assert_allclose(found, np.diag(central(1e-2)[0]), atol=1e-9)


def test_no_number_on_one_rank_ends_both():
    """A bug once: the other rank waited for ever."""

    class NoNumber(BatchOnOneRank):
        def compute(self, inputs, outputs):
            super().compute(inputs, outputs)
            if inputs['x'].size and inputs['x'][2] != 3.0:
                outputs['y'][2] = np.nan

    problem, _ = of_rank_0(NoNumber)
    with pytest.raises(
        om.AnalysisError, match=r'no point is left; at x\[2\] \+0.01 y is not finite'
    ):
        problem.compute_totals('y', 'x')
