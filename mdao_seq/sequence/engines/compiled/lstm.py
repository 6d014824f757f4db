"""Time loops of the LSTM: see `mdao_seq.sequence.cells.lstm` for the mathematics.

Arrays over time are (seq_len, batch_size, …), those of states one step longer; gates stand beside
one another, i, f, g, o. Steps from a lane's length on leave its states as they are.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq.sequence.cells.lstm import LSTM
from mdao_seq.sequence.engines.compiled.arithmetic import pull_through, set_product, sigmoid, tanh
from mdao_seq.sequence.engines.compiled.compiling import compiled
from mdao_seq.sequence.engines.compiled.loops import Loops


class LSTMLoops(Loops):
    """Compiled time loops of the LSTM."""

    cell = LSTM

    def run(self, layer, drive, states):
        """Fill in the states (see `Loops.run`)."""
        tanh_c = np.empty((*drive.shape[:2], drive.shape[3]))
        bias = layer.bias_ih + layer.bias_hh
        _run(layer.flat(drive), layer.weight_hh_t, bias, layer.lengths, *states, tanh_c)
        return drive, tanh_c

    def jvp(self, layer, steps, d_drive, d_recurrent, d_states):
        """Fill in the changes of the states (see `Loops.jvp`)."""
        gates, tanh_c = steps.kept
        flat = layer.flat(d_drive if d_recurrent is None else d_drive + d_recurrent)
        of_point = steps.states[1], layer.flat(gates), tanh_c
        _jvp(flat, layer.weight_hh_t, layer.lengths, *of_point, *d_states)

    def vjp(self, layer, steps, hidden_bar, states_bar):
        """Return the sensitivities to the products (see `Loops.vjp`)."""
        gates, tanh_c = steps.kept
        gates_bar = np.empty_like(gates)
        of_point = steps.states[1], layer.flat(gates), tanh_c
        flat = layer.flat(gates_bar)
        _vjp(hidden_bar, layer.weight_hh, layer.lengths, *of_point, *states_bar, flat)
        return gates_bar, gates_bar


@compiled
def _run(gates, weight_hh_t, bias, lengths, h, c, tanh_c):
    """Start from the drive in `gates`."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 4
    recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(recurrent, h[t], weight_hh_t)
        for b in range(batch_size):
            h1, c0, c1 = h[t + 1, b], c[t, b], c[t + 1, b]
            gate, product, tanh_c1 = gates[t, b], recurrent[b], tanh_c[t, b]
            if t >= lengths[b]:
                h1[:], c1[:], gate[:], tanh_c1[:] = h[t, b], c0, 0.0, 0.0
                continue
            for j in range(2 * size):
                gate[j] = sigmoid(gate[j] + product[j] + bias[j])
            for j in range(2 * size, 3 * size):
                gate[j] = tanh(gate[j] + product[j] + bias[j])
            for j in range(3 * size, rows):
                gate[j] = sigmoid(gate[j] + product[j] + bias[j])
            for j in range(size):
                c1[j] = gate[size + j] * c0[j] + gate[j] * gate[2 * size + j]
                tanh_c1[j] = tanh(c1[j])
                h1[j] = gate[3 * size + j] * tanh_c1[j]


@compiled
def _jvp(d_drive, weight_hh_t, lengths, c, gates, tanh_c, d_h, d_c):
    seq_len, batch_size, rows = d_drive.shape
    size = rows // 4
    d_recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(d_recurrent, d_h[t], weight_hh_t)
        for b in range(batch_size):
            d_h1, d_c0, d_c1, c0 = d_h[t + 1, b], d_c[t, b], d_c[t + 1, b], c[t, b]
            if t >= lengths[b]:
                d_h1[:], d_c1[:] = d_h[t, b], d_c0
                continue
            gate, product, driven, tanh_c1 = (
                gates[t, b],
                d_recurrent[b],
                d_drive[t, b],
                tanh_c[t, b],
            )
            for j in range(size):
                i, f, g, o = gate[j], gate[size + j], gate[2 * size + j], gate[3 * size + j]
                d_i = driven[j] + product[j]
                d_f = driven[size + j] + product[size + j]
                d_g = driven[2 * size + j] + product[2 * size + j]
                d_o = driven[3 * size + j] + product[3 * size + j]
                d_c1[j] = (
                    f * d_c0[j]
                    + g * i * (1.0 - i) * d_i
                    + c0[j] * f * (1.0 - f) * d_f
                    + i * (1.0 - g * g) * d_g
                )
                d_h1[j] = (
                    tanh_c1[j] * o * (1.0 - o) * d_o + o * (1.0 - tanh_c1[j] * tanh_c1[j]) * d_c1[j]
                )


@compiled
def _vjp(hidden_bar, weight_hh, lengths, c, gates, tanh_c, h_bar, c_bar, gates_bar):
    """Go back from the sensitivities to the last states, `h_bar` and `c_bar`, which change."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 4
    direct = np.empty((batch_size, size))
    for t in range(seq_len - 1, -1, -1):
        for b in range(batch_size):
            gate, c0, tanh_c1, pulled = gates[t, b], c[t, b], tanh_c[t, b], gates_bar[t, b]
            h1_bar, c1_bar, now, past = h_bar[b], c_bar[b], hidden_bar[t, b], direct[b]
            if t >= lengths[b]:
                past[:] = h1_bar + now
                pulled[:] = 0.0
                continue
            for j in range(size):
                i, f, g, o = gate[j], gate[size + j], gate[2 * size + j], gate[3 * size + j]
                by_h = h1_bar[j] + now[j]
                by_c = c1_bar[j] + by_h * o * (1.0 - tanh_c1[j] * tanh_c1[j])
                pulled[j] = by_c * g * i * (1.0 - i)
                pulled[size + j] = by_c * c0[j] * f * (1.0 - f)
                pulled[2 * size + j] = by_c * i * (1.0 - g * g)
                pulled[3 * size + j] = by_h * tanh_c1[j] * o * (1.0 - o)
                c1_bar[j] = by_c * f
                past[j] = 0.0
        pull_through(h_bar, gates_bar[t], weight_hh, direct)
