"""The gated recurrent unit."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell, sigmoid


class GRU(Cell):
    """The gated recurrent unit (Cho et al., EMNLP 2014), reset after the product.

    With the gates in the order r, z, n, as ``torch.nn.GRU`` (and Keras with
    ``reset_after=True``) computes it::

        r = sigmoid(drive_r + recurrent_r)
        z = sigmoid(drive_z + recurrent_z)
        n = tanh(drive_n + r * recurrent_n)
        h' = (1 - z) * n + z * h
    """

    name: ClassVar[str] = 'gru'
    num_gates: ClassVar[int] = 3
    num_states: ClassVar[int] = 1
    memory_gates: ClassVar[Mapping[int, int]] = {1: 1}

    def step(self, drive: Array, recurrent: Array, states: Arrays) -> tuple[Arrays, Arrays]:
        """Make one time step (see `Cell.step`)."""
        (h,) = states
        gates = np.empty_like(drive + recurrent)
        gates[:, :2] = sigmoid(drive[:, :2] + recurrent[:, :2])
        r, z = gates[:, 0], gates[:, 1]
        n = gates[:, 2] = np.tanh(drive[:, 2] + r * recurrent[:, 2])
        return (n + z * (h - n),), (gates, recurrent[:, 2])

    def slopes(self, kept: Arrays, states: Arrays) -> Arrays:
        """Return dh'/d(drive), dh'/d(recurrent) and dh'/dh for all time steps."""
        gates, recurrent_n = kept
        r, z, n = (gates[..., gate, :] for gate in range(3))
        by_drive = np.empty((*n.shape[:2], 3, n.shape[2]), dtype=n.dtype)
        by_drive[..., 2, :] = (1.0 - z) * (1.0 - n * n)
        by_drive[..., 1, :] = (states[0] - n) * z * (1.0 - z)
        by_drive[..., 0, :] = by_drive[..., 2, :] * recurrent_n * r * (1.0 - r)
        by_recurrent = by_drive.copy()
        by_recurrent[..., 2, :] *= r
        return by_drive, by_recurrent, z

    def jvp(self, slopes: Arrays, d_drive: Array, d_recurrent: Array, d_states: Arrays) -> Arrays:
        """Push a change through one time step (see `Cell.jvp`)."""
        by_drive, by_recurrent, by_h = slopes
        by_gates = by_drive * d_drive + by_recurrent * d_recurrent
        return (by_gates.sum(axis=-2) + by_h * d_states[0],)

    def vjp(self, slopes: Arrays, states_bar: Arrays) -> tuple[Array, Array, tuple[Any, ...]]:
        """Pull sensitivities back through one time step (see `Cell.vjp`)."""
        by_drive, by_recurrent, by_h = slopes
        (h_bar,) = states_bar
        each_gate = h_bar[..., np.newaxis, :]
        return each_gate * by_drive, each_gate * by_recurrent, (h_bar * by_h,)
