"""Which declarations share a step, so that the error is least within a budget of evaluations.

Declarations by one input that take the same step share its points. What a declaration loses by a
step that is not its own best is the logarithm of how many times its error grows: absolute errors
differ by many orders of magnitude, and a sum of them would see the largest only. For each number of
groups the best partition of an input's declarations, ordered by the step that each likes best, is
found by dynamic programming; how many groups each input gets is then a knapsack over the inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mdao_seq.differences.error_curve import ErrorCurve
from mdao_seq.differences.planning import build_plan

FLAT = 0.05  # losses that differ by less are alike


class Grouping(NamedTuple):
    """Steps for the declarations of one input, or of all.

    Attributes
    ----------
    evaluations : int
        Per linearization.
    loss : float
        Sum over the declarations of log(predicted error / least predicted error).
    steps : tuple of (ErrorCurve, float)
        The step of each declaration.
    """

    evaluations: int
    loss: float
    steps: tuple[tuple[ErrorCurve, float], ...]

    @property
    def growth(self) -> float:
        """How many times the errors are their least ones, the geometric mean."""
        return float(np.exp(self.loss / max(len(self.steps), 1)))

    @property
    def worst(self) -> float:
        """Largest predicted relative error, of derivatives that are not zero within the noise."""
        known = [curve.at(step) for curve, step in self.steps if curve.uncertainty <= curve.value]
        return max(known, default=0.0)


def groupings(curves: Sequence[ErrorCurve], value: ArrayLike) -> list[Grouping]:
    """Return the best grouping for each number of groups that is worth its evaluations.

    Parameters
    ----------
    curves : sequence of ErrorCurve
        Declarations by one input.
    value : array_like
        Present value of the input, on whose bounds and magnitude the evaluations may depend.

    Returns
    -------
    list of Grouping
        With rising evaluations and falling error.
    """
    # Kinds of step do not mix: a relative step and an absolute one are no common points.
    by_kind: dict[str | None, list[ErrorCurve]] = {}
    for curve in curves:
        by_kind.setdefault(curve.declaration.step_calc, []).append(curve)
    front = [Grouping(0, 0.0, ())]
    for of_kind in by_kind.values():
        ordered = sorted(of_kind, key=lambda curve: curve.steps[curve.error.argmin()])
        front = _combined(front, _partitions(ordered, value))
    return front


def _partitions(curves, value):
    """Return the best partition into 1, 2, … runs of consecutive curves."""
    n = len(curves)
    runs = {(i, j): _one_step(curves[i:j], value) for i in range(n) for j in range(i + 1, n + 1)}
    best: list[dict[int, Grouping]] = [{0: Grouping(0, 0.0, ())}]
    for j in range(1, n + 1):
        of_groups: dict[int, Grouping] = {}
        for i in range(j):
            for groups, before in best[i].items():
                candidate = _plus(before, runs[i, j])
                other = of_groups.get(groups + 1)
                if other is None or candidate.loss < other.loss:
                    of_groups[groups + 1] = candidate
        best.append(of_groups)
    return _front(best[n].values())


def _one_step(curves, value):
    """Return the step that suits all of several declarations best, and its evaluations."""
    common = curves[0].steps
    for curve in curves[1:]:
        common = np.intersect1d(common, curve.steps)
    if not common.size:
        return Grouping(0, np.inf, ())
    growth = np.array([_growth(curve, common) for curve in curves])
    loss = growth.sum(axis=0)
    # Where one error falls as another grows the sum is flat: then the worse of them decides.
    place = int(np.argmin(np.where(loss <= loss.min() + FLAT, growth.max(axis=0), np.inf)))
    step = float(common[place])
    sharing = [replace(curve.declaration, step=step, is_auto=False) for curve in curves]
    evaluations = build_plan(sharing, {sharing[0].wrt: value}).total
    return Grouping(evaluations, float(loss[place]), tuple((curve, step) for curve in curves))


def _growth(curve, steps):
    """Return the logarithm of how many times the error is its least, at some of its steps."""
    least = curve.error.min()
    error = curve.error[np.searchsorted(curve.steps, steps)]
    if not least > 0:
        return np.where(np.isfinite(error), 0.0, np.inf)
    return np.log(error / least)


def shared_steps(
    by_input: Mapping[str, Sequence[Grouping]],
    budget: int | None = None,
    accuracy: float | None = None,
) -> tuple[Grouping, list[Grouping]]:
    """Choose the groupings of all inputs.

    Parameters
    ----------
    by_input : mapping of str to sequence of Grouping
        What `groupings` returned for each input.
    budget : int or None
        Most evaluations per linearization. None: as many as the least error wants.
    accuracy : float or None
        Relative error that is enough: the fewest evaluations that reach it, or that come as near as
        can be, are chosen.

    Returns
    -------
    Grouping
        The choice.
    list of Grouping
        The trade: every choice that no other beats in both evaluations and error.

    Raises
    ------
    ValueError
        If the budget is less than the fewest evaluations possible.
    """
    trade = [Grouping(0, 0.0, ())]
    for of_input in by_input.values():
        trade = _combined(trade, of_input)
    affordable = [g for g in trade if budget is None or g.evaluations <= budget]
    if not affordable:
        raise ValueError(
            f'budget = {budget}: one step for each input takes {trade[0].evaluations} evaluations '
            'per linearization already; allow as many, or declare one-sided forms'
        )
    if accuracy is None:
        return affordable[-1], trade
    # What even the dearest choice cannot reach does not hold up the rest.
    enough = max(accuracy, affordable[-1].worst)
    return next(g for g in affordable if g.worst <= enough), trade


def _combined(front, other):
    return _front(_plus(a, b) for a in front for b in other)


def _plus(a, b):
    return Grouping(a.evaluations + b.evaluations, a.loss + b.loss, a.steps + b.steps)


def _front(candidates):
    """Keep what no other beats in both evaluations and error, by rising evaluations."""
    front: list[Grouping] = []
    for candidate in sorted(candidates, key=lambda g: (g.evaluations, g.loss)):
        if np.isfinite(candidate.loss) and (not front or candidate.loss < front[-1].loss):
            front.append(candidate)
    return front
