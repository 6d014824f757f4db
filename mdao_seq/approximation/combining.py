"""From evaluations to partials: each declaration's weights, and what is done where points fail."""

from math import isfinite
from typing import NamedTuple

import numpy as np
from openmdao.core.analysis_error import AnalysisError
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.stencils import weights_at


class Partial(NamedTuple):
    """A declared partial, and its place in the rows of its combination."""

    rows: slice
    subjac: object
    declaration: Declaration


class Combination(NamedTuple):
    """Declarations that combine the same points with the same weights.

    Attributes
    ----------
    points : slice or list of int
        Which evaluations.
    offsets : tuple of float or complex
        Where they lie, in the units of the input.
    weights : ndarray
        Their weights, divided by the step.
    base_weight : float
        Weight of the base point, divided by the step.
    estimate : (ndarray, float) or None
        Weights of an estimate of the error, likewise.
    rows : slice
        Rows of the residual that the partials span.
    partials : list of Partial
        The partials.
    """

    points: slice | list
    offsets: tuple
    weights: np.ndarray
    base_weight: float
    estimate: tuple | None
    rows: slice
    partials: list

    @classmethod
    def of(cls, used, offsets, weights, base_weight, estimate, partials):
        """Combine `used` points for (rows of the residual, subjac, declaration)."""
        start = min(rows.start for rows, _, _ in partials)
        stop = max(rows.stop for rows, _, _ in partials)
        placed = [
            Partial(slice(rows.start - start, rows.stop - start), subjac, declaration)
            for rows, subjac, declaration in partials
        ]
        consecutive = range(used[0], used[0] + len(used))
        # NumPy takes a slice without a copy.
        points = slice(consecutive.start, consecutive.stop)
        if used != tuple(consecutive):
            points = list(used)
        weights, rows = np.array(weights), slice(start, stop)
        return cls(points, offsets, weights, base_weight, estimate, rows, placed)

    def write(self, columns, values, at_base, failures):
        """Write the derivative of a lane into its columns."""
        used, base = values[self.points, self.rows], at_base[self.rows]
        # On a few numbers `dot` takes half the time of `@`.
        derivative = self.weights.dot(used)
        if self.base_weight:
            derivative += self.base_weight * base
        # Quicker than to ask of each; where squares overflow, the points are found to be finite.
        if not isfinite(derivative.dot(derivative)):
            for partial in self.partials:
                mine = np.isfinite(used[:, partial.rows]).all(axis=1)
                if not mine.all() and failures.check_base(partial, self.rows.start):
                    points = np.arange(len(values))[self.points]
                    weights, base_weight = failures.fall_back(
                        partial, points, self.offsets, mine, columns
                    )
                    derivative[partial.rows] = (
                        weights @ used[mine, partial.rows] + base_weight * base[partial.rows]
                    )
        if self.estimate is not None:
            error = np.abs(np.array(self.estimate[0]) @ used + self.estimate[1] * base)
            for partial in self.partials:
                failures.errors_of(partial)[:, [c for c, _ in columns]] = error[partial.rows, None]
        for column, own in columns:
            # What the other columns of a color did to the other rows is not this column's.
            mine = derivative if own is None else np.where(own[self.rows], derivative, 0.0)
            for partial in self.partials:
                partial.subjac.set_col(column, mine[partial.rows])


class Failures:
    """Points at which a system failed, or gave what is not a number.

    Parameters
    ----------
    system : PerOutputFD
        Its `fd_fallbacks` are counted.
    frame : Partials or Totals
        Knows its inputs, and its outputs, which every evaluation leaves as they were before.
    """

    def __init__(self, system, frame):
        self._system = system
        self._frame = frame
        # The system's own are those of a point while its evaluation is being combined.
        self._present = frame.outputs()
        self._raised = {}

    def errors_of(self, partial):
        """Return where the error estimates of an extrapolated partial are kept."""
        declaration, errors = partial.declaration, self._system.fd_errors
        if declaration not in errors:
            rows = partial.rows.stop - partial.rows.start
            columns = np.size(self._frame.value(declaration.wrt))
            errors[declaration] = np.full((rows, columns), np.nan)
        return errors[declaration]

    def in_lane(self):
        """Forget what was raised: the points of another lane begin."""
        self._raised = {}

    def at_point(self, point, value, error):
        """Note that the evaluation at a point of the lane failed."""
        value[:] = np.nan
        self._raised[point] = str(error).rstrip('.')

    def check_base(self, partial, start):
        """Refuse to differentiate where the system itself gives no number.

        Of a class that was not written for us return False, and let the derivative be no number.
        """
        rows = slice(start + partial.rows.start, start + partial.rows.stop)
        is_finite = bool(np.isfinite(self._present[rows]).all())
        if not is_finite and not self._system._declares_as_openmdao:
            raise AnalysisError(
                f'{self._system.msginfo}: {partial.declaration}: {partial.declaration.of} is '
                f'not finite at the present inputs{self._not_finite_input()}'
            )
        return is_finite

    def fall_back(self, partial, points, offsets, worked, columns):
        """Return the weights of the points that worked and of the base point.

        Raises
        ------
        AnalysisError
            If none worked; it names the declaration and the points.
        """
        declaration, msginfo = partial.declaration, self._system.msginfo
        elements = ', '.join(f'{declaration.wrt}[{column}]' for column, _ in columns)
        where = '; '.join(
            f'at {elements} {offset:+g} {self._why(point, declaration)}'
            for point, offset, ok in zip(points, offsets, worked, strict=True)
            if not ok
        )
        if not worked.any():
            told = self._not_finite_input()
            if not told and hasattr(self._system, 'compute_batch'):
                told = f'; does compute_batch set {declaration.of}?'
            raise AnalysisError(f'{msginfo}: {declaration}: no point is left; {where}{told}')
        counted = self._system.fd_fallbacks
        if declaration not in counted:
            issue_warning(
                f'{declaration}: {where}. The points that worked are used, here and wherever this '
                'happens again; fd_fallbacks counts how often.',
                prefix=msginfo,
                category=DerivativesWarning,
            )
        counted[declaration] = counted.get(declaration, 0) + 1
        return weights_at([o for o, ok in zip(offsets, worked, strict=True) if ok])

    def _why(self, point, declaration):
        raised = self._raised.get(point)
        return f'{declaration.of} is not finite' if raised is None else f'it failed: {raised}'

    def _not_finite_input(self):
        """Name the first input that is not finite, which explains what follows from it."""
        for name, value in self._frame.inputs.items():
            bad = np.flatnonzero(~np.isfinite(value))
            if bad.size:
                return f'; the input {name}[{bad[0]}] is {np.ravel(value)[bad[0]]}'
        return ''
