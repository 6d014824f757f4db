"""A Taylor series about a point, from noisy samples within a window about it.

With ``t = offset / radius`` the function is ``sum_k c_k t**k``. The terms of an analytic function
decay geometrically (Cauchy's estimate), so that before anything is sampled ``c_0`` and ``c_1`` may
be anything, and the others are taken as independent with mean 0 and standard deviation

    s * q**(k - 2),    k >= 2.

Given samples with noise of standard deviation sigma this is Bayesian linear regression: the
coefficients have a mean and a covariance in closed form (Rasmussen and Williams, Gaussian Processes
for Machine Learning, 2006, sections 2.1 and 2.7). Noise bounds the number of terms that can be
told, and nothing else does: no degree is chosen, a term that the samples do not show is as unsure
as it was before, and adds that much to the uncertainty of the others. The decay q, the ratio
s / sigma, and sigma where it exceeds the noise known, are those under which the samples are
likeliest once ``c_0`` and ``c_1`` are projected out (restricted maximum likelihood, Patterson and
Thompson, Biometrika 58, 1971).
"""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

TERMS = 30  # beyond the straight line
DECAYS = 0.9 * 0.6 ** np.arange(9.0)  # q
STRENGTHS = 10.0 ** np.arange(-2.0, 33.0, 2.0)  # (s / sigma)**2; double precision tells no more
TINY = 1e-300
_POWERS = np.arange(2, TERMS + 2)


