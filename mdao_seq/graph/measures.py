"""What rankings are judged by: who is ahead, how much the first few hold, how even it is.

Each function returns its value and its gradient, both complex where the scores are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.errors import InputError

Array = NDArray[Any]


def log_scores(scores: Array, places: Array | None = None) -> Array:
    """Return the natural logarithms of the scores at these places; None: of all.

    Raises
    ------
    InputError
        If one is not above zero; it names its place.
    """
    places = np.arange(len(scores)) if places is None else places
    asked = scores[places]
    if np.any(bad := ~((asked.real > 0.0) & np.isfinite(asked))):
        i = int(places[np.argmax(bad)])
        raise InputError(f'rank[{i}] = {scores[i]}: must be above zero, and finite')
    logs: Array = np.log(asked)
    return logs


def _shares(scores: Array) -> tuple[Array, Any]:
    """Return scores divided by their sum, and the sum."""
    if np.any(bad := ~((scores.real >= 0.0) & np.isfinite(scores))):
        i = int(np.argmax(bad))
        raise InputError(f'rank[{i}] = {scores[i]}: must be finite and not negative')
    total = scores.sum()
    if not total.real > 0.0:
        raise InputError(f'rank sums to {total}: a sum above zero is needed')
    return scores / total, total


def log_margin(scores: Array, ahead: int, behind: Array, rho: float) -> tuple[Any, Array]:
    """Return by how much one score is ahead of the largest of others, as a logarithm of the ratio.

    Parameters
    ----------
    scores : ndarray (n,)
        Above zero.
    ahead : int
        Whose score is to be ahead.
    behind : ndarray of int (others,)
        Whose are to be behind. Of several the largest is taken by Kreisselmeier and Steinhauser's
        function, which is never below it, and above it by log(others) / rho at most.
    rho : float
        Its sharpness.

    Returns
    -------
    margin : float
        ``log x_ahead - (1 / rho) log sum exp(rho log x_behind)``; above zero where it is ahead.
    gradient : ndarray (n,)

    Raises
    ------
    InputError
        If a score is not above zero.

    Notes
    -----
    Source: G. Kreisselmeier, R. Steinhauser, Systematic control design by optimizing a vector
    performance index, IFAC Proceedings 12(7), 1979.
    """
    logs = log_scores(scores, np.array([ahead, *behind]))
    others = logs[1:]
    largest = others.real.max()
    shares = np.exp(rho * (others - largest))
    margin = logs[0] - largest - np.log(shares.sum()) / rho
    gradient = np.zeros_like(scores)
    gradient[ahead] = 1.0 / scores[ahead]
    np.add.at(gradient, behind, -(shares / shares.sum()) / scores[behind])
    return margin, gradient


def top_share(scores: Array, k: int, smoothing: float) -> tuple[Any, Array]:
    """Return what the k largest scores hold of the sum of all.

    With T the smoothing times the mean score, the sum of the k largest is taken as

        min over tau of  k tau + T sum_i log(1 + exp((x_i - tau) / T)),

    which is smooth, never below it, and exact as T goes to zero: the dual of maximising
    ``p @ x + T entropy(p)`` over 0 <= p <= 1, sum(p) = k, so that its gradient is p.

    Parameters
    ----------
    scores : ndarray (n,)
        Not negative, of a sum above zero.
    k : int
        Between 1 and n - 1.
    smoothing : float
        What is returned is above the true share by ``smoothing * H`` at most, which is where all
        scores are the same, with H = -(k/n) log(k/n) - (1 - k/n) log(1 - k/n). Zero: exact; where
        the scores k and k + 1 are the same there is then no derivative, and the one returned is
        that of one order of them.

    Returns
    -------
    share : float
    gradient : ndarray (n,)

    Raises
    ------
    InputError
        If a score is negative or not finite, or their sum is not above zero.
    """
    x, total = _shares(scores)
    if smoothing == 0.0:
        p = np.zeros_like(scores)
        p[np.argsort(-x.real, kind='stable')[:k]] = 1.0
        value = p @ x
    else:
        temperature = smoothing / x.size
        tau = _threshold(x.real, k, temperature)
        p = _logistic((x - tau) / temperature)
        value = k * tau + temperature * np.logaddexp(0.0, (x.real - tau) / temperature).sum()
        if np.iscomplexobj(x):
            # The threshold is a minimum: to first order what moves it does not matter.
            value = value + 1j * (p.real @ x.imag)
    return value, (p - p @ x) / total


def _threshold(x: Array, k: int, temperature: float) -> float:
    """Return tau with sum(logistic((x - tau) / T)) = k."""
    low, high = x.min() - 40.0 * temperature, x.max() + 40.0 * temperature
    while True:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            return float(middle)
        if _logistic((x - middle) / temperature).sum() > k:
            low = middle
        else:
            high = middle


def _logistic(z: Array) -> Array:
    part = (
        np.exp(-np.abs(z.real) - 1j * np.sign(z.real) * z.imag)
        if np.iscomplexobj(z)
        else (np.exp(-np.abs(z)))
    )
    logistic: Array = np.where(z.real > 0, 1.0, part) / (1.0 + part)
    return logistic


def entropy(scores: Array) -> tuple[Any, Array]:
    """Return how even scores are: Shannon's entropy, divided by that of equal scores.

    With p the scores divided by their sum, ``-sum(p log p) / log(n)``: 1 where all are equal, 0
    where one has all. Scores of zero count as nothing; the gradient is infinite there, in the
    direction of more.

    Parameters
    ----------
    scores : ndarray (n,)
        Not negative, of a sum above zero, n at least 2.

    Returns
    -------
    entropy : float
    gradient : ndarray (n,)

    Raises
    ------
    InputError
        If a score is negative or not finite, or their sum is not above zero.
    """
    p, total = _shares(scores)
    held = p.real > 0.0
    logs = np.full(p.shape, -np.inf, p.dtype)
    logs[held] = np.log(p[held])
    value = -(p[held] @ logs[held]) / np.log(p.size)
    return value, -(logs / np.log(p.size) + value) / total
