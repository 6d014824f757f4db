"""The Adam step."""

import numpy as np

from mdao_seq.sequence.cells.cell import Array


class Adam:
    """Adaptive moment estimation (Kingma and Ba, arXiv 1412.6980, algorithm 1).

    Parameters
    ----------
    size : int
        Number of parameters.
    beta1, beta2 : float
        Decay of the first and the second moment.
    epsilon : float
        Added to the root of the second moment.
    """

    def __init__(
        self, size: int, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8
    ) -> None:
        self._first = np.zeros(size)
        self._second = np.zeros(size)
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        self._steps = 0

    def step(self, gradient: Array, learning_rate: float) -> Array:
        """Return the change of the parameters for a gradient, both (size,)."""
        self._steps += 1
        self._first += (1.0 - self._beta1) * (gradient - self._first)
        self._second += (1.0 - self._beta2) * (gradient * gradient - self._second)
        first = self._first / (1.0 - self._beta1**self._steps)
        second = self._second / (1.0 - self._beta2**self._steps)
        return -learning_rate * first / (np.sqrt(second) + self._epsilon)
