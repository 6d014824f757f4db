"""A component's partial coloring: which columns are perturbed together, and what each may change.

OpenMDAO finds a coloring at the first linearization (``_get_coloring``) and keeps it over later
setups, also where sizes have changed; `drop_stale_coloring` mends that.
"""

import numpy as np
from openmdao.utils import coloring as coloring_mod

from mdao_seq.approximation._openmdao.names import absolute, relative


def coloring_of(system):
    """Return the partial coloring in use, or None."""
    if not coloring_mod._use_partial_sparsity:
        return None
    coloring = system._get_static_coloring()
    return coloring if coloring is not None and coloring._fwd is not None else None


def fits(system, coloring):
    """Whether a coloring was found for the variables and sizes that a component has now."""
    rows = {relative(system, of): end - start for of, start, end, _, _ in system._get_jac_ofs()}
    matches = system._coloring_info._update_wrt_matches(system)
    columns = {
        relative(system, wrt): end - start
        for wrt, start, end, _, _, _ in system._get_jac_wrts(matches)
    }
    return rows == dict(
        zip(coloring._row_vars, coloring._row_var_sizes, strict=True)
    ) and columns == dict(zip(coloring._col_vars, coloring._col_var_sizes, strict=True))


def drop_stale_coloring(system):
    """Forget a coloring that an earlier setup found for other sizes; OpenMDAO checks given ones."""
    coloring, info = coloring_of(system), system._coloring_info
    if coloring is not None and info.dynamic and not fits(system, coloring):
        info.coloring = None
        system._first_call_to_linearize = True  # which finds it anew


def colored_columns(system):
    """Return (input, element) of every column that the coloring knows, in its order."""
    if coloring_of(system) is None:
        return []
    info = system._coloring_info
    info._update_wrt_matches(system)
    return [
        (relative(system, wrt), element)
        for wrt, start, end, _, _, _ in system._get_jac_wrts(info.wrt_matches)
        for element in range(end - start)
    ]


def colors_of(system):
    """Return the columns of each color, as (input, element)."""
    coloring = coloring_of(system)
    if coloring is None:
        return []
    columns = colored_columns(system)
    return [[columns[c] for c in color] for color in coloring.color_iter('fwd')]


def color_rows(system):
    """Yield each colored column and a mask of the rows of the residual that it may change."""
    coloring = coloring_of(system)
    columns = colored_columns(system)
    starts = {of: start for of, start, _, _, _ in system._get_jac_ofs()}
    rows = np.concatenate(
        [
            np.arange(size) + starts[absolute(system, of)]
            for of, size in zip(coloring._row_vars, coloring._row_var_sizes, strict=True)
        ]
    )
    for color, nonzeros in coloring.color_nonzero_iter('fwd'):
        for column, nonzero in zip(color, nonzeros, strict=True):
            own = np.zeros(len(system._residuals), dtype=bool)
            own[rows[nonzero]] = True
            yield columns[column], own
