"""When a component has been swept enough, or will not be soon.

What is known of it is one array with a column for each right-hand side: see the names of its rows.
Sweeps contract, so that the next one changes less in proportion: what is left is told from the last
two, and how many it will take from the last ten or so.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from typing import NamedTuple

import numpy as np

from mdao_seq._compiling import compiled

LEFT, BEFORE, BEST, SINCE_BEST, GAIN = range(5)
# So many sweeps without a smaller change, once it is this small relative to x, are rounding.
_PATIENCE = 5
_ROUNDING = 1e-13
# Weight of the last sweep in what a sweep gains, the logarithm of its contraction.
_NEWS = 0.1


class Rule(NamedTuple):
    """When to stop.

    Attributes
    ----------
    tol : float
        What is still to change, relative to x, when a component is settled.
    limit : int
        Most sweeps.
    wait : int
        After so many, one that will not be settled within the limit is given up.
    """

    tol: float
    limit: int
    wait: int


@compiled
def unsettled(columns):
    """Return the array of so many columns, before the first sweep."""
    state = np.empty((5, columns))
    begin(state)
    return state


@compiled
def begin(state):
    """Forget what another component has left here."""
    state[LEFT] = np.inf
    state[BEFORE] = 0.0
    state[BEST] = np.inf
    state[SINCE_BEST] = 0.0
    state[GAIN] = 0.0


@compiled
def note(state, column, change, size):
    """Take in what a sweep has changed a column of this size by."""
    relative = change / size if size > 0.0 else change
    before = state[BEFORE, column]
    if before > 0.0 and relative > 0.0:
        gain, last = state[GAIN, column], np.log(before / relative)
        state[GAIN, column] = last if gain == 0.0 else gain + _NEWS * (last - gain)
    state[LEFT, column] = relative if relative >= before else relative * (relative / before)
    state[BEFORE, column] = relative
    state[SINCE_BEST, column] += 1.0
    if relative < state[BEST, column]:
        state[BEST, column] = relative
        state[SINCE_BEST, column] = 0.0


@compiled
def left(state):
    """Return what is still to change, relative to x, in the column that changes most."""
    return state[LEFT].max()


@compiled
def is_settled(state, rule):
    """Return whether this is below the tolerance, or only rounding changes any more."""
    if left(state) <= rule.tol:
        return True
    return state[BEST].max() < _ROUNDING and state[SINCE_BEST].min() > _PATIENCE


@compiled
def is_late(state, made, rule):
    """Return whether the limit is reached, or will be at the rate of the sweeps that were made."""
    if made >= rule.limit:
        return True
    if made < rule.wait:
        return False
    for column in range(state.shape[1]):
        change = state[BEFORE, column]
        if change <= rule.tol:
            continue
        gain = state[GAIN, column]
        if gain <= 0.0 or made + np.log(change / rule.tol) / gain > rule.limit:
            return True
    return False
