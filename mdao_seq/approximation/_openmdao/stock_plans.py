"""Evaluation plans of what OpenMDAO itself does with the systems that are not held.

It keeps one declaration for each input, the last, and treats colorings scheme by scheme: each
scheme's plan is run after the one before, and shares nothing with it.
"""

from mdao_seq.approximation._openmdao.colorings import colored_columns
from mdao_seq.approximation._openmdao.names import absolute, relative
from mdao_seq.approximation._openmdao.partials import Partials, as_openmdao_means, wanted_keys
from mdao_seq.approximation._openmdao.plans import build
from mdao_seq.approximation._openmdao.totals import Totals
from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import EvaluationPlan, joined


def plan_stock(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what OpenMDAO itself does with the declarations of a component that is not held."""
    return joined(plans_of_component(system, use_relevance, keep), system.pathname)


def plans_of_component(system, use_relevance=True, keep=None) -> list[EvaluationPlan]:
    """Return a component's plans; none of a matrix-free one.

    Of each input only the last declaration counts, whatever the others say.
    """
    metas = {}
    if system.matrix_free:
        return []
    # OpenMDAO looks at the inputs' relevance only, and fills its schemes from the end.
    for of, wrt in reversed(wanted_keys(system, use_relevance, keep, by_wrt_only=True)):
        meta = system._subjacs_info[of, wrt]
        if meta['method'] not in system._approx_schemes:
            # OpenMDAO forgets a method that an earlier linearization had no use for.
            continue
        if not any(wrt in of_method for of_method in metas.values()):
            metas.setdefault(meta['method'], {})[wrt] = meta
    return plans_by_scheme(system, metas)


def plans_by_scheme(system, metas) -> list[EvaluationPlan]:
    """Plan from what OpenMDAO's schemes hold: by method, options by input, absolute names."""
    plans, frame = [], Partials(system)
    colored = {absolute(system, wrt) for wrt, _ in colored_columns(system, frame)}
    for method, of_method in metas.items():
        in_colors = [wrt for wrt in of_method if wrt in colored]
        if in_colors:
            # Each scheme runs every color, with the options of the first input that it finds.
            options = {**of_method[in_colors[0]], 'method': method}
            every = _undivided(system, dict.fromkeys(colored, options))
            plans.append(build(system, every, frame))
        alone = {
            wrt: {**meta, 'method': method}
            for wrt, meta in of_method.items()
            if not (colored and 'coloring' in meta)
        }
        plans.append(build(system, _undivided(system, alone), frame, with_colors=False))
    return plans


def _undivided(system, metas):
    return [
        Declaration('*', relative(system, wrt), **as_openmdao_means(meta))
        for wrt, meta in metas.items()
    ]


def plans_in_use(system) -> list[EvaluationPlan] | None:
    """Return the plans of what the schemes of a component hold; None where it has none."""
    if not system._approx_schemes:
        return None
    return plans_by_scheme(
        system, {method: scheme._wrt_meta for method, scheme in system._approx_schemes.items()}
    )


def plan_group(group) -> tuple[Totals, EvaluationPlan]:
    """Return the frame and the plan by which OpenMDAO itself runs a group for its derivatives."""
    before = group._owns_approx_of, group._owns_approx_wrt
    pairs = list(group._approx_subjac_keys_iter())
    group._owns_approx_of, group._owns_approx_wrt = before
    below = [dict.fromkeys(names) for names in zip(*pairs, strict=True)]
    frame = Totals(group, below if group.pathname else None)
    method, scheme = next(iter(group._approx_schemes.items()))
    relevance = group._relevance
    with relevance.all_seeds_active():
        if group.pathname and not group._first_call_to_linearize:
            # Below the model OpenMDAO keeps what the first totals that it was asked for needed.
            wanted = scheme._wrt_meta.__contains__
        else:
            wanted = relevance.is_relevant
        wrts = [wrt.name for wrt in frame.reaching() if wanted(wrt.source)]
    options = {'method': method, **group._owns_approx_jac_meta}
    declared = [Declaration('*', wrt, **as_openmdao_means(options)) for wrt in wrts]
    return frame, build(group, declared, frame)
