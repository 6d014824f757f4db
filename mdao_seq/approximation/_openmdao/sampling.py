"""Evaluate a component along one element of one input, and say which rows belong to a partial."""

import numpy as np

from mdao_seq.approximation._openmdao.evaluating import Job, in_turn
from mdao_seq.approximation._openmdao.names import absolute


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
        component raised AnalysisError.
    """
    vectors = {wrt: vector for wrt, _, _, vector, _, _ in system._get_jac_wrts()}
    centre = centre_of(system)
    # An explicit component's residual is its outputs computed less those that it has.
    base = centre if system.is_explicit() else 0.0

    def at(asked, wrt, element, offset):
        name = absolute(system, wrt)
        vector = vectors[name]
        kind = 'inputs' if vector is system._inputs else 'outputs'
        job = Job(asked, [(kind, vector.get_range(name)[0] + element, offset)])
        for found in in_turn(system, 'fd', [job]):
            result = base + found if isinstance(found, np.ndarray) else np.full(centre.size, np.nan)
        return _agreed(system, result)

    return at


def centre_of(system):
    """Return what `outputs_along` would return at offset zero, without evaluating."""
    vector = system._outputs if system.is_explicit() else system._residuals
    return _agreed(system, vector.asarray(copy=True))


def _agreed(system, values):
    """Return the first rank's values: noise may differ, and all must choose the same steps."""
    ranks = system.comm if system._full_comm is None else system._full_comm
    return values if ranks.size == 1 else ranks.bcast(values)


def rows_of_partial(system, of, wrt, element):
    """Return the rows of one partial that one element of an input may change."""
    start, end = next(
        (start, end)
        for name, start, end, _, _ in system._get_jac_ofs()
        if name == absolute(system, of)
    )
    rows = np.arange(start, end)
    meta = system._subjacs_info[absolute(system, of), absolute(system, wrt)]
    if meta.get('diagonal'):
        return rows[element : element + 1]
    if meta.get('rows') is not None:
        return rows[np.asarray(meta['rows'])[np.asarray(meta['cols']) == element]]
    return rows
