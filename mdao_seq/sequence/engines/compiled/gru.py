"""Time loops of the GRU: see `mdao_seq.sequence.cells.gru` for the mathematics.

Arrays over time are (seq_len, batch_size, …), that of the state one step longer; gates stand beside
one another, r, z, n. Steps from a lane's length on leave its state as it is.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.sequence.cells.gru import GRU
from mdao_seq.sequence.engines.compiled.arithmetic import pull_through, set_product, sigmoid, tanh
from mdao_seq.sequence.engines.compiled.loops import Loops, flat


class GRULoops(Loops):
    """Compiled time loops of the GRU."""

    cell = GRU
    has_two_bars = True

    def room(self, seq_len, batch_size, hidden_size):
        """Return room for gates and the product of n with the state (see `Loops.room`)."""
        shape = (seq_len, batch_size, hidden_size)
        return np.empty((seq_len, batch_size, 3, hidden_size)), np.empty(shape)

    def run(self, layer, drive, states, kept):
        """Fill in the states (see `Loops.run`)."""
        biases = layer.bias_ih, layer.bias_hh
        _run(drive, layer.weight_hh_t, *biases, layer.lengths, *states, kept[1])

    def jvp(self, layer, steps, d_drive, d_recurrent, d_states):
        """Fill in the changes of the states (see `Loops.jvp`)."""
        gates, recurrent_n = steps.kept
        of_point = steps.states[0], flat(gates), recurrent_n
        other = np.empty((0, 0, 0)) if d_recurrent is None else d_recurrent
        _jvp(d_drive, other, layer.weight_hh_t, layer.lengths, *of_point, *d_states)

    def vjp(self, layer, steps, hidden_bar, states_bar, bars):
        """Fill in the sensitivities to the products (see `Loops.vjp`)."""
        gates, recurrent_n = steps.kept
        of_point = steps.states[0], flat(gates), recurrent_n
        _vjp(hidden_bar, layer.weight_hh, layer.lengths, *of_point, *states_bar, *bars)


@compiled
def _run(gates, weight_hh_t, bias_ih, bias_hh, lengths, h, recurrent_n):
    """Start from the drive in `gates`."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 3
    recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(recurrent, h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                gates[t, b, :] = 0.0
                for j in range(size):
                    h[t + 1, b, j] = h[t, b, j]
                    recurrent_n[t, b, j] = 0.0
                continue
            for j in range(rows):
                recurrent[b, j] += bias_hh[j]
            for j in range(2 * size):
                gates[t, b, j] = sigmoid(gates[t, b, j] + bias_ih[j] + recurrent[b, j])
            for j in range(size):
                recurrent_n[t, b, j] = recurrent[b, 2 * size + j]
            for j in range(size):
                gates[t, b, 2 * size + j] = tanh(
                    gates[t, b, 2 * size + j]
                    + bias_ih[2 * size + j]
                    + gates[t, b, j] * recurrent[b, 2 * size + j]
                )
            for j in range(size):
                n = gates[t, b, 2 * size + j]
                h[t + 1, b, j] = n + gates[t, b, size + j] * (h[t, b, j] - n)


@compiled
def _jvp(d_drive, d_recurrent, weight_hh_t, lengths, h, gates, recurrent_n, d_h):
    seq_len, batch_size, rows = d_drive.shape
    size = rows // 3
    total = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(total, d_h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                for j in range(size):
                    d_h[t + 1, b, j] = d_h[t, b, j]
                continue
            if d_recurrent.size:
                for j in range(rows):
                    total[b, j] += d_recurrent[t, b, j]
            for j in range(2 * size):
                total[b, j] += d_drive[t, b, j]
            for j in range(size):
                r = gates[t, b, j]
                total[b, 2 * size + j] = (
                    r * total[b, 2 * size + j]
                    + d_drive[t, b, 2 * size + j]
                    + recurrent_n[t, b, j] * r * (1.0 - r) * total[b, j]
                )
            for j in range(size):
                z, n = gates[t, b, size + j], gates[t, b, 2 * size + j]
                d_h[t + 1, b, j] = (
                    z * d_h[t, b, j]
                    + (1.0 - z) * (1.0 - n * n) * total[b, 2 * size + j]
                    + (h[t, b, j] - n) * z * (1.0 - z) * total[b, size + j]
                )


@compiled
def _vjp(hidden_bar, weight_hh, lengths, h, gates, recurrent_n, h_bar, drive_bar, recurrent_bar):
    """Go back from the sensitivity to the last state, `h_bar`, which changes."""
    seq_len, batch_size, rows = drive_bar.shape
    size = rows // 3
    direct = np.empty((batch_size, size))
    for t in range(seq_len - 1, -1, -1):
        for b in range(batch_size):
            for j in range(size):
                h_bar[b, j] += hidden_bar[t, b, j]
            if t >= lengths[b]:
                drive_bar[t, b, :] = 0.0
                recurrent_bar[t, b, :] = 0.0
                for j in range(size):
                    direct[b, j] = h_bar[b, j]
                continue
            for j in range(size):
                z, n = gates[t, b, size + j], gates[t, b, 2 * size + j]
                drive_bar[t, b, 2 * size + j] = h_bar[b, j] * (1.0 - z) * (1.0 - n * n)
                drive_bar[t, b, size + j] = h_bar[b, j] * (h[t, b, j] - n) * z * (1.0 - z)
                direct[b, j] = h_bar[b, j] * z
            for j in range(size):
                r, by_n = gates[t, b, j], drive_bar[t, b, 2 * size + j]
                drive_bar[t, b, j] = by_n * recurrent_n[t, b, j] * r * (1.0 - r)
                recurrent_bar[t, b, 2 * size + j] = by_n * r
            for j in range(2 * size):
                recurrent_bar[t, b, j] = drive_bar[t, b, j]
        pull_through(h_bar, recurrent_bar, t, weight_hh, direct)
