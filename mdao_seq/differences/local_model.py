"""What samples along a line tell about a function near their centre: Taylor series on many windows.

A series is estimated from the samples inside each of several windows (`taylor_series`). A wide
window averages noise best, a narrow one suffers least from what no series shows (events, scales
that the samples miss), which counts as noise there if it exceeds it; so every series has an honest
uncertainty, and each question is answered by the one that is surest of it:

- the derivative, by the surest linear coefficient;
- the error of a stencil at a step h: its truncation, ``sum_{k>order} c_k m_k h**(k-1)`` with the
  stencil's moments ``m_k = sum_j w_j o_j**k``, by the surest of these sums; and the noise that its
  weights let through, ``sigma * norm(w) / h``.

Where the samples hold all points of a stencil its error is also measured; a measured error that
noise does not explain (an event between the samples, which no series shows) overrules.

Balancing the two is the classical choice of a step (Gill, Murray, Saunders and Wright, SIAM J. Sci.
Stat. Comput. 4, 1983; Shi, Xie, Xuan and Nocedal, SIAM J. Sci. Comput. 44, 2022). Here one set of
samples serves every form, order and output.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.differences.stencils import Stencil
from mdao_seq.differences.taylor_series import TERMS, TaylorSeries

APART = 0.02  # what is nearer, in half widths of the window, tells no more than the centre
LEAST_SAMPLES = 5
INSIDE = 1 + 1e-9
RIVAL = 4.0  # a series whose deviation is within this many times the least is heard
FITS = 3.0  # a spread within this many times the least is no worse
SIGNIFICANT = 5.0  # standard deviations beyond which a measured error is no noise


class LocalModel:
    """Taylor series of n outputs along a line.

    Parameters
    ----------
    offsets : array_like, shape (points,)
        Where the samples lie, from the centre; the first is the centre, 0.
    values : array_like, shape (points, n)
        The outputs there; all finite.
    noise : array_like, shape (n,)
        Standard deviation of each output's noise.
    radii : sequence of float
        Half widths of the windows.

    Attributes
    ----------
    derivative, uncertainty : ndarray, shape (n,)
        First derivative at the centre and its standard deviation.
    series : list of TaylorSeries
        One for each window that holds enough samples, by rising radius.
    reach : float
        The largest radius.
    spread : ndarray, shape (n,)
        The least spread about any series: near the noise where the outputs are smooth.

    Raises
    ------
    ValueError
        If no window holds enough samples.
    """

    def __init__(self, offsets, values, noise, radii):
        offsets = np.asarray(offsets, dtype=float)
        values = np.asarray(values, dtype=float)
        self._steps = offsets[offsets > 0]
        self._values = {_key(offset): value for offset, value in zip(offsets, values, strict=True)}
        self.series = []
        for radius in sorted(radii):
            distance = np.abs(offsets) / radius
            inside = (distance <= INSIDE) & ((distance > APART) | (distance == 0))
            if inside.sum() >= LEAST_SAMPLES:
                # A large constant would cost digits.
                found = values[inside] - values[0]
                self.series.append(TaylorSeries(offsets[inside], found, noise, radius))
        if not self.series:
            raise ValueError(f'LocalModel: {len(offsets)} samples are too few for a series')
        self.reach = self.series[-1].radius
        self.spread = np.min([series.spread for series in self.series], axis=0)
        slopes = np.array([series.slope for series in self.series])
        deviations = np.array([series.deviation for series in self.series])
        surest = deviations.argmin(axis=0), np.arange(values.shape[1])
        self.derivative = slopes[surest]
        # The surest flatters itself: what others, nearly as sure, say otherwise is doubt too.
        rivals = np.where(deviations <= RIVAL * deviations[surest], slopes, self.derivative)
        disagreement = np.abs(rivals - self.derivative).max(axis=0)
        self.uncertainty = np.hypot(deviations[surest], disagreement)

    def promise(self, offsets: ArrayLike) -> NDArray[np.float64]:
        """Return how many times surer the derivatives are expected to be with more samples.

        Parameters
        ----------
        offsets : array_like, shape (more,)
            Where they would lie.

        Returns
        -------
        ndarray, shape (n,)
            At least 1.
        """
        now = np.min([series.deviation for series in self.series], axis=0)
        then = np.min([series.deviation_with(offsets) for series in self.series], axis=0)
        return np.divide(now, then, out=np.ones_like(now), where=(then > 0) & (then < now))

    def error(self, stencil: Stencil, steps: ArrayLike) -> NDArray[np.float64]:
        """Predict the error of a stencil.

        Parameters
        ----------
        stencil : Stencil
            Real offsets.
        steps : array_like, shape (m,)
            Steps, ascending, in the units of the offsets.

        Returns
        -------
        ndarray, shape (m, n)
            Root mean square of truncation, its uncertainty and noise; infinite where the stencil
            reaches beyond the samples. The truncation never falls as the step grows: a step where
            it happens to cross zero is not a good step.
        """
        steps = np.asarray(steps, dtype=float)
        places = np.array([offset.real for offset in stencil.offsets])
        weights = np.array(stencil.weights)
        powers = np.arange(TERMS + 2)
        moments = (weights[:, None] * places[:, None] ** powers).sum(axis=0)
        moments[: stencil.order + 1] = 0.0  # exactly
        spread = self._least_spread(steps * np.abs(places).max())
        truncation, doubt = np.full((2, *spread.shape), np.inf)
        for series in self.series:
            inside = steps * np.abs(places).max() <= series.radius * INSIDE
            relative = steps[inside, None] / series.radius
            gain = moments[1:] * relative ** powers[:-1] / series.radius
            mean, deviation = series.combined(np.pad(gain, ((0, 0), (1, 0))))
            # A series that misses what narrower ones show has nothing to say of higher terms.
            fits = series.spread <= FITS * spread[inside]
            surer = fits & (deviation < doubt[inside])
            truncation[inside] = np.where(surer, mean, truncation[inside])
            doubt[inside] = np.where(surer, deviation, doubt[inside])
        truncation = np.maximum.accumulate(np.hypot(truncation, doubt), axis=0)
        amplification = np.sqrt((weights**2).sum() + stencil.base_weight**2)
        noise = amplification * spread / steps[:, None]
        for step, error in self._measured(stencil, places, weights):
            beyond = steps >= step / INSIDE
            if beyond.any():
                at_step = noise[beyond][0] * steps[beyond][0] / step
                explained = SIGNIFICANT * at_step + self.uncertainty
                error = np.where(error > explained, error, 0.0)
                truncation[beyond] = np.maximum(truncation[beyond], error)
        return np.hypot(truncation, noise)

    def _least_spread(self, distances):
        """Return the least spread of the series that reach as far, shape (distances, n)."""
        radii = [series.radius * INSIDE for series in self.series]
        spreads = [series.spread for series in self.series] + [np.full_like(self.spread, np.inf)]
        least = np.minimum.accumulate(spreads[::-1], axis=0)[::-1]
        return least[np.searchsorted(radii, distances)]

    def _measured(self, stencil, places, weights):
        """Yield (step, error) of every step at which all points of a stencil were sampled."""
        centre = self._values[_key(0.0)]
        for step in self._steps:
            points = [self._values.get(_key(place * step)) for place in places]
            if any(point is None for point in points):
                continue
            change = [point - centre for point in points]
            yield step, np.abs(np.tensordot(weights, change, 1) / step - self.derivative)


def _key(offset):
    """Make offsets one that differ by rounding."""
    return float(f'{offset:.10e}')
