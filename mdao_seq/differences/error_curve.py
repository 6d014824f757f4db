"""The predicted error of a declared partial as a function of its step.

One curve stands for a whole partial: the squared errors of its entries add up, over the rows of the
output and over the elements of the input that were sampled, so that its minimum is the step with
the least expected error in the Frobenius norm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.line_sampling import LineSample

# Steps have two digits, twelve to a decade (the preferred numbers E12 of IEC 60063): outputs that
# would do with nearly the same step then share it, and a table reads well.
_E12 = (1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2)

SMALLEST = 1e-9  # of the scale
LARGE = 0.05  # a relative error that is worth a word
STRAIGHT = 5.0  # the error of the largest step, in least ones, where nothing bends


class Line(NamedTuple):
    """What was sampled along one element of an input.

    Attributes
    ----------
    sample : LineSample
        Of all rows of the component.
    scale : float
        Magnitude of the element.
    multiplier : float
        What a declared step is multiplied by there.
    rows : ndarray of int
        Rows that belong to the partial.
    value : ndarray
        The whole input, and
    element : int
        which element of it this is: bounds may leave another stencil there.
    """

    sample: LineSample
    scale: float
    multiplier: float
    rows: NDArray[np.int64]
    value: NDArray[np.float64] = np.zeros(1)
    element: int = 0


@dataclass(frozen=True)
class ErrorCurve:
    """Predicted errors of one declaration.

    Attributes
    ----------
    declaration : Declaration
        As declared.
    steps : ndarray, shape (k,)
        Candidates, ascending, as they would be declared.
    error : ndarray, shape (k,)
        Expected error, in the Frobenius norm, in units of the output per unit of the input.
    value : float
        Frobenius norm of the partial along the sampled elements.
    uncertainty : float
        Standard deviation of what the samples tell about the partial, likewise.
    noise : float
        Root mean square of the noise of its rows, in the units of the output.
    remark : str
        What the user should know; empty if all is well.
    """

    declaration: Declaration
    steps: NDArray[np.float64]
    error: NDArray[np.float64]
    value: float
    uncertainty: float
    noise: float
    remark: str

    @property
    def relative_error(self) -> NDArray[np.float64]:
        """`error` relative to the partial, or to what is known of it where it may be zero."""
        scale = max(self.value, self.uncertainty)
        return self.error / scale if scale > 0 else np.zeros_like(self.error)

    def at(self, step: float) -> float:
        """Return the predicted relative error at one of the steps."""
        return float(self.relative_error[np.argmin(np.abs(np.log(self.steps / step)))])


def error_curve(declaration: Declaration, lines: Sequence[Line]) -> ErrorCurve:
    """Predict the error of a declaration for every step that it might have.

    Parameters
    ----------
    declaration : Declaration
        Method ``fd``; its form, order and step_calc count, its step does not.
    lines : sequence of Line
        One for each sampled element of its input.

    Returns
    -------
    ErrorCurve
        Its least error is the step to take. It is that of the stencil that the bounds leave at each
        step, and infinite where they leave none, or where a point would lie as far out as one that
        failed.

    Raises
    ------
    ValueError
        If no step is left.
    """
    reach = max(abs(offset) for offset in declaration.stencil.offsets)
    # A relative step of an element at zero is its minimum step, whatever is declared.
    moving = [line for line in lines if line.multiplier > 0]
    largest = min((line.sample.model.reach / line.multiplier for line in moving), default=1.0)
    smallest = min((SMALLEST * line.scale / line.multiplier for line in moving), default=SMALLEST)
    steps = _preferred(smallest, largest / reach)
    squared = np.zeros(len(steps))
    for line in moving:
        squared += _squared_error(declaration, line, steps * line.multiplier)
    if not np.isfinite(squared).any():
        raise ValueError(
            f'{declaration}: too many points failed, or are beyond the bounds, to tell a step'
        )
    parts = [
        (
            line.sample.model.derivative[line.rows],
            line.sample.model.uncertainty[line.rows],
            line.sample.noise[line.rows],
        )
        for line in lines
    ]
    value, uncertainty, noise = (np.concatenate(column) for column in zip(*parts, strict=True))
    is_smooth, is_trend = (
        np.concatenate([getattr(line.sample, name)[line.rows] for line in lines])
        for name in ('is_smooth', 'is_trend')
    )
    curve = ErrorCurve(
        declaration,
        steps,
        np.sqrt(squared if noise.any() else np.where(np.isfinite(squared), 0.0, np.inf)),
        float(np.linalg.norm(value)),
        float(np.linalg.norm(uncertainty)),
        float(np.sqrt(np.mean(noise**2))) if noise.size else 0.0,
        '',
    )
    return replace(curve, remark=_remark(curve, is_smooth, is_trend))


def _squared_error(declaration, line, steps):
    """Return the expected squared error along one line, by its step there."""
    stencils, taken = declaration.stencils_by_step(line.value, line.element, steps)
    squared = np.full(len(steps), np.inf)
    for k in set(taken[taken >= 0]):
        error = (line.sample.model.error(stencils[k], steps)[:, line.rows] ** 2).sum(axis=1)
        for offset in stencils[k].offsets:
            room = line.sample.above if offset.real > 0 else line.sample.below
            error[steps * abs(offset) >= room * (1 - 1e-9)] = np.inf
        squared[taken == k] = error[taken == k]
    return squared


def _remark(curve, is_smooth, is_trend):
    if curve.noise == 0:
        return 'does not depend on the input'
    if not is_smooth.all():
        return 'not smooth at any scale that was sampled'
    if is_trend.any():
        return 'jumps between smooth pieces: the trend across them'
    if curve.uncertainty > curve.value:
        return 'zero within the noise'
    if curve.relative_error.min() > LARGE:
        return 'no step gives a small error'
    if curve.error[-1] < STRAIGHT * curve.error.min():
        return 'straight as far as was sampled'
    return ''


def _preferred(smallest, largest):
    decades = range(int(np.floor(np.log10(smallest))), int(np.ceil(np.log10(largest))) + 1)
    steps = np.array([float(f'{digit}e{decade}') for decade in decades for digit in _E12])
    inside = steps[(steps >= smallest) & (steps <= largest)]
    return inside if inside.size else np.array([largest])
