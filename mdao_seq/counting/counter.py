"""The counter: stands in every component's own methods and writes down each call and its cause.

It listens, too, where what goes on around an evaluation begins and ends, and tells `causes`.
"""

from contextlib import contextmanager
from functools import partial
from time import perf_counter

import openmdao.api as om

from mdao_seq._hook import is_heard, listen, stop_listening
from mdao_seq.approximation._openmdao.names import (
    BATCH,
    EVALUATES_WHOLE,
    FINDS_COLORING,
    FINDS_SPARSITY,
    FINDS_TOTAL_COLORING,
    LINEARIZE,
)
from mdao_seq.approximation._openmdao.systems import (
    components_below,
    deriving,
    evaluating,
    groups_below,
    groups_with_totals_below,
    is_set_up,
    linesearches_below,
    planned_evaluations,
    problem_inside,
    processes_of,
    repeats,
    speaks_for,
)
from mdao_seq.approximation.asking import ASKED
from mdao_seq.counting.causes import COLORING, GoingOn, Running, cause_of
from mdao_seq.counting.counts import CallCounts
from mdao_seq.counting.rows import Key

# What a driver calls at the end of each iteration.
ITERATION = 'record_iteration'

MOST_KEYS = 10_000

CHECKS = ('check_partials', 'check_totals')


