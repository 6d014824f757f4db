"""What samples along a line tell about a function near their centre: polynomials on many windows.

Polynomials of several degrees are fitted by least squares to the samples inside each of several
windows. What is not polynomial there shows as misfit, which counts as noise if it exceeds it; so
every fit has an honest uncertainty, and each question is answered by the fit that is surest of it:

- the derivative, by the surest linear coefficient;
- the error of a stencil at a step h: its truncation, ``sum_{k>order} c_k m_k h**(k-1)`` with the
  stencil's moments ``m_k = sum_j w_j o_j**k``, by the surest of these sums; and the noise that its
  weights let through, ``sigma * norm(w) / h``.

Where the samples hold all points of a stencil its error is also measured; a measured error that
noise does not explain (an event between the samples, which no polynomial shows) overrules.

Balancing the two is the classical choice of a step (Gill, Murray, Saunders and Wright, SIAM J. Sci.
Stat. Comput. 4, 1983; Shi, Xie, Xuan and Nocedal, SIAM J. Sci. Comput. 44, 2022). Here one set of
samples serves every form, order and output.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.differences.stencils import Stencil

HIGHEST_DEGREE = 11
APART = 0.02  # samples that are closer, in half widths of the window, count as one
INSIDE = 1 + 1e-9
RIVAL = 4.0  # a fit whose deviation is within this many times the least is heard
SIGNIFICANT = 5.0  # standard deviations beyond which a measured error is no noise


@dataclass(frozen=True)
class Fit:
    """A polynomial in ``offset / radius`` for each output.

    Attributes
    ----------
    radius : float
        Half width of the window.
    coefficients : ndarray, shape (degree + 1, n)
        Of ascending powers.
    root : ndarray, shape (degree + 1, degree + 1)
        Root of the covariance of the coefficients, ``root @ root.T``, for samples of unit variance.
    spread : ndarray, shape (n,)
        Standard deviation of the samples about the polynomial, at least the noise.
    """

    radius: float
    coefficients: NDArray[np.float64]
    root: NDArray[np.float64]
    spread: NDArray[np.float64]


class LocalModel:
    """Fits to samples of n outputs along a line.

    Parameters
    ----------
    offsets : array_like, shape (points,)
        Where the samples lie, from the centre.
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
    spread : ndarray, shape (n,)
        The least spread about any fit: near the noise where the outputs are smooth.

    Raises
    ------
    ValueError
        If no window holds enough samples.
    """

    def __init__(self, offsets, values, noise, radii):
        offsets = np.asarray(offsets, dtype=float)
        values = np.asarray(values, dtype=float)
        self._noise = np.asarray(noise, dtype=float)
        self._steps = offsets[offsets > 0]
        self._values = {_key(offset): value for offset, value in zip(offsets, values, strict=True)}
        self.fits = [
            fit
            for radius in sorted(radii)
            for fit in self._fits_in(np.abs(offsets) <= radius * INSIDE, offsets, values, radius)
        ]
        if not self.fits:
            raise ValueError(f'LocalModel: {len(offsets)} samples are too few for a polynomial')
        self.reach = max(fit.radius for fit in self.fits)
        self.spread = np.min([fit.spread for fit in self.fits], axis=0)
        slopes = np.array([fit.coefficients[1] / fit.radius for fit in self.fits])
        deviations = np.array(
            [fit.spread * np.linalg.norm(fit.root[1]) / fit.radius for fit in self.fits]
        )
        surest = deviations.argmin(axis=0), np.arange(values.shape[1])
        self.derivative = slopes[surest]
        # The surest fit flatters itself: what others, nearly as sure, say otherwise is doubt too.
        rivals = np.where(deviations <= RIVAL * deviations[surest], slopes, self.derivative)
        disagreement = np.abs(rivals - self.derivative).max(axis=0)
        self.uncertainty = np.hypot(deviations[surest], disagreement)

    def _fits_in(self, inside, offsets, values, radius):
        places, found = offsets[inside] / radius, values[inside]
        apart = np.abs(places) > APART
        distinct = len(np.unique(np.round(places / APART)))
        for degree in range(1, min(HIGHEST_DEGREE, distinct - 2) + 1):
            basis = np.vander(places, degree + 1, increasing=True)
            orthogonal, triangle = np.linalg.qr(basis)
            inverse = np.linalg.inv(triangle)
            coefficients = inverse @ (orthogonal.T @ found)
            misfit = (found - basis @ coefficients)[apart]
            spread = np.sqrt((misfit**2).sum(axis=0) / (distinct - degree - 1))
            yield Fit(radius, coefficients, inverse, np.maximum(spread, self._noise))

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
        shape = len(steps), len(self._noise)
        truncation, doubt = np.full(shape, np.inf), np.full(shape, np.inf)
        spread = np.full(shape, np.inf)
        for fit in self.fits:
            inside = (steps * np.abs(places).max() <= fit.radius * INSIDE)[:, None]
            spread = np.where(inside, np.minimum(spread, fit.spread), spread)
            powers = np.arange(stencil.order + 1, len(fit.coefficients))
            if not powers.size:
                continue
            moments = (weights[:, None] * places[:, None] ** powers).sum(axis=0)
            gain = moments * steps[:, None] ** (powers - 1) / fit.radius**powers
            mine = np.linalg.norm(gain @ fit.root[powers], axis=1)[:, None] * fit.spread
            surer = inside & (mine < doubt)
            truncation = np.where(surer, gain @ fit.coefficients[powers], truncation)
            doubt = np.where(surer, mine, doubt)
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

    def _measured(self, stencil, places, weights):
        """Yield (step, error) of every step at which all points of a stencil were sampled."""
        centre = self._values.get(_key(0.0))
        for step in self._steps:
            points = [self._values.get(_key(place * step)) for place in places]
            if centre is None or any(point is None for point in points):
                continue
            change = [point - centre for point in points]
            yield step, np.abs(np.tensordot(weights, change, 1) / step - self.derivative)


def _key(offset):
    """Make offsets one that differ by rounding."""
    return float(f'{offset:.10e}')
