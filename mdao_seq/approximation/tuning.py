"""`tune_steps`: steps for a component's differences, from its measured noise."""

from collections import Counter
from dataclasses import replace

import numpy as np
from openmdao.core.component import Component
from tqdm import tqdm

from mdao_seq.approximation._openmdao.held_group import declares_totals
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.plans import plan_as_declared, value_of_input
from mdao_seq.approximation._openmdao.sampling import centre_of, outputs_along, rows_of_partial
from mdao_seq.approximation._openmdao.systems import is_distributed, is_final
from mdao_seq.approximation.asking import Asked
from mdao_seq.differences.error_curve import Line, error_curve
from mdao_seq.differences.line_sampling import BATCH, MOST_EVALUATIONS, LineSampler
from mdao_seq.differences.plan import Point
from mdao_seq.differences.planning import build_plan
from mdao_seq.differences.sharing import groupings, shared_steps
from mdao_seq.differences.step_table import StepTable, TunedStep

ROUNDS = 4  # times that chosen steps are tried before they are taken


def tune_steps(
    problem, comp, budget=None, accuracy=None, span=0.3, elements=4, announce=print
) -> StepTable:
    """Find a step for every finite difference that a component declares.

    Along each input the component is evaluated near its present point: closely spaced, for the
    noise of each output (ECNoise, Moré and Wild 2011), at all scales, for the shape, and where the
    derivatives gain most, a batch for each declaration. From these samples the error of every
    declared form is predicted at every step, and the step with the least is taken. What is declared
    as complex step or exact is left alone.

    Parameters
    ----------
    problem : om.Problem
        Run, at the point of interest.
    comp : PerOutputFD or str
        A component of the problem, or a group with `PerOutputFD.declare_totals`; or its path.
    budget : int or None
        Most evaluations per linearization: outputs are made to share steps so that the predicted
        error is least within it. None: each (of, wrt) its own step.
    accuracy : float or None
        Relative error that is enough: the fewest evaluations that reach it are chosen.
    span : float
        Largest perturbation of an element, relative to its magnitude (to 1 where it is zero and its
        input, too).
    elements : int
        Elements of an input that are sampled, evenly spaced, where it has more.
    announce : callable
        Called with a line of text that says how many evaluations will be made at most.

    Returns
    -------
    StepTable
        Print it, `StepTable.apply` it to the component, save it.

    Raises
    ------
    TypeError
        If the component does not have the mixin.
    RuntimeError
        Before ``final_setup``, or if the component has distributed variables.
    ValueError
        If nothing is declared as ``fd``, or the budget is below what one step for each input takes.
    """
    component = problem.model._get_subsystem(comp) if isinstance(comp, str) else comp
    _check(component, comp)
    for name, value in (('span', span), ('elements', elements), ('accuracy', accuracy)):
        if value is not None and not value > 0:
            raise ValueError(f'{component.msginfo}: {name} = {value}: must be positive')
    declared = [d for d in plan_as_declared(component).declarations if d.method == 'fd']
    if not declared:
        what = 'partial'
        if declares_totals(component):
            what = 'total that its driver, or the compute_totals before, asks for'
        raise ValueError(f'{component.msginfo}: no {what} is declared with method fd')
    return tune(component, declared, budget, accuracy, span, elements, announce)


def tune(
    component, declared, budget=None, accuracy=None, span=0.3, elements=4, announce=print
) -> StepTable:
    """Tune some declarations of a component whose vectors are unscaled; see `tune_steps`."""
    if is_distributed(component):
        raise RuntimeError(
            f'{component.msginfo}: its steps cannot be tuned, since it has distributed variables; '
            'tune them on one process, and apply the saved table here'
        )
    by_wrt = {}
    for declaration in declared:
        by_wrt.setdefault(declaration.wrt, []).append(declaration)
    values = {wrt: np.ravel(value_of_input(component, wrt)) for wrt in by_wrt}
    lines = [
        _ElementLine(component, of_wrt, values[wrt], element)
        for wrt, of_wrt in by_wrt.items()
        for element in _evenly(_inside(of_wrt, values[wrt]), elements)
    ]
    announced = sum(line.most_evaluations for line in lines)
    say = announce if component.comm.rank == 0 else lambda text: None
    say(
        f'{component.msginfo}: tuning steps along {_counted(lines)}: at most {announced} '
        'evaluations'
    )
    at = outputs_along(component)
    for line in tqdm(lines, desc='tune_steps', disable=None, leave=False):
        line.start(at, span)
    for _ in range(ROUNDS):
        choice, trade = _choose(by_wrt, values, lines, budget, accuracy)
        # The steps chosen are tried; what that shows may change the choice.
        steps = {curve.declaration: step for curve, step in choice.steps}
        if not any([line.sample_at(steps) for line in lines]):
            break
    choice, trade = _choose(by_wrt, values, lines, budget, accuracy)
    if accuracy is not None and choice.worst > accuracy:
        say(
            f'{component.msginfo}: an accuracy of {accuracy:g} is not reached: the largest '
            f'relative error is {choice.worst:.2g}'
        )
    spent = sum(line.sampler.evaluations for line in lines)
    rows = _rows(component, declared, choice, values)
    told = tuple((g.evaluations, g.growth, g.worst) for g in trade)
    return StepTable(component.pathname or '(model)', rows, announced, spent, told)


def _counted(lines):
    """Say how many elements of which inputs are sampled."""
    sampled = Counter(line.wrt for line in lines)
    return ', '.join(f'{wrt} ({n} element{"s"[: n > 1]})' for wrt, n in sampled.items())


