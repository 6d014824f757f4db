"""A system's coloring: which columns are perturbed together, and what each may change.

OpenMDAO finds a coloring at the first linearization (``_get_coloring``) and keeps it over later
setups, also where sizes have changed; `drop_stale_coloring` mends that.
"""

import numpy as np
from openmdao.utils import coloring as coloring_mod

from mdao_seq.approximation._openmdao.names import relative


def coloring_of(system):
    """Return the coloring of partials (of a model: of its approximated totals) in use, or None."""
    info = system._coloring_info
    if not coloring_mod._use_partial_sparsity or (info.coloring is None and info.static is None):
        return None
    coloring = system._get_static_coloring()
    return coloring if coloring is not None and coloring._fwd is not None else None


def fits(system, coloring):
    """Whether a coloring was found for the variables and sizes that a system has now."""
    matches = system._coloring_info._update_wrt_matches(system)
    present = system._get_jac_ofs(), system._get_jac_wrts(matches)
    rows, columns = (
        [(relative(system, name), end - start) for name, start, end, *_ in variables]
        for variables in present
    )
    return rows == list(
        zip(coloring._row_vars, coloring._row_var_sizes, strict=True)
    ) and columns == list(zip(coloring._col_vars, coloring._col_var_sizes, strict=True))


def drop_stale_coloring(system):
    """Forget a coloring that an earlier setup found for other sizes; OpenMDAO checks given ones."""
    coloring, info = coloring_of(system), system._coloring_info
    if coloring is not None and info.dynamic and not fits(system, coloring):
        info.coloring = None
        system._first_call_to_linearize = True  # which finds it anew


def colored_columns(system, frame):
    """Return (variable, element) of every column that the coloring knows, in its order."""
    if coloring_of(system) is None:
        return []
    info = system._coloring_info
    info._update_wrt_matches(system)
    return [
        (name, element)
        for name, size in frame.columns_among(info.wrt_matches)
        for element in range(size)
    ]


def colors_of(system, frame):
    """Return the columns of each color, as (variable, element)."""
    coloring = coloring_of(system)
    if coloring is None:
        return []
    columns = colored_columns(system, frame)
    return [[columns[c] for c in color] for color in coloring.color_iter('fwd')]


def color_rows(system, frame):
    """Yield each colored column and a mask of the rows that it may change."""
    columns = colored_columns(system, frame)
    rows = system._get_jac_ofs()[-1][2]
    for color, nonzeros in coloring_of(system).color_nonzero_iter('fwd'):
        for column, nonzero in zip(color, nonzeros, strict=True):
            own = np.zeros(rows, dtype=bool)
            own[nonzero] = True
            yield columns[column], own
