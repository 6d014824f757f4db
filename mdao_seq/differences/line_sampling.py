"""Where to evaluate along one line, to learn the noise and the shape of every output there.

A ladder of pairs of points, each rung a third of the one above, shows the shape at all scales
(`local_model.LocalModel`); where no window is small enough for a series, lower rungs follow. A comb
of equally spaced points near the centre shows the noise (`noise.noise_of`); where its spacing was
wrong for some output, another comb follows. Then, as far as that is allowed, batches of points
where they make the derivatives surest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdao_seq.differences.local_model import LocalModel
from mdao_seq.differences.noise import Verdict, noise_of
from mdao_seq.differences.taylor_series import TINY

TEETH = 8  # of a comb
COMB_SPACING = 1e-6  # of the scale, at first
COMBS = 3
RATIO = 3.0
RUNGS = 7
MORE_RUNGS = 2
TIMES_DEEPER = 3
BATCH = 12
WORTHWHILE = 1.1  # times surer, by a batch
GOLDEN = (5**0.5 - 1) / 2
SMOOTH = 3.0  # a spread within this many times the noise is noise
KNOWN = 0.03  # uncertainty relative to a slope
OTHER = 10.0  # standard deviations from a slope to another one
SAME = 1e-9  # offsets that agree to this are one
ROUNDING = 0.3 * np.finfo(float).eps  # standard deviation of a rounded number, relative

# The centre is known; it stands in every comb.
MOST_EVALUATIONS = COMBS * (TEETH - 1) + 2 * (RUNGS + TIMES_DEEPER * MORE_RUNGS)

WIDER = 100.0
_WIDER = {
    Verdict.SPACING_TOO_SMALL: WIDER,
    Verdict.CONSTANT: WIDER,
    Verdict.SPACING_TOO_LARGE: 1 / WIDER,
}


@dataclass(frozen=True)
class LineSample:
    """What was learned along one line.

    Attributes
    ----------
    model : LocalModel
        Derivatives and errors of stencils.
    noise : ndarray, shape (n,)
        Standard deviation of each output's noise, at least that of rounding; 0 where the output
        never changed.
    is_smooth : ndarray of bool, shape (n,)
        Whether some window shows a series within the noise. False: the output jumps or has
        events at all scales that were sampled.
    is_trend : ndarray of bool, shape (n,)
        Whether jumps between smooth pieces are counted as noise, and the slope is that across them.
    below, above : float
        Distance of the nearest point on either side at which the outputs failed; infinite if none.
    """

    model: LocalModel
    noise: NDArray[np.float64]
    is_smooth: NDArray[np.bool_]
    is_trend: NDArray[np.bool_]
    below: float
    above: float


class LineSampler:
    """Samples n outputs along a line; the first `sample` takes at most `MOST_EVALUATIONS`.

    Parameters
    ----------
    evaluate : callable
        Outputs, shape (n,), at an offset from the centre; not finite where they failed.
    centre : ndarray, shape (n,)
        Outputs at the centre.
    scale : float
        Magnitude of what varies along the line, positive.
    span : float
        The largest offset, in scales.
    lower, upper : float
        Offsets that no point lies beyond.

    Attributes
    ----------
    sample : LineSample
        What is known.
    evaluations : int
        How many were made.

    Raises
    ------
    ValueError
        If too many points failed for a series.
    """

    def __init__(
        self,
        evaluate: Callable[[float], NDArray[np.float64]],
        centre: NDArray[np.float64],
        scale: float,
        span: float = 0.3,
        lower: float = -np.inf,
        upper: float = np.inf,
    ):
        self._evaluate = evaluate
        self._offsets = [0.0]
        self._tried = [0.0]
        self._failed: list[float] = []
        self._values = [np.asarray(centre, dtype=float)]
        self.evaluations = 0
        self._lower, self._upper = lower, upper
        largest = min(span * scale, max(-lower, upper))
        self._rungs = largest * RATIO ** -np.arange(RUNGS, dtype=float)
        self._at(np.concatenate([self._rungs, -self._rungs]))
        varies = np.ptp(np.array(self._values), axis=0) > 0
        self._noise = self._comb(COMB_SPACING * scale, varies)
        self.sample = self._learn()
        for _ in range(TIMES_DEEPER):
            if self.sample.is_smooth[varies].all():
                break
            lower = self._rungs.min() * RATIO ** -np.arange(1.0, MORE_RUNGS + 1)
            self._at(np.concatenate([lower, -lower]))
            self._rungs = np.concatenate([self._rungs, lower])
            self.sample = self._learn()

    def refine(self, batches: int) -> None:
        """Sample where the derivatives gain most from it, until that is little.

        Each batch is `BATCH` points within one window: in pairs where both sides are open, since
        the derivative at the centre is in the difference of a pair alone, and with the density of
        Chebyshev's nodes, at which high powers are told apart best (Trefethen, Approximation Theory
        and Approximation Practice, 2013, chapter 5). The window is the one for which the
        uncertainties are expected to shrink most, in the geometric mean over the outputs
        (sequential Bayesian design: Chaloner and Verdinelli, Stat. Sci. 10, 1995).

        Parameters
        ----------
        batches : int
            How many are allowed.
        """
        for batch in range(batches):
            model = self.sample.model
            choices = [self._batch(series.radius, batch) for series in model.series]
            noisy = model.spread > 0
            gains = [np.log(model.promise(choice)[noisy]).sum() for choice in choices]
            if max(gains) <= np.log(WORTHWHILE) * noisy.sum():
                break
            self._at(choices[int(np.argmax(gains))])
            self.sample = self._learn()

    def add(self, offsets: Iterable[float]) -> bool:
        """Evaluate where that was not done yet, learn from it, and say whether there was any."""
        known = np.array(self._tried)
        new = [
            offset
            for offset in dict.fromkeys(offsets)
            if np.abs(known - offset).min() > SAME * abs(offset)
            and abs(offset) <= self._rungs.max() * (1 + SAME)
            and self._lower <= offset <= self._upper
        ]
        if new:
            self._at(new)
            self.sample = self._learn()
        return bool(new)

    def _at(self, offsets):
        """Evaluate within the bounds; points that failed are not kept."""
        found = []
        for offset in offsets:
            if not self._lower <= offset <= self._upper:
                continue
            if offset == 0:
                found.append(self._values[0])
                continue
            value = self._evaluate(float(offset))
            self.evaluations += 1
            self._tried.append(float(offset))
            found.append(value)
            if np.isfinite(value).all():
                self._offsets.append(float(offset))
                self._values.append(value)
            else:
                self._failed.append(float(offset))
        return np.array(found)

    def _teeth(self, spacing):
        """Return equally spaced offsets about the centre, or beside it where a bound is near."""
        spacing = min(spacing, (self._upper - self._lower) / TEETH)
        first, last = np.ceil(self._lower / spacing), np.floor(self._upper / spacing)
        return spacing * (np.clip(-(TEETH // 2), first, last - TEETH + 1) + np.arange(TEETH))

    def _batch(self, radius, batch):
        """Return offsets of one batch, where points may lie; no two batches have a common one."""
        phase = (batch + 0.5) * GOLDEN % 1
        lower = max(-radius, self._lower, -self.sample.below)
        upper = min(radius, self._upper, self.sample.above)
        if upper == -lower:
            half = upper * np.sin(np.pi / BATCH * (np.arange(BATCH // 2) + phase))
            return np.concatenate([half, -half])
        nodes = np.cos(np.pi / BATCH * (np.arange(BATCH) + phase))
        return (lower + upper) / 2 + (upper - lower) / 2 * nodes

    def _learn(self):
        values = np.array(self._values)
        level = np.maximum(self._noise, _rounding(values))
        model = LocalModel(self._offsets, values, level, self._rungs)
        coarse = self._coarse_noise(model, level)
        is_trend = coarse > level
        if is_trend.any():
            level = coarse
            model = LocalModel(self._offsets, values, level, self._rungs)
        is_smooth = model.spread <= SMOOTH * level
        below = min((-o for o in self._failed if o < 0), default=np.inf)
        above = min((o for o in self._failed if o > 0), default=np.inf)
        return LineSample(model, level, is_smooth, is_trend, below, above)

    def _coarse_noise(self, model, level):
        """Raise the noise of outputs that are smooth only between small jumps.

        A solver that stops early is smooth while its iterations are the same, with a slope that is
        not the trend's. Where a window knows the trend well (`KNOWN`) in spite of the spread about
        it, and the surest slope is another, that spread is noise. (A single event is not of this
        kind: no trend across it is known so well.)
        """
        best = np.full(level.shape, KNOWN)
        coarse = level
        for series in model.series:
            trend = np.maximum(np.abs(series.slope), TINY)
            doubt = series.deviation / trend
            is_other = np.abs(series.slope - model.derivative) > OTHER * series.deviation
            better = is_other & (doubt < best) & (series.spread > SMOOTH * level)
            coarse = np.where(better, series.spread, coarse)
            best = np.where(better, doubt, best)
        return coarse

    def _comb(self, spacing, varies):
        """Return each output's noise, from the first comb that shows it; zero where none does."""
        level = np.full(varies.size, np.nan)
        tried: dict[float, float] = {}
        for _ in range(COMBS if varies.any() else 0):
            noise = noise_of(self._at(self._teeth(spacing)))
            level = np.where(np.isnan(level), noise.level, level)
            lacking = [_WIDER[noise.verdict[n]] for n in np.flatnonzero(varies & np.isnan(level))]
            if not lacking:
                break
            # The next comb suits the most outputs that still lack one; between two spacings that
            # were wrong to either side it lies halfway.
            factor = max(set(lacking), key=lacking.count)
            tried[factor] = spacing
            other = tried.get(1 / factor)
            spacing = spacing * factor if other is None else np.sqrt(spacing * other)
        return np.nan_to_num(level)


def _rounding(values):
    """Return the noise of each output that rounding to double, or to a coarser grid, makes.

    Different points with one value show a coarser grid (single precision, a stopped bisection); its
    spacing is the least difference of two values. Of a constant nothing is noise.
    """
    jumps = np.diff(np.sort(values, axis=0), axis=0)
    grid = np.where(jumps > 0, jumps, np.inf).min(axis=0, initial=np.inf)
    on_grid = np.where((jumps == 0).any(axis=0) & np.isfinite(grid), grid / 12**0.5, 0.0)
    double = np.where(np.ptp(values, axis=0) > 0, ROUNDING * np.abs(values).max(axis=0), 0.0)
    return np.maximum(on_grid, double)
