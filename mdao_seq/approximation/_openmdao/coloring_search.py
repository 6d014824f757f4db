"""The search for a component's coloring, which a point that fails must not mislead.

OpenMDAO differences the component with its own schemes, takes what is not zero for its sparsity,
and NaN for zero: what is not in the sparsity would never be computed again. A search that met a
failure is given up here, and every column perturbed alone.
"""

from contextlib import contextmanager

import numpy as np
from openmdao.core.analysis_error import AnalysisError
from openmdao.utils.coloring import _ColSparsityJac
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.approximation._openmdao.names import relative


class _SearchFailedError(AnalysisError):
    """A point of the search failed, or gave what is not a number."""


@contextmanager
def finite_samples(system, jac):
    """Raise `_SearchFailedError`, on every rank, unless what is found for a sparsity is finite."""
    if not isinstance(jac, _ColSparsityJac):
        yield
        return
    why = None
    try:
        yield
    except AnalysisError as error:
        # Of several ranks, the others may be inside of the component, and wait.
        if system.comm.size > 1:
            raise
        why = str(error).rstrip('.')
    else:
        why = _not_finite(system, jac)
    if system.comm.size > 1:
        why = next(filter(None, system.comm.allgather(why)), None)
    if why:
        raise _SearchFailedError(
            f'{system.msginfo}: the sparsity for its coloring cannot be found: {why}'
        )


def _not_finite(system, jac):
    """Name the first derivative found that is not finite."""
    for number, entry in enumerate(jac._col_list):
        if entry is None:
            continue
        rows, values = entry
        bad = rows[~np.isfinite(values)]
        if bad.size:
            columns = system._get_jac_wrts(system._coloring_info.wrt_matches)
            return (
                f'd({_element(system, system._get_jac_ofs(), bad[0])})/'
                f'd({_element(system, columns, number)}) is not finite'
            )
    return None


def _element(system, variables, number):
    """Name the element that a row or column stands for."""
    name, start = next((name, s) for name, s, end, *_ in variables if s <= number < end)
    return f'{relative(system, name)}[{number - start}]'


def found_coloring(system, search):
    """Return the coloring that a search finds; None, with a warning, where it met a failure."""
    vectors = system._inputs, system._outputs, system._residuals
    start = [vector.asarray(copy=True) for vector in vectors]
    jacobian = system._jacobian
    try:
        return search()
    except _SearchFailedError as error:
        # OpenMDAO was in the midst of it.
        system._during_coloring = False
        system._jacobian = jacobian
        for scheme in system._approx_schemes.values():
            scheme._reset()
        for vector, values in zip(vectors, start, strict=True):
            vector.set_val(values)
        issue_warning(
            f'{error}. Every column is perturbed alone.',
            category=DerivativesWarning,
        )
        return None
