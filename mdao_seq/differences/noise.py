"""How noisy a computed function is: ECNoise of Moré and Wild, SIAM J. Sci. Comput. 33, 2011.

Differences of order k of a smooth function fall as the k-th power of the spacing; those of noise
do not. With noise of standard deviation sigma, every level k of the difference table estimates the
same sigma,

    sigma_k**2 = (k!)**2 / (2k)! * mean(Delta**k f ** 2),

so that levels that agree, and whose differences change sign, show the noise.
"""

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

AGREE = 4.0  # levels within this factor are taken to show the same noise
LARGE = 0.1  # a relative change of the function that is not noise
LEAST_POINTS = 5


class Verdict(StrEnum):
    """What the difference table of one output showed."""

    FOUND = 'found'
    CONSTANT = 'constant'
    SPACING_TOO_SMALL = 'spacing too small'
    SPACING_TOO_LARGE = 'spacing too large'


class Noise(NamedTuple):
    """Noise of several outputs along one line.

    Attributes
    ----------
    level : ndarray, shape (n,)
        Standard deviation, in the units of the outputs; NaN where none was found.
    verdict : list of Verdict
        Of each output. The authors advise a hundredfold spacing where it was too small (half of
        neighbouring values or more are equal) and a hundredth where it was too large.
    """

    level: NDArray[np.float64]
    verdict: list[Verdict]


def noise_of(values: ArrayLike) -> Noise:
    """Estimate the noise of outputs from values at equally spaced points.

    Parameters
    ----------
    values : array_like, shape (points, n)
        Each output at 5 or more points; the authors use 7 to 9.

    Returns
    -------
    Noise
        Level and verdict of each output.

    Raises
    ------
    ValueError
        For fewer than 5 points.
    """
    values = np.asarray(values, dtype=float)
    points = len(values)
    if points < LEAST_POINTS:
        raise ValueError(f'noise_of: {points} points; a difference table needs {LEAST_POINTS}')
    largest = np.abs(values).max(axis=0)
    spread = np.ptp(values, axis=0)
    equal = (np.diff(values, axis=0) == 0).sum(axis=0)
    levels, changes_sign = _difference_table(values)
    level = np.full(values.shape[1], np.nan)
    verdict = []
    for n in range(values.shape[1]):
        if spread[n] == 0:
            verdict.append(Verdict.CONSTANT)
        elif not np.isfinite(spread[n]) or spread[n] > LARGE * largest[n]:
            verdict.append(Verdict.SPACING_TOO_LARGE)
        elif equal[n] >= points / 2:
            verdict.append(Verdict.SPACING_TOO_SMALL)
        else:
            level[n] = _agreed(levels[:, n], changes_sign[:, n])
            found = not np.isnan(level[n])
            verdict.append(Verdict.FOUND if found else Verdict.SPACING_TOO_LARGE)
    return Noise(level, verdict)


def _difference_table(values):
    """Return sigma_k and whether Delta**k changes sign, by level k and output."""
    levels, changes_sign = [], []
    gamma, differences = 1.0, values
    for k in range(1, len(values)):
        differences = np.diff(differences, axis=0)
        gamma *= k / (2 * (2 * k - 1))
        levels.append(np.sqrt(gamma * np.mean(differences**2, axis=0)))
        changes_sign.append(differences.min(axis=0) * differences.max(axis=0) < 0)
    return np.array(levels), np.array(changes_sign)


def _agreed(levels, changes_sign):
    """Return the first of three consecutive levels that agree; NaN if none do."""
    for k in range(len(levels) - 2):
        three = levels[k : k + 3]
        if changes_sign[k] and three.max() <= AGREE * three.min():
            return levels[k]
    return np.nan
