"""What a recurrent cell is: the elementwise part of one time step, and its derivatives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]


class Cell(ABC):
    """The elementwise part of one time step of a recurrent layer.

    The layer makes the matrix products: ``drive = W_ih x + b_ih`` for all time steps at once, and
    ``recurrent = W_hh h + b_hh`` at each. The cell combines the two with the states. Its derivative
    is therefore diagonal: every entry of the new states depends on entries of the same lane
    and the same hidden unit only. `slopes` computes these derivatives for all time steps at once;
    `jvp` and `vjp` only multiply and add.

    States are tuples, the hidden state h first. Complex values pass through all methods; no method
    conjugates. The changes and sensitivities may have leading axes before that of the lanes, along
    which many are pushed or pulled through the same step at once.

    Attributes
    ----------
    name : str
        Name in the registry.
    num_gates : int
        Blocks of ``hidden_size`` rows in the weights.
    num_states : int
        States carried from step to step, h included.
    nonlinearities : tuple of str
        What the cell accepts as `nonlinearity`.
    memory_gates : mapping of int to int
        Numbers of the gates that say how long a state lasts: 1 if it lasts while the gate is open,
        -1 if while it is shut.

    Parameters
    ----------
    nonlinearity : str
        One of `nonlinearities`.
    """

    name: ClassVar[str]
    num_gates: ClassVar[int]
    num_states: ClassVar[int]
    nonlinearities: ClassVar[tuple[str, ...]] = ('tanh',)
    memory_gates: ClassVar[Mapping[int, int]] = {}

    def __init__(self, nonlinearity: str = 'tanh'):
        self.nonlinearity = nonlinearity

    @abstractmethod
    def step(self, drive: Array, recurrent: Array, states: Arrays) -> tuple[Arrays, Arrays]:
        """Make one time step.

        Parameters
        ----------
        drive, recurrent : ndarray (batch_size, num_gates, hidden_size)
            Products of the weights with the input and with h.
        states : tuple of ndarray (batch_size, hidden_size)
            States before the step.

        Returns
        -------
        new_states : tuple of ndarray (batch_size, hidden_size)
            States after the step.
        kept : tuple of ndarray (batch_size, …)
            What `slopes` needs of this step.
        """

    @abstractmethod
    def slopes(self, kept: Arrays, states: Arrays) -> Arrays:
        """Return the derivatives of all time steps.

        Parameters
        ----------
        kept : tuple of ndarray (seq_len, batch_size, …)
            What `step` kept, over time.
        states : tuple of ndarray (seq_len, batch_size, hidden_size)
            States before each step.

        Returns
        -------
        tuple of ndarray (seq_len, batch_size, …)
            Of one time step each, these are the first argument of `jvp` and `vjp`.
        """

    @abstractmethod
    def jvp(self, slopes: Arrays, d_drive: Array, d_recurrent: Array, d_states: Arrays) -> Arrays:
        """Push a change through one time step.

        Parameters
        ----------
        slopes : tuple of ndarray (batch_size, …)
            Derivatives of this step.
        d_drive, d_recurrent : ndarray (batch_size, num_gates, hidden_size)
            Changes of the products.
        d_states : tuple of ndarray (batch_size, hidden_size)
            Changes of the states before the step.

        Returns
        -------
        tuple of ndarray (batch_size, hidden_size)
            Changes of the states after the step.
        """

    @abstractmethod
    def vjp(self, slopes: Arrays, states_bar: Arrays) -> tuple[Array, Array, tuple[Any, ...]]:
        """Pull sensitivities back through one time step: the transpose of `jvp`.

        Parameters
        ----------
        slopes : tuple of ndarray (batch_size, …)
            Derivatives of this step.
        states_bar : tuple of ndarray (batch_size, hidden_size)
            Sensitivities to the states after the step.

        Returns
        -------
        drive_bar, recurrent_bar : ndarray (batch_size, num_gates, hidden_size)
            Sensitivities to the products; one array where both only enter as their sum.
        states_bar : tuple of ndarray (batch_size, hidden_size), or 0.0 where there is none
            Sensitivities to the states before the step, other than through the products.
        """


def sigmoid(x: Array) -> Array:
    """Return the logistic function, as (1 + tanh(x/2)) / 2: no overflow, and complex-safe."""
    y = np.tanh(0.5 * x)
    y *= 0.5
    y += 0.5
    return y
