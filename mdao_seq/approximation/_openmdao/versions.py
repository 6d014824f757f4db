"""The versions of OpenMDAO whose private parts are as this folder takes them to be.

On others derivatives could be zero, or share one step, without a word. So a version that lacks a
hook is refused at setup, and one that passes a hook by at the first linearization.
"""

from functools import cache

import openmdao
from openmdao.core.component import Component
from openmdao.core.explicitcomponent import ExplicitComponent
from openmdao.core.group import Group
from openmdao.core.implicitcomponent import ImplicitComponent

CHECKED = '3.40.0 to 3.45.1'

# What we override, and call, by the class that has it. 3.36 to 3.39 lack _add_approximations.
HOOKS = {
    Component: (
        '_add_approximations',
        '_check_fds_differ',
        '_find_of_matches',
        '_find_wrt_matches',
        '_matching_key_iter',
        '_resolve_partials_patterns',
        '_setup_check',
        '_setup_partials',
        '_setup_procs',
    ),
    ExplicitComponent: ('_get_approx_scheme', '_get_jac_ofs', '_get_jac_wrts', '_linearize'),
    ImplicitComponent: ('_get_approx_scheme', '_get_jac_ofs', '_get_jac_wrts', '_linearize'),
    Group: (
        '_check_first_linearize',
        '_get_jac_col_scatter',
        '_get_totals_metadata',
        '_linearize',
        '_setup_approx_coloring',
        '_setup_approx_derivs',
        '_setup_procs',
    ),
}


@cache
def _lacking():
    return [
        f'{owner.__name__}.{name}'
        for owner, names in HOOKS.items()
        for name in names
        if not hasattr(owner, name)
    ]


def refuse_others(system):
    """Raise RuntimeError, at setup, on a version that lacks a hook."""
    if _lacking():
        raise RuntimeError(
            f'{_told(system)} lacks {", ".join(_lacking())}, without which PerOutputFD could not '
            f'hold declarations{_WHAT_TO_DO}'
        )


def refused(system) -> RuntimeError:
    """Return the error for a version that has passed our hooks by."""
    return RuntimeError(
        f'{_told(system)} did not run the approximations that PerOutputFD holds{_WHAT_TO_DO}'
    )


_WHAT_TO_DO = (
    f'; use a version that mdao_seq was checked on ({CHECKED}), or an mdao_seq that was checked on '
    'this one.'
)


def _told(system):
    return f'{system.msginfo}: OpenMDAO {openmdao.__version__}'
