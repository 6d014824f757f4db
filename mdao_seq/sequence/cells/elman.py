"""The Elman cell."""

from typing import Any, ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell


class Elman(Cell):
    """The simple recurrent cell (Elman, Cognitive Science 14, 1990), as ``torch.nn.RNN``.

    ``h' = tanh(drive + recurrent)``, or ``relu`` in place of tanh.
    """

    name: ClassVar[str] = 'elman'
    num_gates: ClassVar[int] = 1
    num_states: ClassVar[int] = 1
    nonlinearities: ClassVar[tuple[str, ...]] = ('tanh', 'relu')

    def step(self, drive: Array, recurrent: Array, states: Arrays) -> tuple[Arrays, Arrays]:
        """Make one time step (see `Cell.step`)."""
        total = (drive + recurrent)[..., 0, :]
        # The comparison is of real parts: complex numbers have no order.
        h = np.tanh(total) if self.nonlinearity == 'tanh' else np.where(total.real > 0, total, 0.0)
        return (h,), (h,)

    def slopes(self, kept: Arrays, states: Arrays) -> Arrays:
        """Return h'(total) for all time steps."""
        (h,) = kept
        slope = 1.0 - h * h if self.nonlinearity == 'tanh' else np.where(h.real > 0, 1.0, 0.0)
        return (slope[..., np.newaxis, :],)

    def jvp(self, slopes: Arrays, d_drive: Array, d_recurrent: Array, d_states: Arrays) -> Arrays:
        """Push a change through one time step (see `Cell.jvp`)."""
        return (((d_drive + d_recurrent) * slopes[0])[..., 0, :],)

    def vjp(self, slopes: Arrays, states_bar: Arrays) -> tuple[Array, Array, tuple[Any, ...]]:
        """Pull sensitivities back through one time step (see `Cell.vjp`)."""
        total_bar = states_bar[0][..., np.newaxis, :] * slopes[0]
        return total_bar, total_bar, (0.0,)
