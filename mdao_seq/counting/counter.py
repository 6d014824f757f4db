"""The counter: stands in every component's own methods and writes down each call and its cause."""

from collections import Counter
from contextlib import contextmanager
from functools import partial
from time import perf_counter

import openmdao.api as om

from mdao_seq._hook import listen, stop_listening
from mdao_seq.approximation._openmdao.names import (
    EVALUATES,
    EVALUATES_WHOLE,
    LINEARIZE,
    UNDIVIDED,
)
from mdao_seq.approximation._openmdao.systems import (
    components_below,
    groups_with_totals_below,
    is_below,
    is_finding_sparsity,
    is_set_up,
    planned_evaluations,
)
from mdao_seq.approximation.asking import ASKED
from mdao_seq.counting.counts import CallCounts, Key

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
        What was counted so far.
    """

    def __init__(self, after_each=None):
        self.counts = CallCounts()
        self._after_each = after_each or (lambda: None)
        self._listening = {}
        self._checking = 0
        self._linearizing = []

    def watch_problem(self, problem):
        """Watch every component of a problem, also those that a later setup makes."""
        self._listen(problem, 'final_setup', self._after_final_setup)
        for name in CHECKS:
            self._listen(problem, name, self._check)
        if is_set_up(problem.model):
            self.watch(problem.model)

    def watch(self, system):
        """Watch every component of a set-up system; again is harmless."""
        for component in components_below(system):
            methods = [name for name in EVALUATES if _is_defined(component, name)]
            if not methods:
                continue
            self.counts.components.add(component.pathname)
            for name in methods:
                self._listen(component, name, partial(self._evaluate, name))
            self._listen(component, LINEARIZE, self._linearize)
            for name in CHECKS:
                if hasattr(component, name):
                    self._listen(component, name, self._check)
        for group in groups_with_totals_below(system):
            self.counts.components.add(group.pathname)
            self._listen(group, EVALUATES_WHOLE, self._run_group)
            self._listen(group, LINEARIZE, self._linearize)

    def stop(self):
        """Leave every component as it was."""
        for owner, name, listener in self._listening.values():
            stop_listening(owner, name, listener)
        self._listening.clear()

    def _listen(self, owner, name, listener):
        # The owner is kept beside its id, which stays its own for as long.
        if (id(owner), name) not in self._listening:
            listen(owner, name, listener)
            self._listening[id(owner), name] = owner, name, listener

    def _after_final_setup(self, problem, proceed):
        result = proceed()
        self.watch(problem.model)
        return result

    def _check(self, owner, proceed):
        self._checking += 1
        try:
            return proceed()
        finally:
            self._checking -= 1

    def _evaluate(self, method, component, proceed):
        start = perf_counter()
        try:
            return proceed()
        finally:
            seconds = perf_counter() - start
            asked = ASKED.get()
            if asked is not None and asked.seconds is not None:
                seconds = asked.seconds
            if asked is not None and asked.system is component:
                self._add_asked(method, asked, seconds)
            else:
                why = self._why(component, asked)
                self.counts.add(Key(component.pathname, method, *why), 1, seconds)
            self._after_each()

    def _run_group(self, group, proceed):
        """Count the runs of a group that its declared totals ask for, and no others."""
        asked = ASKED.get()
        if asked is None or asked.system is not group:
            return proceed()
        return self._evaluate(EVALUATES_WHOLE, group, proceed)

    def _add_asked(self, method, asked, seconds):
        """Add a call that held declarations asked for, each for its points."""
        path, points = asked.system.pathname, asked.points
        if asked.cause:
            self.counts.add(Key(path, method, asked.cause, ''), len(points), seconds)
            return
        calls = 1
        for (cause, owner), number in Counter((p.method, p.owner) for p in points).items():
            share = seconds * number / len(points)
            self.counts.add(Key(path, method, cause, str(owner)), number, share, calls)
            # The call is the first one's, as a shared point is its first declaration's.
            calls = 0

    def _why(self, component, asked):
        """Return (cause, declaration) of the evaluation that is running."""
        path = component.pathname
        if is_finding_sparsity(component):
            return 'coloring', ''
        approximated = (component.under_complex_step and 'cs') or (
            component.under_finite_difference and 'fd'
        )
        if path in self._linearizing and approximated:
            return approximated, UNDIVIDED
        if asked is not None and is_below(component, asked.system):
            # A group above is run at a point of its totals, here or in another process.
            return asked.cause or asked.points[0].method, ''
        return ('check' if self._checking else approximated or 'run'), ''

    def _linearize(self, component, proceed):
        path = component.pathname
        before = self.counts.measured(path)
        self._linearizing.append(path)
        try:
            result = proceed()
        except Exception:
            # An interrupted linearization is no evidence against the plan.
            after = self.counts.measured(path)
            self.counts.expect(path, {d: n - before.get(d, 0) for d, n in after.items()})
            raise
        finally:
            self._linearizing.pop()
        expected = planned_evaluations(component)
        if expected is not None:
            self.counts.expect(path, expected)
        return result


def _is_defined(component, name):
    """Whether a component's class, or the instance itself, defines an evaluation."""
    bases = (om.ExplicitComponent, om.ImplicitComponent)
    defined = getattr(component, name, None)
    if defined is None:
        return False
    if name == 'compute' and getattr(component, 'compute_primal', None) is not None:
        return True
    function = getattr(defined, '__func__', defined)
    return not any(function is vars(base).get(name) for base in bases)


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
