"""From samples to steps: the predicted error is the true one, and steps are shared at best."""

from itertools import product

import numpy as np
import pytest

from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.error_curve import Line, error_curve
from mdao_seq.differences.line_sampling import BATCH, MOST_EVALUATIONS, LineSampler
from mdao_seq.differences.sharing import groupings, shared_steps

FORMS = [('forward', 1), ('backward', 2), ('forward', 3), ('central', 2), ('central', 4)]


def sampled(function, at=1.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)

    def evaluate(offset):
        value = np.atleast_1d(function(at + offset))
        return value * (1 + noise * rng.standard_normal(value.shape))

    return LineSampler(evaluate, evaluate(0.0), abs(at))


def bisected(x):
    """Return the sine as a solver that stops early gives it."""
    cell = (1 + x * x) / 2**19
    return (np.floor(np.sin(x) / cell) + 0.5) * cell


def curve_of(sampler, form='central', order=None, row=0):
    declaration = Declaration(f'y{row}', 'x', form=form, order=order)
    return error_curve(declaration, [Line(sampler.sample, 1.0, 1.0, np.array([row]))])


def true_error(function, slope, stencil, step, noise, draws=400):
    """Root mean square error of a difference of exp-like functions at 1, by simulation."""
    rng = np.random.default_rng(9)
    total = stencil.base_weight * function(1.0) * (1 + noise * rng.standard_normal(draws))
    for offset, weight in zip(stencil.offsets, stencil.weights, strict=True):
        value = function(1.0 + offset.real * step)
        total = total + weight * value * (1 + noise * rng.standard_normal(draws))
    return np.sqrt(np.mean((total / step - slope) ** 2))


@pytest.mark.parametrize(('form', 'order'), FORMS)
@pytest.mark.parametrize('noise', [1e-11, 1e-6, 1e-3])
def test_the_error_is_predicted_at_the_chosen_step_and_it_is_near_the_least(form, order, noise):
    chosen, predicted, least = [], [], []
    for seed in range(9):
        curve = curve_of(sampled(np.exp, noise=noise, seed=seed), form, order)
        place = curve.error.argmin()
        stencil = curve.declaration.stencil
        errors = [true_error(np.exp, np.e, stencil, h, noise) for h in curve.steps]
        chosen.append(errors[place])
        predicted.append(curve.error[place])
        least.append(min(errors))
    assert np.median(np.array(chosen) / least) < 2
    assert 0.4 < np.median(np.array(predicted) / chosen) < 2.5


def test_the_derivative_is_better_than_one_difference_and_knows_how_good_it_is():
    ratios = []
    for seed in range(40):
        sampler = sampled(lambda x: np.array([np.sin(3 * x), 1 / (1 + x * x)]), 1.0, 1e-7, seed)
        model = sampler.sample.model
        errors = np.abs(model.derivative - [3 * np.cos(3), -0.5])
        ratios.append(errors / model.uncertainty)
        assert np.all(model.uncertainty < 1e-4)
    assert np.quantile(ratios, 0.9) < 2


def test_batches_make_the_derivative_as_sure_as_their_number_promises():
    """In noise a straight line's slope is off by sigma * sqrt(2 / N) / R at Chebyshev's nodes."""
    errors, uncertainties = [], []
    for seed in range(30):
        sampler = sampled(lambda x: 1.0 + 0.2 * (x - 1), noise=1e-3, seed=seed)
        sampler.refine(batches=4)
        assert sampler.evaluations <= MOST_EVALUATIONS + 4 * BATCH
        errors.append(sampler.sample.model.derivative[0] - 0.2)
        uncertainties.append(sampler.sample.model.uncertainty[0])
    expected = 1e-3 * (2 / (4 * BATCH)) ** 0.5 / 0.3
    assert np.std(errors) < 2 * expected
    assert np.median(uncertainties) == pytest.approx(np.std(errors), rel=1.0)


def test_batches_are_not_spent_where_they_are_not_worth_it():
    sampler = sampled(lambda x: 3.0)
    before = sampler.evaluations
    sampler.refine(batches=4)
    assert sampler.evaluations == before


def test_a_window_too_wide_for_an_output_has_no_say_in_its_truncation():
    """With sin(100 x) the wide ones took all for noise, and so no higher term for large."""
    shapes = (
        (lambda x: np.array([np.sin(90 * x), np.exp(x), x**3]), 3e-10),
        (lambda x: np.array([np.sin(90 * x), 1 / (1 + 4 * x * x), 1e4 + x]), 2e-6),
    )
    ratios = []
    for (function, noise), seed in product(shapes, range(6)):
        sampler = sampled(function, noise=noise, seed=seed)
        sampler.refine(batches=4)
        slope = 90 * np.cos(90)
        curve = curve_of(sampler, 'forward', 3)
        stencil = curve.declaration.stencil
        errors = [
            true_error(lambda x: np.sin(90 * x), slope, stencil, h, noise) for h in curve.steps
        ]
        ratios.append(errors[curve.error.argmin()] / min(errors))
    assert max(ratios) < 3


def test_single_precision_is_noise():
    sampler = sampled(lambda x: float(np.float32(np.exp(x))))
    spacing = np.spacing(np.float32(np.e))
    assert sampler.sample.noise[0] == pytest.approx(spacing / 12**0.5, rel=0.8)
    curve = curve_of(sampler)
    best = (3 * spacing / 12**0.5 / np.e) ** (1 / 3)
    assert curve.steps[curve.error.argmin()] == pytest.approx(best, rel=0.7)