class CallCounter:
    """Counts the evaluations of components.

    Parameters
    ----------
    after_each : callable or None
        Called without arguments after each evaluation.

    Attributes
    ----------
    counts : CallCounts
        What this process counted so far.
    inside : list of om.Problem
        Problems that components run as their own, which are counted with them.
    share : CallCounts
        Its share in a sum over the processes of a parallel run, in which what several of them
        repeat is counted once; without such `counts` itself.
    """

    def __init__(self, after_each=None):
        self.counts = self.share = CallCounts()
        self.inside = []
        self._repeating = {}
        self._keys = {}
        self._after_each = after_each
        self._listening = {}
        self._going_on = GoingOn()

    def watch_problem(self, problem, inside=''):
        """Watch every component of a problem, also those that a later setup makes.

        Parameters
        ----------
        problem : om.Problem
            The problem.
        inside : str
            Path of the component that runs it; its components' paths begin with it.
        """
        after = partial(self._after_final_setup, inside)
        self._listen(problem, 'final_setup', after)
        for name in CHECKS:
            self._listen(problem, name, partial(self._going_on.amid, 'check'))
        if not inside:
            self._listen(problem.driver, ITERATION, self._mark)
            amid_coloring = partial(self._going_on.amid, COLORING)
            self._listen(problem.driver, FINDS_TOTAL_COLORING, amid_coloring)
        if is_set_up(problem.model):
            self.watch(problem.model, inside)

    def watch(self, system, inside=''):
        """Watch every component of a set-up system; again is harmless."""
        if processes_of(system).size > 1 and self.share is self.counts:
            self.share = CallCounts()
        for component in components_below(system):
            path = _path(component, inside)
            self._repeating[path] = repeats(component) + self._repeating.get(inside, [])
            inner = problem_inside(component)
            if inner is not None:
                self.inside.append(inner)
                self.watch_problem(inner, path)
            methods = evaluating(component)
            if not methods:
                continue
            self._know(path)
            for name in methods:
                self._listen(component, name, partial(self._evaluate, path, name))
            for name in deriving(component):
                self._listen(component, name, partial(self._derive, path, name))
            self._listen(component, LINEARIZE, partial(self._linearize, path))
            for name in CHECKS:
                if hasattr(component, name):
                    self._listen(component, name, partial(self._going_on.amid, 'check'))
            for name in (FINDS_SPARSITY, FINDS_COLORING):
                if hasattr(component, name):
                    self._listen(component, name, partial(self._going_on.finding_sparsity, path))
        for group in groups_below(system):
            self._listen(group, FINDS_COLORING, partial(self._going_on.amid, COLORING))
        for group in groups_with_totals_below(system):
            path = _path(group, inside)
            self._know(path)
            self._repeating[path] = repeats(group)
            self._listen(group, EVALUATES_WHOLE, partial(self._run_group, path))
            self._listen(group, LINEARIZE, partial(self._linearize, path))
        for linesearch in linesearches_below(system):
            self._listen(linesearch, 'solve', partial(self._going_on.amid, 'linesearch'))

    def _know(self, path):
        for counts in self._kept:
            counts.components.add(path)

    @property
    def _kept(self):
        """The counts that are kept, each once."""
        return (self.counts,) if self.share is self.counts else (self.counts, self.share)

    def _add(self, system, key, evaluations, seconds, calls=1):
        self.counts.add(key, evaluations, seconds, calls)
        if self.share is not self.counts and self._speaks_for(system, key.path, key.cause):
            self.share.add(key, evaluations, seconds, calls)

    def _speaks_for(self, system, path, cause=''):
        repeating = self._repeating[path]
        # All tune to the same steps, each for itself.
        return speaks_for(system, repeating) and not (repeating and cause == 'tune')

    def stop(self):
        """Leave every component as it was."""
        for owner, name, listener in self._listening.values():
            stop_listening(owner, name, listener)
        self._listening.clear()

    def _listen(self, owner, name, listener):
        # The owner is kept beside its id, which stays its own for as long.
        known = self._listening.get((id(owner), name))
        if known is not None:
            if _are_same(known[2], listener) and is_heard(owner, name):
                return
            # A component may move, and a class may assign its methods anew at each setup.
            stop_listening(*known)
        listen(owner, name, listener)
        self._listening[id(owner), name] = owner, name, listener

    def _after_final_setup(self, inside, problem, proceed):
        result = proceed()
        self.watch_problem(problem, inside)
        return result

    def _mark(self, driver, proceed):
        # Before its recorders, which may write the counts.
        for counts in self._kept:
            counts.history.mark(counts)
        return proceed()

    def _evaluate(self, path, method, component, proceed):
        asked = ASKED.get()
        running = self._going_on.running
        within = running[-1] if running and running[-1].component is component else None
        mine = within is None and asked is not None and asked.system is component
        if within is not None:
            # One method of the component calls the other: no declaration asked for that.
            cause, declaration = within.cause, ''
        elif not mine:
            cause, declaration = self._going_on.why(path, component, asked)
        else:
            cause, declaration = '', ''
        running.append(Running(component, method, cause or cause_of(asked)))
        start = perf_counter()
        try:
            return proceed()
        finally:
            seconds = perf_counter() - start
            running.pop()
            if asked is not None and asked.seconds is not None:
                seconds = asked.seconds
            if mine:
                self._add_asked(path, method, asked, seconds)
            else:
                # The points of a batch are counted with the call for all of them.
                points = 0 if within is not None and within.method == BATCH else 1
                self._add(component, Key(path, method, cause, declaration), points, seconds)
            if (id(component), method) in self._listening and not is_heard(component, method):
                # It has put another in its own place.
                self._listen(component, method, partial(self._evaluate, path, method))
            if self._after_each is not None:
                self._after_each()

    def _run_group(self, path, group, proceed):
        """Count the runs of a group that its declared totals ask for, and no others."""
        asked = ASKED.get()
        if asked is None or asked.system is not group:
            return proceed()
        return self._evaluate(path, EVALUATES_WHOLE, group, proceed)

    def _derive(self, path, method, component, proceed):
        """Count a call for derivatives, which is no evaluation."""
        cause, _ = self._going_on.why(path, component, ASKED.get())
        start = perf_counter()
        try:
            return proceed()
        finally:
            self._add(component, Key(path, method, cause, ''), 0, perf_counter() - start)

    def _add_asked(self, path, method, asked, seconds):
        """Add a call that held declarations asked for, each for its points."""
        points = asked.points
        if asked.cause:
            self._add(asked.system, Key(path, method, asked.cause, ''), len(points), seconds)
            return
        if len(points) == 1:
            self._add(asked.system, self._key(path, method, points[0].owner), 1, seconds)
            return
        numbers = {}
        for point in points:
            key = self._key(path, method, point.owner)
            numbers[key] = numbers.get(key, 0) + 1
        calls = 1
        for key, number in numbers.items():
            self._add(asked.system, key, number, seconds * number / len(points), calls)
            # The call is the first one's, as a shared point is its first declaration's.
            calls = 0

    def _key(self, path, method, owner):
        # Names take longer to put together than to look up.
        known = self._keys.get((path, method, id(owner)))
        if known is None:
            if len(self._keys) > MOST_KEYS:
                # Plans that are made anew, as for relative steps, have owners of their own.
                self._keys.clear()
            key = Key(path, method, owner.method, str(owner))
            # The owner is kept beside its id, which stays its own for as long.
            known = self._keys[path, method, id(owner)] = key, owner
        return known[0]

    def _linearize(self, path, component, proceed):
        before = self.counts.measured(path)
        self._going_on.linearized.append(path)
        try:
            result = proceed()
        except BaseException:
            # An interrupted linearization is no evidence against the plan.
            after = self.counts.measured(path)
            self._expect(path, component, {d: n - before.get(d, 0) for d, n in after.items()})
            raise
        finally:
            self._going_on.linearized.pop()
        expected = planned_evaluations(component)
        if expected is not None:
            self._expect(path, component, expected)
        return result

    def _expect(self, path, system, evaluations):
        self.counts.expect(path, evaluations)
        if self.share is self.counts or system.comm.rank:
            return
        # The processes share the points, not the linearization.
        first = self._speaks_for(system, path)
        self.share.expect(path, evaluations, 1 if first else 0)


def _are_same(one, other):
    """Whether two listeners do the same with the same arguments."""
    if isinstance(one, partial) and isinstance(other, partial):
        return one.func == other.func and one.args == other.args
    return one == other


def _path(system, inside):
    return f'{inside}.{system.pathname}'.strip('.')


@contextmanager
def count_calls(problem):
    """Count every component's evaluations inside a ``with`` block; nothing is written.

    Parameters
    ----------
    problem : om.Problem
        Set up or not; a setup inside the block is followed.

    Yields
    ------
    CallCounts
        Live counts: ``.total(path, cause=None)``, ``.table()``, ``.verify()``.

    Raises
    ------
    TypeError
        If it is not a problem; a `CallCountRecorder` counts a single component.

    Examples
    --------
    >>> with count_calls(problem) as counts:                     # doctest: +SKIP
    ...     problem.run_driver()
    >>> print(counts.table())                                    # doctest: +SKIP
    """
    if not isinstance(problem, om.Problem):
        raise TypeError(
            f'count_calls({problem!r}): an om.Problem is needed; to count one component add a '
            'CallCountRecorder to it'
        )
    counter = CallCounter()
    counter.watch_problem(problem)
    try:
        yield counter.counts
    finally:
        counter.stop()
