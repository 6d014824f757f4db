"""Evaluate a component along one element of one input, and say which rows belong to a partial."""

from contextlib import contextmanager

import numpy as np
from openmdao.core.analysis_error import AnalysisError

from mdao_seq.approximation._openmdao.names import absolute
from mdao_seq.approximation._openmdao.scheme import evaluations


@contextmanager
def outputs_along(system):
    """Yield a function that returns outputs (residuals of an implicit component) at an offset.

    The system is left as it was. Vectors must be unscaled, as they are outside of solvers.

    Parameters
    ----------
    system : PerOutputFD
        After final_setup.

    Yields
    ------
    callable
        ``at(asked, wrt, element, offset)``: values of all rows, shape (rows,); NaN where the
        component raised AnalysisError.
    """
    vectors = {wrt: vector for wrt, _, _, vector, _, _ in system._get_jac_wrts()}
    starts = {wrt: vector.get_range(wrt)[0] for wrt, vector in vectors.items()}
    # An explicit component's residual is its outputs before less its outputs after.
    outputs = system._outputs.asarray(copy=True) if system.is_explicit() else None
    found = np.empty(len(system._residuals))
    with evaluations(system, 'fd') as evaluate:

        def at(asked, wrt, element, offset):
            name = absolute(system, wrt)
            vectors[name].iadd(offset, starts[name] + element)
            try:
                evaluate(asked, found)
            except AnalysisError:
                return np.full(found.size, np.nan)
            return found.copy() if outputs is None else outputs - found

        yield at


def centre_of(system):
    """Return what `outputs_along` would return at offset zero, without evaluating."""
    vector = system._outputs if system.is_explicit() else system._residuals
    return vector.asarray(copy=True)


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