class TaylorSeries:
    """Coefficients of n outputs within one window, and how sure they are.

    Parameters
    ----------
    offsets : array_like, shape (points,)
        Where the samples lie, from the centre: 3 or more, none beyond the radius.
    values : array_like, shape (points, n)
        The outputs there; all finite.
    noise : array_like, shape (n,)
        Least standard deviation of each output's noise.
    radius : float
        Half width of the window.

    Attributes
    ----------
    coefficients : ndarray, shape (terms, n)
        Mean of ``c_k``, in the units of the outputs.
    spread : ndarray, shape (n,)
        Standard deviation sigma of the samples about the series, at least the noise.
    slope, deviation : ndarray, shape (n,)
        First derivative at the centre and its standard deviation.
    """

    def __init__(self, offsets: ArrayLike, values: ArrayLike, noise: ArrayLike, radius: float):
        values, noise = np.asarray(values, dtype=float), np.asarray(noise, dtype=float)
        self.radius = radius
        self._design = _Design(np.asarray(offsets, dtype=float) / radius)
        self._prior, self.spread = self._likeliest(self._design.bends(values), noise)
        self._priors = np.unique(self._prior, axis=0)
        self.coefficients = np.empty((TERMS + 2, noise.size))
        for prior, mine in self._each_prior():
            self.coefficients[:, mine] = self._design.coefficients(values[:, mine], *prior)
        slope = np.zeros((1, TERMS + 2))
        slope[0, 1] = 1 / radius
        (self.slope,), (self.deviation,) = self.combined(slope)

    def _likeliest(self, bends, noise):
        """Return (q, (s / sigma)**2) of each output, shape (n, 2), and sigma, shape (n,)."""
        prior, variance = np.empty((noise.size, 2)), np.empty(noise.size)
        best = np.full(noise.size, -np.inf)
        for decay in DECAYS:
            left, singular, _ = self._design.decomposed(decay)
            # Variance of each combination of samples, per unit of noise.
            growth = 1 + np.outer(STRENGTHS, _padded(singular, len(bends)) ** 2)
            misfit = (1 / growth) @ (left.T @ bends) ** 2
            sigma2 = np.maximum(noise**2, misfit / len(bends))
            likelihood = -0.5 * (
                len(bends) * np.log(np.maximum(sigma2, TINY))
                + misfit / np.maximum(sigma2, TINY)
                + np.log(growth).sum(axis=1)[:, None]
            )
            place = likelihood.argmax(axis=0), np.arange(noise.size)
            better = likelihood[place] > best
            best = np.where(better, likelihood[place], best)
            variance = np.where(better, sigma2[place], variance)
            mine = np.stack([np.full(noise.size, decay), STRENGTHS[place[0]]], axis=1)
            prior = np.where(better[:, None], mine, prior)
        return prior, np.sqrt(variance)

    def _each_prior(self):
        """Yield every (q, (s / sigma)**2) in use, and which outputs use it."""
        for prior in self._priors:
            yield prior, (self._prior == prior).all(axis=1)

    @cached_property
    def _roots(self):
        return [self._design.root(*prior) for prior in self._priors]

    def combined(self, gain: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return linear combinations of the coefficients.

        Parameters
        ----------
        gain : array_like, shape (m, terms)
            Factor of each coefficient.

        Returns
        -------
        mean, deviation : ndarray, shape (m, n)
            Mean and standard deviation of each combination.
        """
        gain = np.asarray(gain)
        deviation = np.empty((len(gain), len(self.spread)))
        for (_, mine), root in zip(self._each_prior(), self._roots, strict=True):
            deviation[:, mine] = np.linalg.norm(gain @ root, axis=1)[:, None]
        return gain @ self.coefficients, deviation * self.spread

    def deviation_with(self, offsets: ArrayLike) -> NDArray[np.float64]:
        """Return what `deviation` is expected to be with more samples.

        Parameters
        ----------
        offsets : array_like, shape (more,)
            Where they would lie; those beyond the radius do not count.

        Returns
        -------
        ndarray, shape (n,)
            Deviation of each slope if the prior and the spread stay what they are.
        """
        more = np.asarray(offsets) / self.radius
        more = more[np.abs(more) <= 1]
        if not more.size:
            return self.deviation
        design = _Design(np.concatenate([self._design.places, more]))
        deviation = np.empty(len(self.spread))
        for prior, mine in self._each_prior():
            deviation[mine] = np.linalg.norm(design.root(*prior)[1]) / self.radius
        return deviation * self.spread


class _Design:
    """Where the samples lie within the window, and what follows from that alone.

    The samples' plane is split: two directions tell ``c_0`` and ``c_1`` once the others are known,
    the rest sees only what is not straight.
    """

    def __init__(self, places):
        self.places = places
        orthogonal, triangle = np.linalg.qr(np.vander(places, 2, increasing=True), mode='complete')
        powers = places[:, None] ** _POWERS
        self._inverse = np.linalg.inv(triangle[:2])
        self._line = self._inverse @ orthogonal[:, :2].T
        self._rest = orthogonal[:, 2:].T
        self._decomposed = {}
        self._powers_in_line, self._powers_in_rest = self._line @ powers, self._rest @ powers

    def bends(self, values):
        """Return what is not straight, shape (points - 2, n)."""
        return self._rest @ values

    def decomposed(self, decay):
        """Return the singular value decomposition of the terms, each as large as expected."""
        if decay not in self._decomposed:
            terms = self._powers_in_rest * decay ** (_POWERS - 2)
            self._decomposed[decay] = np.linalg.svd(terms)
        return self._decomposed[decay]

    def coefficients(self, values, decay, strength):
        """Return the mean coefficients, shape (terms, n)."""
        left, singular, right = self.decomposed(decay)
        gain = strength * singular / (1 + strength * singular**2)
        known = gain[:, None] * (left.T[: gain.size] @ self.bends(values))
        bent = (decay ** (_POWERS - 2))[:, None] * (right.T[:, : gain.size] @ known)
        return np.concatenate([self._line @ values - self._powers_in_line @ bent, bent])

    def root(self, decay, strength):
        """Return a root of the covariance of the coefficients, for noise of unit variance."""
        _, singular, right = self.decomposed(decay)
        left_over = np.sqrt(strength / (1 + strength * _padded(singular, TERMS) ** 2))
        bent = (decay ** (_POWERS - 2))[:, None] * right.T * left_over
        of_line = np.concatenate([self._inverse, -self._powers_in_line @ bent], axis=1)
        return np.concatenate([of_line, np.pad(bent, ((0, 0), (2, 0)))])


def _padded(singular, size):
    return np.pad(singular[:size], (0, max(size - singular.size, 0)))
