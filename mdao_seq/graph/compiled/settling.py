"""When a component has been swept enough.

It is one array of a column for each right-hand side: see the names of its rows. Sweeps contract, so
that the next one changes less in proportion: what is left is told from the last two.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled

LEFT, BEFORE, BEST, SINCE_BEST = range(4)
# So many sweeps without a smaller change, once it is this small relative to x, are rounding.
_PATIENCE = 5
_ROUNDING = 1e-13


@compiled
def unsettled(columns):
    """Return the array of so many columns, before the first sweep."""
    state = np.empty((4, columns))
    begin(state)
    return state


@compiled
def begin(state):
    """Forget what another component has left here."""
    state[LEFT] = np.inf
    state[BEFORE] = 0.0
    state[BEST] = np.inf
    state[SINCE_BEST] = 0.0


@compiled
def note(state, column, change, size):
    """Take in what a sweep has changed a column of this size by."""
    relative = change / size if size > 0.0 else change
    before = state[BEFORE, column]
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
def is_settled(state, tol):
    """Return whether this is below the tolerance, or only rounding changes any more."""
    if left(state) <= tol:
        return True
    return state[BEST].max() < _ROUNDING and state[SINCE_BEST].min() > _PATIENCE
