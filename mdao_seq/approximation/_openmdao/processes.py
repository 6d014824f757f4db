"""Evaluate points in other processes of this machine, and tell those who count here."""

from copy import copy
from functools import partial
from math import ceil
from time import perf_counter

import numpy as np
from openmdao.core.component import Component
from openmdao.core.group import Group

from mdao_seq._hook import listen, stop_all, tell, without_hooks
from mdao_seq.approximation._openmdao.batching import in_one_batch, takes_batches
from mdao_seq.approximation._openmdao.evaluating import Job, in_turn
from mdao_seq.approximation._openmdao.names import EVALUATES, EVALUATES_WHOLE, absolute
from mdao_seq.approximation.asking import ASKED, Asked
from mdao_seq.approximation.workers import WorkerCrashed, map_in_processes, start_method


def in_this_process(system, method, jobs):
    """Yield what `dispatch.evaluate` does, without another process."""
    return (in_one_batch if takes_batches(system) else in_turn)(system, method, jobs)


def in_processes(system, method, jobs):
    """Yield what `dispatch.evaluate` does, from as many processes as fd_workers says."""
    if system.comm.size > 1:
        raise RuntimeError(
            f'{system.msginfo}: fd_workers = {system.options["fd_workers"]} works in one process '
            'of MPI only; use num_par_fd'
        )
    if isinstance(system, Group) and start_method() != 'fork':
        raise RuntimeError(
            f'{system.msginfo}: fd_workers = {system.options["fd_workers"]}: a group cannot be '
            f'sent to processes that are started by {start_method()!r}; where they cannot be '
            'forked, use num_par_fd under MPI'
        )
    jobs = list(jobs)
    number = min(system.options['fd_workers'], len(jobs))
    size = ceil(len(jobs) / number) if takes_batches(system) else 1
    # Without the component, which is there already.
    bare = [(job.asked.points, *job[1:]) for job in jobs]
    tasks = [bare[start : start + size] for start in range(0, len(bare), size)]
    here = _Elsewhere(system, method)
    by_path = {each.pathname: each for each in _evaluated(system)}
    try:
        for results, calls, repeated in map_in_processes(here, tasks, number):
            for path, name, points, seconds in calls:
                token = ASKED.set(Asked(system, points, seconds=seconds))
                try:
                    tell(by_path[path], name)
                finally:
                    ASKED.reset(token)
            system._held_repeated += repeated
            yield from results
    except WorkerCrashed as crash:
        where = '; '.join(_told(system, *job) for job in crash.task)
        raise RuntimeError(
            f'{system.msginfo}: {crash} at {where}. With fd_workers = 1 the point runs in this '
            'process, where a debugger can follow it'
        ) from None


class _Elsewhere:
    """Evaluates jobs in another process; called with them, it returns what came of them.

    Results are a list of results, the calls that were made as (method, points, seconds), and the
    owners of points that were repeated.
    """

    def __init__(self, system, method):
        self.system = system
        self.method = method

    def __getstate__(self):
        """Leave out what leads from the component to its model: nothing there is evaluated."""
        state = without_hooks(self.system)
        state |= {'_jacobian': None, '_approx_schemes': {}}
        state.pop('_held_frame', None)  # which leads back to the whole component
        meta = self.system._problem_meta
        state['_problem_meta'] = {k: v for k, v in meta.items() if k != 'model_ref'}
        portable = copy(self.system)
        vars(portable).clear()
        vars(portable).update(state)
        return {'system': portable, 'method': self.method}

    def __setstate__(self, state):
        """Let each variable be a part of its vector again, which pickling has undone."""
        vars(self).update(state)
        system = self.system
        for vector in (system._inputs, system._outputs, system._residuals):
            for variable in vector._views.values():
                variable.set_view(vector._data)

    def __call__(self, task):
        """Return the results, the calls and what was repeated."""
        jobs = [Job(Asked(self.system, points), *rest) for points, *rest in task]
        return _noting_calls(self.system, self.method, jobs)


def _noting_calls(system, method, jobs):
    calls = []

    def note(name, evaluated, proceed):
        asked, start = ASKED.get(), perf_counter()
        try:
            return proceed()
        finally:
            calls.append((evaluated.pathname, name, asked.points, perf_counter() - start))

    system._held_repeated = []
    for each in _evaluated(system):
        for name in (*EVALUATES, EVALUATES_WHOLE):
            # Who counts in the parent is told there.
            stop_all(each, name)
            if hasattr(each, name):
                listen(each, name, partial(note, name))
    return kept(in_this_process(system, method, jobs)), calls, system._held_repeated


def _evaluated(system):
    """Return what is evaluated by an evaluation of a system: itself, and the components below."""
    return [system, *system.system_iter(recurse=True, typ=Component)]


def kept(results):
    """Return results that outlast the next one."""
    return [result.copy() if isinstance(result, np.ndarray) else result for result in results]


def _told(system, points, changes, seeds=None):
    """Name the elements that a job perturbs, and the declaration that it is for."""
    elements = []
    for kind, index, offset in changes:
        vector = system._inputs if kind == 'inputs' else system._outputs
        for name in vector:
            start, stop = vector.get_range(absolute(system, name))
            elements += [
                f'{name}[{i - start}] {offset:+g}'
                for i in np.atleast_1d(index)
                if start <= i < stop
            ]
    return f'the point {", ".join(elements)} of {points[0].owner}'
