"""The long short-term memory."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from mdao_seq.sequence.cells.cell import Array, Arrays, Cell

# One tanh serves all gates, since sigmoid(x) = tanh(x/2)/2 + 1/2.
_SCALE = np.array([0.5, 0.5, 1.0, 0.5])[:, np.newaxis]
_SHIFT = np.array([0.5, 0.5, 0.0, 0.5])[:, np.newaxis]


class LSTM(Cell):
    """Long short-term memory with a forget gate (Gers et al., Neural Computation 12, 2000).

    With the gates in the order i, f, g, o, as ``torch.nn.LSTM`` computes it::

        i, f, o = sigmoid(drive + recurrent) of each block
        g = tanh(drive_g + recurrent_g)
        c' = f * c + i * g
        h' = o * tanh(c')
    """

    name: ClassVar[str] = 'lstm'
    num_gates: ClassVar[int] = 4
    num_states: ClassVar[int] = 2
    memory_gates: ClassVar[Mapping[int, int]] = {0: -1, 1: 1}

    def step(self, drive: Array, recurrent: Array, states: Arrays) -> tuple[Arrays, Arrays]:
        """Make one time step (see `Cell.step`)."""
        gates = drive + recurrent
        gates *= _SCALE
        np.tanh(gates, out=gates)
        gates *= _SCALE
        gates += _SHIFT
        i, f, g, o = gates[:, 0], gates[:, 1], gates[:, 2], gates[:, 3]
        c = f * states[1]
        c += i * g
        tanh_c = np.tanh(c)
        return (o * tanh_c, c), (gates, tanh_c)

    def slopes(self, kept: Arrays, states: Arrays) -> Arrays:
        """Return dc'/d(i, f, g products), dc'/dc, dh'/d(o product) and dh'/dc' for all time."""
        gates, tanh_c = kept
        i, f, g, o = (gates[..., gate, :] for gate in range(4))
        c_by_ifg = np.empty((*i.shape[:2], 3, i.shape[2]), dtype=i.dtype)
        c_by_ifg[..., 0, :] = g * i * (1.0 - i)
        c_by_ifg[..., 1, :] = states[1] * f * (1.0 - f)
        c_by_ifg[..., 2, :] = i * (1.0 - g * g)
        return c_by_ifg, f, tanh_c * o * (1.0 - o), o * (1.0 - tanh_c * tanh_c)

    def jvp(self, slopes: Arrays, d_drive: Array, d_recurrent: Array, d_states: Arrays) -> Arrays:
        """Push a change through one time step (see `Cell.jvp`)."""
        c_by_ifg, c_by_c, h_by_o, h_by_c = slopes
        d_gates = d_drive + d_recurrent
        d_c = (c_by_ifg * d_gates[..., :3, :]).sum(axis=-2)
        d_c += c_by_c * d_states[1]
        d_h = h_by_o * d_gates[..., 3, :]
        d_h += h_by_c * d_c
        return d_h, d_c

    def vjp(self, slopes: Arrays, states_bar: Arrays) -> tuple[Array, Array, tuple[Any, ...]]:
        """Pull sensitivities back through one time step (see `Cell.vjp`)."""
        c_by_ifg, c_by_c, h_by_o, h_by_c = slopes
        h_bar, c_bar = states_bar
        c_bar = c_bar + h_bar * h_by_c
        gates_bar = np.empty((*h_bar.shape[:-1], 4, h_bar.shape[-1]), dtype=c_bar.dtype)
        np.multiply(c_bar[..., np.newaxis, :], c_by_ifg, out=gates_bar[..., :3, :])
        np.multiply(h_bar, h_by_o, out=gates_bar[..., 3, :])
        return gates_bar, gates_bar, (0.0, c_bar * c_by_c)
