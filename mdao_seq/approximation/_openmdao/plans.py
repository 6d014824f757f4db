"""Evaluation plans of components: of held ones as declared, of others as OpenMDAO does it.

A held component is planned from every approximated (of, wrt) that the totals need. OpenMDAO itself
keeps one declaration for each input, the last, and treats colorings scheme by scheme; `plan_stock`
says what that costs.
"""

from dataclasses import replace

import numpy as np

from mdao_seq.approximation._openmdao.colorings import colored_columns, coloring_of, colors_of
from mdao_seq.approximation._openmdao.names import (
    OPTIONS,
    OURS,
    absolute,
    approximated_keys,
    relative,
)
from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import EvaluationPlan, joined
from mdao_seq.differences.planning import build_plan


def plan_declared(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what a held component declared, for the totals that are wanted at present."""
    keys = _wanted_keys(system, use_relevance, keep)
    return build_with_replaced_steps(system, [_declaration(system, key) for key in keys])


def build_with_replaced_steps(system, declared) -> EvaluationPlan:
    """Plan declarations as they were made, but for the steps that were replaced since."""
    steps = system.replaced_steps
    return build(
        system,
        [
            replace(d, step=steps[d], is_auto=False) if d in steps else _apart(d, k)
            for k, d in enumerate(declared)
        ],
    )


def _apart(declaration, number):
    """Give a step that is not known yet to no two declarations: none may count on sharing."""
    if not declaration.is_auto:
        return declaration
    return replace(declaration, step=declaration.step * (1.0 + 1e-3 * number))


def plan_as_declared(system) -> EvaluationPlan:
    """Plan what a held component declared, without tuned steps, whatever is wanted at present."""
    return build(system, [_declaration(system, key) for key in approximated_keys(system)])


def untuned(system) -> list[Declaration]:
    """Return the declarations wanted at present whose step is still to be found."""
    wanted = [_declaration(system, key) for key in _wanted_keys(system, True, None)]
    return [d for d in wanted if d.is_auto and d not in system.replaced_steps]


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
    return _value_of(system, absolute(system, wrt))


def _declaration(system, key):
    meta = system._subjacs_info[key]
    replaces = system.options['derivs_method']
    if replaces == 'cs':
        # OpenMDAO's option stands above what was declared, whose steps are not meant for it.
        options = {'method': 'cs'}
    elif system._declares_as_openmdao or replaces:
        options = _as_openmdao_means(meta)
    else:
        options = {name: meta.get(name) for name in OPTIONS}
    if options['method'] == 'fd':
        options |= meta.get(OURS) or {}
    try:
        return Declaration(*(relative(system, name) for name in key), **options)
    except ValueError as error:
        raise ValueError(f'{system.msginfo}: {error}') from None


def _as_openmdao_means(meta):
    """Return the options of a declaration that was written for OpenMDAO alone.

    There a step of zero means the default, a negative one steps the other way, and no minimum step
    means that the step may vanish.
    """
    step = np.asarray(meta.get('step') or 0.0).item()
    if meta['method'] == 'cs':
        return {'method': 'cs', 'step': abs(step) or None}
    options = {name: meta.get(name) or None for name in OPTIONS} | {'step': abs(step) or None}
    if step < 0:
        form = options['form'] or 'forward'
        options['form'] = {'forward': 'backward', 'backward': 'forward'}.get(form, form)
    return options


def _wanted_keys(system, use_relevance, keep, by_wrt_only=False):
    """Approximated (of, wrt) that the driver or compute_totals needs at present."""
    keys = [
        key
        for key in approximated_keys(system)
        if keep is None or keep(*(relative(system, name) for name in key))
    ]
    linear_solver = system.linear_solver
    if not use_relevance or not (linear_solver is None or linear_solver.use_relevance()):
        return keys
    relevance = system._relevance
    with relevance.all_seeds_active():
        first = 1 if by_wrt_only else 0
        return [key for key in keys if all(map(relevance.is_relevant, key[first:]))]


def build(system, declarations, with_colors=True):
    values = {d.wrt: _value_of(system, absolute(system, d.wrt)) for d in declarations}
    colors = colors_of(system) if with_colors else []
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
            system.pathname,
            colors,
            known=colored_columns(system) if with_colors else (),
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


def _value_of(system, wrt):
    """Return the value of a variable, whole also when it is distributed."""
    vector = system._inputs if wrt in system._var_abs2meta['input'] else system._outputs
    meta = system._var_allprocs_abs2meta
    meta = meta['input'][wrt] if wrt in meta['input'] else meta['output'][wrt]
    if not meta['distributed']:
        return vector._abs_get_val(wrt)
    local = vector._abs_get_val(wrt) if wrt in vector._views else np.empty(0)
    return np.concatenate(system.comm.allgather(np.asarray(local)))


def plan_stock(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what OpenMDAO itself does with the declarations of a component that is not held.

    Of each input only the last declaration counts, whatever the others say.
    """
    metas = {}
    # OpenMDAO looks at the inputs' relevance only, and fills its schemes from the end.
    for of, wrt in reversed(_wanted_keys(system, use_relevance, keep, by_wrt_only=True)):
        meta = system._subjacs_info[of, wrt]
        if not any(wrt in of_method for of_method in metas.values()):
            metas.setdefault(meta['method'], {})[wrt] = meta
    return _plan_by_scheme(system, metas)


def _plan_by_scheme(system, metas):
    """Plan from what OpenMDAO's schemes hold: by method, options by input."""
    plans = []
    colored = {absolute(system, wrt) for wrt, _ in colored_columns(system)}
    for method, of_method in metas.items():
        in_colors = [wrt for wrt in of_method if wrt in colored]
        if in_colors:
            # Each scheme runs every color, with the options of the first input that it finds.
            options = {**of_method[in_colors[0]], 'method': method}
            plans.append(build(system, _undivided(system, dict.fromkeys(colored, options))))
        alone = {
            wrt: {**meta, 'method': method}
            for wrt, meta in of_method.items()
            if not (colored and 'coloring' in meta)
        }
        plans.append(build(system, _undivided(system, alone), with_colors=False))
    return joined(plans, system.pathname)


def _undivided(system, metas):
    return [
        Declaration('*', relative(system, wrt), **_as_openmdao_means(meta))
        for wrt, meta in metas.items()
    ]


def planned_by_schemes(system) -> EvaluationPlan | None:
    """Plan what OpenMDAO's own schemes of a component run; None where it has none."""
    if not system._approx_schemes:
        return None
    return _plan_by_scheme(
        system, {method: scheme._wrt_meta for method, scheme in system._approx_schemes.items()}
    )
