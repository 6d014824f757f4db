"""Adam."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.training.objective import Objective
from mdao_seq.sequence.training.optimizers.optimizer import Optimizer, Pass, clipped


class Adam(Optimizer):
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

    takes_batches: ClassVar[bool] = True
    takes_windows: ClassVar[bool] = True

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

    def go_through(self, objective: Objective, batches: Sequence[Array], rate: float) -> Pass:
        """Make a step on each batch, or on each of its windows (see `Optimizer.go_through`)."""
        squares, count, norms = 0.0, 0, []
        for batch in batches:
            for found in objective.windows(batch):
                norms.append(float(np.linalg.norm(found.gradient)))
                step = self.step(clipped(found.gradient, objective.clip_norm), rate)
                objective.parameters.values += step
                squares += found.squares
                count += found.number
        return Pass(squares / count, float(np.mean(norms)))

    def state(self) -> dict[str, Array]:
        """Return both moments and the number of steps."""
        return {
            'first': self._first.copy(),
            'second': self._second.copy(),
            'steps': np.array([self._steps], dtype=float),
        }

    def restore(self, state: dict[str, Array]) -> None:
        """Remember what `state` returned."""
        self._first[:] = state['first']
        self._second[:] = state['second']
        self._steps = int(state['steps'][0])
