"""`assert_call_counts`: what a test expects to be evaluated, as OpenMDAO's asserts do it."""

import openmdao.api as om

from mdao_seq.approximation._openmdao.systems import recorders_of
from mdao_seq.counting.counts import MODEL, CallCounts
from mdao_seq.counting.recorder import CallCountRecorder


def assert_call_counts(counted, expected):
    """Raise where evaluations are not those that were expected.

    Parameters
    ----------
    counted : om.Problem or CallCountRecorder or CallCounts
        A problem to which, or to whose driver, a `CallCountRecorder` was added; that recorder; or
        what `count_calls` yields.
    expected : dict
        Evaluations by the path of a component, or by (path, cause); a path may be a glob pattern,
        or that of a group whose totals are declared (``''``: the model's).

    Raises
    ------
    AssertionError
        If any differs; the message names all that do, and holds the table.
    TypeError
        If nothing counts there; if `expected` is no dict.
    KeyError
        If a path matches nothing that is counted, or a cause is none.

    Examples
    --------
    >>> with count_calls(problem) as counts:                     # doctest: +SKIP
    ...     problem.compute_totals()
    >>> assert_call_counts(counts, {'wing': 4, ('wing', 'fd'): 4})  # doctest: +SKIP
    """
    counts = _counts_of(counted)
    if not isinstance(expected, dict):
        raise TypeError(f'assert_call_counts(expected={expected!r}): a dict of evaluations by path')
    wrong = []
    for key, number in expected.items():
        path, cause = (key, None) if isinstance(key, str) else key
        made = counts.total(path, cause)
        if made != number:
            why = f' for {cause}' if cause else ''
            wrong.append(f'{path or MODEL}: {made} evaluations{why}, {number} expected')
    if wrong:
        raise AssertionError('\n'.join([*wrong, '', counts.table()]))


def _counts_of(counted):
    if isinstance(counted, om.Problem):
        found = [r for r in recorders_of(counted) if isinstance(r, CallCountRecorder)]
        if not found:
            raise TypeError(
                f'assert_call_counts({counted!r}): add a CallCountRecorder to the problem or to '
                'its driver, or pass what count_calls yields'
            )
        counted = found[0]
    if isinstance(counted, CallCountRecorder):
        return counted.counts()
    if isinstance(counted, CallCounts):
        return counted
    raise TypeError(
        f'assert_call_counts({counted!r}): a problem, a CallCountRecorder or counts are needed'
    )
