"""Choose how the points of a plan are evaluated: here, in a batch, in processes, over ranks.

Each way takes the same jobs and yields, in their order, the residuals at each: an array that lasts
until the next, or the AnalysisError that the component raised. It leaves the component as it was.
"""

from collections.abc import Iterator

import numpy as np
from openmdao.core.analysis_error import AnalysisError

from mdao_seq.approximation._openmdao.processes import in_processes, in_this_process, kept


def evaluate(system, method, jobs) -> Iterator[np.ndarray | AnalysisError]:
    """Yield the residuals of a component at each job, by the way that its options ask for.

    Parameters
    ----------
    system : PerOutputFD
        Its vectors are unscaled.
    method : {'fd', 'cs'}
        Real or complex steps.
    jobs : iterable of Job
        The same on every rank.
    """
    parallel = _number_of_parallel_fd(system) > 1
    return (_over_ranks if parallel else _on_this_rank)(system, method, jobs)


def share(system):
    """Return which of the evaluations of a plan this rank makes, as a slice."""
    number = _number_of_parallel_fd(system)
    return slice(system._par_fd_id if number > 1 else 0, None, number)


def made_here(system, plan, method, by_lane=False):
    """Yield each block of a plan and how many of its evaluations of one method this rank makes.

    Parameters
    ----------
    system : System
        The system.
    plan : EvaluationPlan
        Its plan.
    method : {'fd', 'cs'}
        Which evaluations.
    by_lane : bool
        Whether all points of a lane are made by one rank, as by OpenMDAO's own schemes.
    """
    mine, place = share(system), 0
    for block in plan.blocks:
        points = sum(point.method == method for point in block.points)
        lanes = block.evaluations_of_a_point
        end = place + (lanes if by_lane else lanes * points)
        here = len(range(end)[mine]) - len(range(place)[mine])
        yield block, here * points if by_lane else here
        place = end


def _number_of_parallel_fd(system):
    return system._num_par_fd if system._full_comm is not None else 1


def _on_this_rank(system, method, jobs):
    if system.options['fd_workers'] > 1:
        return in_processes(system, method, jobs)
    return in_this_process(system, method, jobs)


def _over_ranks(system, method, jobs):
    """Share the jobs among the groups of processes that num_par_fd has made."""
    jobs = list(jobs)
    mine = jobs[share(system)]
    try:
        found = kept(_on_this_rank(system, method, mine))
    except Exception as error:
        # The other ranks wait for this one.
        found = error
    everyones = system._full_comm.allgather((system._par_fd_id, system.comm.rank, found))
    for *_, result in everyones:
        if isinstance(result, Exception):
            raise result
    # A rank takes the rows that it holds from its like in every group.
    of_group = {
        group: iter(result) for group, rank, result in everyones if rank == system.comm.rank
    }
    for k in range(len(jobs)):
        yield next(of_group[k % system._num_par_fd])