def test_a_stopped_solver_is_smooth_between_its_jumps_and_still_noisy():
    """Its slope within one count of iterations is not the trend's."""
    sampler = sampled(bisected)
    assert sampler.sample.model.derivative[0] == pytest.approx(np.cos(1.0), abs=1e-3)
    assert sampler.sample.noise[0] > 1e-7


def test_a_slope_between_jumps_that_differs_by_little_is_not_the_trends_either():
    """6 % lie between the two here: it is by their uncertainties that they are told apart."""

    def solved(x):
        cell = (1 + 0.36 * x * x) / 2**18
        return (np.floor(np.sqrt(0.6 * x) / cell) + 0.5) * cell

    sampler = sampled(solved)
    sampler.refine(batches=2)
    model = sampler.sample.model
    assert abs(model.derivative[0] / (0.5 * 0.6**0.5) - 1) < 1e-3
    assert 1e-6 < model.uncertainty[0] < 1e-3


def test_an_event_is_kept_out():
    """A jump at 0.5 % of the input: the steps stay below, whatever the ladder has seen."""

    def with_event(x):
        return np.sin(x) + (0.2 if x > 1.005 else 0.0)

    sampler = sampled(with_event, noise=1e-9)
    for _ in range(4):
        curve = curve_of(sampler)
        step = curve.steps[curve.error.argmin()]
        if not sampler.add([step, -step]):
            break
    assert step < 0.005
    assert sampler.sample.model.derivative[0] == pytest.approx(np.cos(1.0), rel=1e-4)


@pytest.mark.parametrize(
    ('function', 'remark'),
    [
        (lambda x: 3.0, 'does not depend on the input'),
        (lambda x: 2.0 * x + 1.0, 'straight as far as was sampled'),
        (bisected, 'jumps between smooth pieces'),
        (lambda x: 3.0 + (x - 1) ** 4, 'zero within the noise'),
    ],
)
def test_what_is_special_is_told(function, remark):
    assert remark in curve_of(sampled(function)).remark


def test_points_that_fail_are_done_without():
    def fails(x):
        return np.log(x - 0.9) if x > 0.9 else np.nan

    sampler = sampled(fails)
    assert sampler.sample.model.derivative[0] == pytest.approx(10.0, rel=1e-4)
    with pytest.raises(ValueError, match='too few'):
        sampled(lambda x: 1.0 if x == 1.0 else np.nan)


@pytest.mark.parametrize(('lower', 'upper'), [(0.0, np.inf), (-0.2, 0.0), (-1e-7, 0.01)])
def test_one_sided_samples_tell_derivative_and_noise_and_none_lies_beyond(lower, upper):
    rng, offsets = np.random.default_rng(1), []

    def evaluate(offset):
        offsets.append(offset)
        return np.atleast_1d(np.exp(1 + offset) * (1 + 1e-9 * rng.standard_normal()))

    sampler = LineSampler(evaluate, evaluate(0.0), 1.0, lower=lower, upper=upper)
    sampler.refine(batches=2)
    assert sampler.evaluations == len(offsets) - 1
    assert lower <= min(offsets) and max(offsets) <= upper
    assert sampler.sample.noise[0] == pytest.approx(1e-9 * np.e, rel=0.7)
    model = sampler.sample.model
    assert abs(model.derivative[0] - np.e) < 3 * model.uncertainty[0] < 1e-4


def test_no_more_is_evaluated_than_was_said():
    for function in (np.exp, lambda x: np.sin(1e5 * x), lambda x: float(np.float16(x))):
        assert sampled(function).evaluations <= MOST_EVALUATIONS


# ---- shared steps --------------------------------------------------------------------------------


def four_curves():
    sampler = sampled(
        lambda x: np.array([np.exp(x), np.sin(9 * x), x**3, 1 / (x + 0.1)]), noise=1e-8
    )
    forms = ('forward', 'central', 'central', 'forward')
    return [curve_of(sampler, form, row=row) for row, form in enumerate(forms)]


def test_the_best_grouping_of_each_size_is_found():
    """Every partition into groups, the steps of each group tried one by one."""
    curves = four_curves()
    found = {g.evaluations: g.loss for g in groupings(curves, np.ones(3))}
    best = {}
    for labels in product(range(4), repeat=4):
        evaluations, loss = 0, 0.0
        for label in set(labels):
            group = [c for c, mine in zip(curves, labels, strict=True) if mine == label]
            steps = set.intersection(*(set(c.steps) for c in group))
            loss += min(
                sum(np.log(c.error[list(c.steps).index(s)] / c.error.min()) for c in group)
                for s in steps
            )
            evaluations += 3 * len({o for c in group for o in c.declaration.stencil.offsets})
        best[evaluations] = min(loss, best.get(evaluations, np.inf))
    for evaluations, loss in found.items():
        cheaper = min(value for cost, value in best.items() if cost <= evaluations)
        assert loss == pytest.approx(cheaper, abs=1e-9)


def test_a_budget_is_kept_and_an_accuracy_is_reached_at_the_least_cost():
    by_input = {
        'x': groupings(four_curves(), np.ones(1)),
        'z': groupings(four_curves(), np.ones(2)),
    }
    dearest, trade = shared_steps(by_input)
    assert dearest.loss == pytest.approx(0.0, abs=1e-12)
    for budget in range(trade[0].evaluations, dearest.evaluations + 1):
        choice, _ = shared_steps(by_input, budget=budget)
        assert choice.evaluations <= budget
    choice, _ = shared_steps(by_input, accuracy=1e-2)
    assert choice.worst <= 1e-2
    assert choice.evaluations <= dearest.evaluations
    with pytest.raises(ValueError, match=f'takes {trade[0].evaluations} evaluations'):
        shared_steps(by_input, budget=trade[0].evaluations - 1)