class _ElementLine:
    """An element of an input, along which a component is sampled for several declarations."""

    def __init__(self, component, declared, values, element):
        self.component, self.declared, self.element = component, declared, element
        self.wrt = declared[0].wrt
        self.values = values
        # Where an element is zero, the magnitude of its input, or 1.
        self.scale = float(abs(values[element]) or np.abs(values).max() or 1.0)
        self.multipliers = {d: float(d.scales(values)[element]) for d in declared}
        rows = {d: rows_of_partial(component, d.of, self.wrt, element) for d in declared}
        # Only rows of these partials are sampled: others may be anything.
        self.sampled = np.unique(np.concatenate(list(rows.values())))
        self.rows = {d: np.searchsorted(self.sampled, of_d) for d, of_d in rows.items()}

    @property
    def most_evaluations(self):
        # No stencil that bounds put in the place of the declared one has more points.
        tried = sum(len(d.stencil.offsets) for d in self.declared)
        return MOST_EVALUATIONS + BATCH * len(self.declared) + ROUNDS * tried

    def start(self, at, span):
        component, wrt = self.component, self.wrt
        bounds = _bounds(self.declared, self.values.size)
        # A little less, so that no sum of value and offset is rounded beyond.
        lower, upper = (
            (side[self.element] - self.values[self.element]) * (1 - 1e-12) for side in bounds
        )

        never_finite = np.ones(self.sampled.size, dtype=bool)

        def evaluate(offset):
            point = Point(((0, offset),), self.declared[0], tuple(self.declared))
            found = at(Asked(component, (point,), 'tune'), wrt, self.element, offset)[self.sampled]
            never_finite[np.isfinite(found)] = False
            return found

        try:
            centre = centre_of(component)[self.sampled]
            self.sampler = LineSampler(evaluate, centre, self.scale, span, lower, upper)
            self.sampler.refine(batches=len(self.declared))
        except ValueError as error:
            dead = [d.of for d in self.declared if never_finite[self.rows[d]].any()]
            what = 'it failed' if never_finite.all() else f'{" and ".join(dead)} is not finite'
            raise ValueError(
                f'{component.msginfo}: {wrt}[{self.element}]: {what} at too many of the points '
                f'that were tried; choose a smaller span than {span}, or bounds for the '
                'declarations'
            ) from error

    def sample_at(self, steps):
        """Sample the points of the steps; return whether any was new."""
        return self.sampler.add(
            offset.real * steps[declaration] * self.multipliers[declaration]
            for declaration in self.declared
            for offset in self._stencil(declaration, steps[declaration]).offsets
        )

    def _stencil(self, declaration, step):
        """Return the stencil that the declaration takes here with a step."""
        step = step * self.multipliers[declaration]
        stencils, (taken,) = declaration.stencils_by_step(self.values, self.element, [step])
        return stencils[taken]

    def of(self, declaration):
        multiplier, rows = self.multipliers[declaration], self.rows[declaration]
        return Line(self.sampler.sample, self.scale, multiplier, rows, self.values, self.element)


def _choose(by_wrt, values, lines, budget, accuracy):
    by_input = {}
    for wrt, declared in by_wrt.items():
        of_wrt = [line for line in lines if line.wrt == wrt]
        try:
            curves = [error_curve(d, [line.of(d) for line in of_wrt]) for d in declared]
        except ValueError as error:
            raise ValueError(f'{lines[0].component.msginfo}: {error}') from None
        by_input[wrt] = groupings(curves, values[wrt])
    return shared_steps(by_input, budget, accuracy)


def _check(component, comp):
    if not isinstance(component, Component) and not declares_totals(component):
        raise TypeError(
            f'tune_steps: {comp!r} is no component of the problem, nor a group with declare_totals'
        )
    if not isinstance(component, HeldSystem):
        raise TypeError(
            f'{component.msginfo}: its steps cannot be tuned, since OpenMDAO would not keep them; '
            'give it the mixin PerOutputFD, or call hold_declarations(problem) before setup'
        )
    if not is_final(component):
        raise RuntimeError(f'{component.msginfo}: run the problem before tune_steps')


def _bounds(declared, size):
    """Return what all declarations of an input keep to, each of shape (size,)."""
    given = [d.bounds for d in declared if d.bounds is not None] or [(-np.inf, np.inf)]
    lower, upper = ([np.broadcast_to(pair[side], size) for pair in given] for side in (0, 1))
    return np.max(lower, axis=0), np.min(upper, axis=0)


def _inside(declared, values):
    """Return the elements that have most room between their bounds."""
    lower, upper = _bounds(declared, values.size)
    room = np.minimum(values - lower, upper - values)
    return np.flatnonzero(room >= room.max(initial=0.0) / 2)


def _evenly(elements, most):
    places = np.linspace(0, elements.size - 1, min(elements.size, most))
    return elements[np.unique(places.round().astype(int))]


def _rows(component, declared, choice, values):
    chosen = {curve.declaration: (curve, step) for curve, step in choice.steps}
    tuned = {d: replace(d, step=chosen[d][1]) for d in declared}
    plan = build_plan(list(tuned.values()), values, component.pathname)
    rows = []
    for declaration in declared:
        curve, step = chosen[declaration]
        relative = curve.at(step)
        rows.append(
            TunedStep(
                declaration,
                step,
                curve.value,
                curve.uncertainty,
                relative * max(curve.value, curve.uncertainty),
                relative,
                curve.noise,
                plan.by_declaration[tuned[declaration]].owned,
                curve.remark,
            )
        )
    return tuple(rows)
