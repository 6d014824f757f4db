"""What an optimizer is: it goes through the data once, and changes the parameters."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.training.objective import Objective


class Pass(NamedTuple):
    """What one pass over the data came to.

    Attributes
    ----------
    loss : float
        Mean squared error of the normalised outputs, averaged over the steps of the pass.
    gradient_norm : float
        Mean length of the gradients, before they were clipped.
    """

    loss: float
    gradient_norm: float


class Optimizer(ABC):
    """Changes parameters by the gradient of a loss.

    Attributes
    ----------
    takes_batches : bool
        Whether it makes a step on each batch; otherwise it takes all the data together.
    takes_windows : bool
        Whether it makes a step on each window of time.

    Parameters
    ----------
    size : int
        Number of parameters.
    """

    takes_batches: ClassVar[bool]
    takes_windows: ClassVar[bool]

    @abstractmethod
    def __init__(self, size: int):
        pass

    @abstractmethod
    def go_through(self, objective: Objective, batches: Sequence[Array], rate: float) -> Pass:
        """Change the parameters of `objective`, in one pass over the data.

        Parameters
        ----------
        objective : Objective
            Whose parameters are changed in place.
        batches : sequence of ndarray of int
            Sequences of each batch.
        rate : float
            Learning rate.
        """

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """Return copies of what it remembers, by name."""

    @abstractmethod
    def restore(self, state: dict[str, Array]) -> None:
        """Remember what `state` returned."""


def clipped(gradient: Array, longest: float | None) -> Array:
    """Return a gradient, shortened to `longest` if it is longer."""
    length = float(np.linalg.norm(gradient))
    return gradient * (longest / length) if longest is not None and length > longest else gradient
