"""Time loops of the LSTM: see `mdao_seq.sequence.cells.lstm` for the mathematics.

Arrays over time are (seq_len, batch_size, …), those of states one step longer; gates stand beside
one another, i, f, g, o. Steps from a lane's length on leave its states as they are.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from functools import cache

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.sequence.cells.lstm import LSTM
from mdao_seq.sequence.engines.compiled.arithmetic import pull_through, set_product, tanh
from mdao_seq.sequence.engines.compiled.loops import Loops, flat


class LSTMLoops(Loops):
    """Compiled time loops of the LSTM."""

    cell = LSTM

    def room(self, seq_len, batch_size, hidden_size):
        """Return room for gates and tanh(c) (see `Loops.room`)."""
        shape = (seq_len, batch_size, hidden_size)
        return np.empty((seq_len, batch_size, 4, hidden_size)), np.empty(shape)

    def run(self, layer, drive, states, kept):
        """Fill in the states (see `Loops.run`)."""
        bias = layer.bias_ih + layer.bias_hh
        scale = _scale(states[0].shape[2])
        _run(drive, layer.weight_hh_t, bias, scale, layer.lengths, *states, kept[1])

    def jvp(self, layer, steps, d_drive, d_recurrent, d_states):
        """Fill in the changes of the states (see `Loops.jvp`)."""
        gates, tanh_c = steps.kept
        if d_recurrent is not None:
            d_drive += d_recurrent
        of_point = steps.states[1], flat(gates), tanh_c
        _jvp(d_drive, layer.weight_hh_t, layer.lengths, *of_point, *d_states)

    def vjp(self, layer, steps, hidden_bar, states_bar, bars):
        """Fill in the sensitivities to the products (see `Loops.vjp`)."""
        gates, tanh_c = steps.kept
        of_point = steps.states[1], flat(gates), tanh_c
        _vjp(hidden_bar, layer.weight_hh, layer.lengths, *of_point, *states_bar, *bars)


@cache
def _scale(hidden_size):
    return np.repeat([0.5, 0.5, 1.0, 0.5], hidden_size)


@compiled
def _run(gates, weight_hh_t, bias, scale, lengths, h, c, tanh_c):
    """Start from the drive in `gates`."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 4
    recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(recurrent, h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                gates[t, b, :] = 0.0
                for j in range(size):
                    h[t + 1, b, j] = h[t, b, j]
                    c[t + 1, b, j] = c[t, b, j]
                    tanh_c[t, b, j] = 0.0
                continue
            # One tanh serves all gates: that of g is of scale 1, the sigmoids are of 1/2.
            for j in range(rows):
                total = gates[t, b, j] + recurrent[b, j] + bias[j]
                gates[t, b, j] = scale[j] * tanh(scale[j] * total) + (1.0 - scale[j])
            # Short loops: with more arrays in one, the compiler would not vectorise it.
            for j in range(size):
                c[t + 1, b, j] = (
                    gates[t, b, size + j] * c[t, b, j] + gates[t, b, j] * gates[t, b, 2 * size + j]
                )
            for j in range(size):
                tanh_c[t, b, j] = tanh(c[t + 1, b, j])
            for j in range(size):
                h[t + 1, b, j] = gates[t, b, 3 * size + j] * tanh_c[t, b, j]


@compiled
def _jvp(d_drive, weight_hh_t, lengths, c, gates, tanh_c, d_h, d_c):
    seq_len, batch_size, rows = d_drive.shape
    size = rows // 4
    total = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(total, d_h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                for j in range(size):
                    d_h[t + 1, b, j] = d_h[t, b, j]
                    d_c[t + 1, b, j] = d_c[t, b, j]
                continue
            for j in range(rows):
                total[b, j] += d_drive[t, b, j]
            for j in range(size):
                i, f = gates[t, b, j], gates[t, b, size + j]
                g = gates[t, b, 2 * size + j]
                d_c[t + 1, b, j] = (
                    f * d_c[t, b, j]
                    + g * i * (1.0 - i) * total[b, j]
                    + c[t, b, j] * f * (1.0 - f) * total[b, size + j]
                    + i * (1.0 - g * g) * total[b, 2 * size + j]
                )
            for j in range(size):
                o, tanh_c1 = gates[t, b, 3 * size + j], tanh_c[t, b, j]
                d_h[t + 1, b, j] = (
                    tanh_c1 * o * (1.0 - o) * total[b, 3 * size + j]
                    + o * (1.0 - tanh_c1 * tanh_c1) * d_c[t + 1, b, j]
                )


@compiled
def _vjp(hidden_bar, weight_hh, lengths, c, gates, tanh_c, h_bar, c_bar, gates_bar):
    """Go back from the sensitivities to the last states, `h_bar` and `c_bar`, which change."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 4
    direct = np.zeros((batch_size, size))
    for t in range(seq_len - 1, -1, -1):
        for b in range(batch_size):
            for j in range(size):
                h_bar[b, j] += hidden_bar[t, b, j]
            if t >= lengths[b]:
                gates_bar[t, b, :] = 0.0
                for j in range(size):
                    direct[b, j] = h_bar[b, j]
                continue
            for j in range(size):
                direct[b, j] = 0.0
            for j in range(size):
                o, tanh_c1 = gates[t, b, 3 * size + j], tanh_c[t, b, j]
                gates_bar[t, b, 3 * size + j] = h_bar[b, j] * tanh_c1 * o * (1.0 - o)
                c_bar[b, j] += h_bar[b, j] * o * (1.0 - tanh_c1 * tanh_c1)
            for j in range(size):
                i, f = gates[t, b, j], gates[t, b, size + j]
                g, by_c = gates[t, b, 2 * size + j], c_bar[b, j]
                gates_bar[t, b, j] = by_c * g * i * (1.0 - i)
                gates_bar[t, b, size + j] = by_c * c[t, b, j] * f * (1.0 - f)
                gates_bar[t, b, 2 * size + j] = by_c * i * (1.0 - g * g)
                c_bar[b, j] = by_c * f
        pull_through(h_bar, gates_bar, t, weight_hh, direct)
