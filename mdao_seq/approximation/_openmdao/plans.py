"""Evaluation plans of held systems: from every approximated (of, wrt) that the totals need."""

from dataclasses import replace

from mdao_seq.approximation._openmdao.colorings import colored_columns, coloring_of, colors_of
from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import EvaluationPlan
from mdao_seq.differences.planning import build_plan


def plan_declared(system, use_relevance=True, keep=None, frame=None) -> EvaluationPlan:
    """Plan what a held system declared, for the totals that are wanted at present."""
    frame = frame or system._held_frame
    return build_with_replaced_steps(system, frame.declared(use_relevance, keep), keep, frame)


def build_with_replaced_steps(system, declared, keep=None, frame=None) -> EvaluationPlan:
    """Plan declarations as they were made, but for the steps that were replaced since."""
    steps, frame = system.replaced_steps, frame or system._held_frame
    replaced = [
        replace(d, step=steps[d], is_auto=False) if d in steps else _apart(d, k)
        for k, d in enumerate(declared)
    ]
    return build(system, frame.completed(replaced, keep), frame)


def _apart(declaration, number):
    """Give a step that is not known yet to no two declarations: none may count on sharing."""
    if not declaration.is_auto:
        return declaration
    return replace(declaration, step=declaration.step * (1.0 + 1e-3 * number))


def plan_as_declared(system) -> EvaluationPlan:
    """Plan what a held system declared, without tuned steps, whatever is wanted at present."""
    system._held_frame.prepare()
    return build(system, system._held_frame.declared(wanted=False))


def untuned(system) -> list[Declaration]:
    """Return the declarations wanted at present whose step is still to be found."""
    declared = system._held_frame.declared()
    return [d for d in declared if d.is_auto and d not in system.replaced_steps]


def in_force(system):
    """Return what a check has to differ from, in the form of OpenMDAO's declarations.

    Its own list also has what a later declaration has replaced, and neither orders nor tuned steps.
    """
    exact = {
        names: meta
        for names, meta in system._declared_partials_patterns.items()
        if 'method' not in meta
    }
    declared = plan_as_declared(system).declarations
    steps = system.replaced_steps
    found = {}
    for d in declared:
        meta = {'method': d.method, 'step': steps.get(d, d.step)}
        if d.method == 'fd':
            # Of a higher order the form is another than that of any check.
            is_lowest = d.order == Declaration(d.of, d.wrt, form=d.form).order
            form = d.form if is_lowest else f'{d.form} of order {d.order}'
            meta |= {'form': form, 'step_calc': d.step_calc}
        found[(d.of,), (d.wrt,)] = meta
    return exact | found


def value_of_input(system, wrt):
    """Return the present value of a variable that is differentiated by."""
    return system._held_frame.value(wrt)


def build(system, declarations, frame=None, with_colors=True):
    """Plan declarations of a system, held or not, at its present values."""
    frame = frame or system._held_frame
    values = {d.wrt: frame.value(d.wrt) for d in declarations}
    colors = colors_of(system, frame) if with_colors else []
    # The first linearization looks for a coloring, and may find none that is worth it.
    awaited = (
        coloring_of(system) is None
        and system._first_call_to_linearize
        and system._coloring_info.dynamic
    )
    try:
        return build_plan(
            declarations,
            values,
            system.pathname or '(model)',
            colors,
            known=colored_columns(system, frame) if with_colors else (),
            bound=_why_bound(awaited, declarations),
        )
    except ValueError as error:
        raise ValueError(f'{system.msginfo}: {error}') from None


def _why_bound(awaits_coloring, declarations):
    if awaits_coloring:
        return 'no coloring is known yet'
    if any(declaration.is_auto for declaration in declarations):
        return 'the first linearization tunes steps, which may be shared'
    return ''
