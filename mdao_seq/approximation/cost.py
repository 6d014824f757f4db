"""`fd_cost`: what a component's approximations cost, before it is spent."""

from dataclasses import replace

import openmdao.api as om
from openmdao.core.component import Component
from openmdao.utils.om_warnings import issue_warning

from mdao_seq.approximation._openmdao.held_group import declares_totals, plan_totals
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.names import names_any
from mdao_seq.approximation._openmdao.plans import plan_declared
from mdao_seq.approximation._openmdao.stock_plans import plan_stock
from mdao_seq.approximation._openmdao.systems import (
    as_linearized,
    group_differenced_above,
    is_final,
)
from mdao_seq.differences.plan import EvaluationPlan


def fd_cost(comp, of=None, wrt=None, counts=None) -> EvaluationPlan:
    """Return the evaluations that one linearization of a component or group costs.

    The plan holds what the driver's responses and design variables need, since OpenMDAO skips the
    rest: without a driver that has both, all that is declared. Where a group above is differenced
    as a whole (``approx_totals``, `PerOutputFD.declare_totals`) nothing of it is used for totals,
    and a warning says so. While a coloring is declared and not yet computed the cost is an upper
    bound, and says so.

    Parameters
    ----------
    comp : Component or Group
        Any component after ``final_setup``. With `PerOutputFD` the plan is what was declared;
        without it, what OpenMDAO makes of it (the last declaration of each input). Or a group with
        `PerOutputFD.declare_totals`: an evaluation is then a run of the group.
    of, wrt : str or iterable of str or None
        Names or glob patterns of the component's outputs and inputs: count only these partials.
        None: all. Of a model without a driver's responses or design variables: their names.
    counts : CallCounts or CallCountRecorder or None
        What was counted before: the time that its evaluations took is taken for these.

    Returns
    -------
    EvaluationPlan
        ``.total`` evaluations per linearization, ``.by_declaration``; ``str()`` is a table;
        ``.what_if(of, wrt, form=…, step=…)`` is the plan of another choice.

    Raises
    ------
    RuntimeError
        Before ``final_setup``; if it depends on names that are not given what a model costs.
    TypeError
        If `comp` is neither a component nor a group with declared totals.
    ValueError
        If `of` or `wrt` matches no declaration; if `counts` has no evaluation of the component.
    """
    if not isinstance(comp, Component) and not declares_totals(comp):
        raise TypeError(
            f'fd_cost({comp!r}): a component is needed, or a group with declare_totals; of another '
            'group, ask its components one by one'
        )
    if not is_final(comp):
        raise RuntimeError(f'{comp.msginfo}: call final_setup() on the problem before fd_cost')
    ofs, wrts = _patterns(of), _patterns(wrt)

    def keep(of_name, wrt_name):
        return names_any(of_name, ofs) and names_any(wrt_name, wrts)

    above = group_differenced_above(comp)
    if above is not None:
        issue_warning(
            f'{above} is differenced as a whole: total derivatives make none of these evaluations, '
            'and use none of these steps, unless a solver inside of it linearizes.',
            prefix=comp.msginfo,
            category=om.DerivativesWarning,
        )
    with as_linearized(comp):
        if declares_totals(comp):
            plan = plan_totals(comp, ofs, wrts)
        else:
            plan = (plan_declared if isinstance(comp, HeldSystem) else plan_stock)(comp, keep=keep)
    if not plan.declarations and (of, wrt) != (None, None):
        raise ValueError(f'{comp.msginfo}: of={of!r}, wrt={wrt!r} match no approximated derivative')
    return plan if counts is None else replace(plan, seconds_each=_seconds_each(counts, comp))


def _seconds_each(counts, comp):
    counts = counts.counts() if hasattr(counts, 'counts') else counts
    seconds = counts.seconds_each(comp.pathname)
    if seconds is None:
        raise ValueError(f'{comp.msginfo}: no evaluation of it was counted: run it first')
    return seconds


def _patterns(names):
    return ('*',) if names is None else (names,) if isinstance(names, str) else tuple(names)
