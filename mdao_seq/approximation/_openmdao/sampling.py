"""Evaluate a system along one element of an input, for those who choose steps."""

import numpy as np

from mdao_seq.approximation._openmdao.evaluating import Job, in_turn


def outputs_along(system):
    """Return a function that returns outputs (residuals of an implicit component) at an offset.

    The system is left as it was. Vectors must be unscaled, as they are outside of solvers.

    Parameters
    ----------
    system : PerOutputFD
        After final_setup.

    Returns
    -------
    callable
        ``at(asked, wrt, element, offset)``: values of all rows, shape (rows,); NaN where the
        system raised AnalysisError.
    """
    frame = system._held_frame
    centre = frame.outputs()
    base = centre if frame.finds_changes else 0.0

    def at(asked, wrt, element, offset):
        places = frame.places(wrt)
        change = places.vector, places.indices[element], offset
        for found in in_turn(system, 'fd', [Job(asked, [change], frame.seeds([wrt]))]):
            worked = isinstance(found, np.ndarray)
            result = base + found if worked else np.full(centre.size, np.nan)
        return _agreed(system, result)

    return at


def centre_of(system):
    """Return what `outputs_along` would return at offset zero, without evaluating."""
    return _agreed(system, system._held_frame.outputs())


def _agreed(system, values):
    """Return the first rank's values: noise may differ, and all must choose the same steps."""
    ranks = system.comm if system._full_comm is None else system._full_comm
    return values if ranks.size == 1 else ranks.bcast(values)


def rows_of_partial(system, of, wrt, element):
    """Return the rows of one partial that one element of an input may change."""
    return system._held_frame.rows_of_partial(of, wrt, element)
