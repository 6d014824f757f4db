"""Time loops of the GRU: see `mdao_seq.sequence.cells.gru` for the mathematics.

Arrays over time are (seq_len, batch_size, …), that of the state one step longer; gates stand beside
one another, r, z, n. Steps from a lane's length on leave its state as it is.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq.sequence.cells.gru import GRU
from mdao_seq.sequence.engines.compiled.arithmetic import pull_through, set_product, sigmoid, tanh
from mdao_seq.sequence.engines.compiled.compiling import compiled
from mdao_seq.sequence.engines.compiled.loops import Loops


class GRULoops(Loops):
    """Compiled time loops of the GRU."""

    cell = GRU

    def run(self, layer, drive, states):
        """Fill in the states (see `Loops.run`)."""
        recurrent_n = np.empty((*drive.shape[:2], drive.shape[3]))
        biases = layer.bias_ih, layer.bias_hh
        flat = layer.flat(drive)
        _run(flat, layer.weight_hh_t, *biases, layer.lengths, *states, recurrent_n)
        return drive, recurrent_n

    def jvp(self, layer, steps, d_drive, d_recurrent, d_states):
        """Fill in the changes of the states (see `Loops.jvp`)."""
        gates, recurrent_n = steps.kept
        of_point = steps.states[0], layer.flat(gates), recurrent_n
        other = np.empty((0, 0, 0)) if d_recurrent is None else layer.flat(d_recurrent)
        flat = layer.flat(d_drive)
        _jvp(flat, other, layer.weight_hh_t, layer.lengths, *of_point, *d_states)

    def vjp(self, layer, steps, hidden_bar, states_bar):
        """Return the sensitivities to the products (see `Loops.vjp`)."""
        gates, recurrent_n = steps.kept
        of_point = steps.states[0], layer.flat(gates), recurrent_n
        drive_bar = np.empty_like(gates)
        recurrent_bar = np.empty_like(drive_bar)
        found = layer.flat(drive_bar), layer.flat(recurrent_bar)
        _vjp(hidden_bar, layer.weight_hh, layer.lengths, *of_point, *states_bar, *found)
        return drive_bar, recurrent_bar


@compiled
def _run(gates, weight_hh_t, bias_ih, bias_hh, lengths, h, recurrent_n):
    """Start from the drive in `gates`."""
    seq_len, batch_size, rows = gates.shape
    size = rows // 3
    recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(recurrent, h[t], weight_hh_t)
        for b in range(batch_size):
            h0, h1, gate, kept = h[t, b], h[t + 1, b], gates[t, b], recurrent_n[t, b]
            product = recurrent[b]
            if t >= lengths[b]:
                h1[:], gate[:], kept[:] = h0, 0.0, 0.0
                continue
            for j in range(2 * size):
                gate[j] = sigmoid(gate[j] + bias_ih[j] + product[j] + bias_hh[j])
            for j in range(size):
                k = 2 * size + j
                kept[j] = product[k] + bias_hh[k]
                gate[k] = tanh(gate[k] + bias_ih[k] + gate[j] * kept[j])
                h1[j] = gate[k] + gate[size + j] * (h0[j] - gate[k])


@compiled
def _jvp(d_drive, d_recurrent, weight_hh_t, lengths, h, gates, recurrent_n, d_h):
    seq_len, batch_size, rows = d_drive.shape
    size = rows // 3
    recurrent = np.empty((batch_size, rows))
    for t in range(seq_len):
        set_product(recurrent, d_h[t], weight_hh_t)
        for b in range(batch_size):
            d_h0, d_h1, h0, gate = d_h[t, b], d_h[t + 1, b], h[t, b], gates[t, b]
            kept, product, driven = recurrent_n[t, b], recurrent[b], d_drive[t, b]
            if t >= lengths[b]:
                d_h1[:] = d_h0
                continue
            if d_recurrent.size:
                for j in range(rows):
                    product[j] += d_recurrent[t, b, j]
            for j in range(size):
                r, z, n = gate[j], gate[size + j], gate[2 * size + j]
                by_n = (1.0 - z) * (1.0 - n * n)
                d_r = driven[j] + product[j]
                d_z = driven[size + j] + product[size + j]
                d_n = driven[2 * size + j] + r * product[2 * size + j]
                d_h1[j] = (
                    z * d_h0[j]
                    + by_n * (d_n + kept[j] * r * (1.0 - r) * d_r)
                    + (h0[j] - n) * z * (1.0 - z) * d_z
                )


@compiled
def _vjp(hidden_bar, weight_hh, lengths, h, gates, recurrent_n, h_bar, drive_bar, recurrent_bar):
    """Go back from the sensitivity to the last state, `h_bar`, which changes."""
    seq_len, batch_size, rows = drive_bar.shape
    size = rows // 3
    direct = np.empty((batch_size, size))
    for t in range(seq_len - 1, -1, -1):
        for b in range(batch_size):
            h0, gate, kept = h[t, b], gates[t, b], recurrent_n[t, b]
            h1_bar, now, past = h_bar[b], hidden_bar[t, b], direct[b]
            driven, product = drive_bar[t, b], recurrent_bar[t, b]
            if t >= lengths[b]:
                past[:] = h1_bar + now
                driven[:] = 0.0
                product[:] = 0.0
                continue
            for j in range(size):
                r, z, n = gate[j], gate[size + j], gate[2 * size + j]
                by_h = h1_bar[j] + now[j]
                by_n = by_h * (1.0 - z) * (1.0 - n * n)
                by_r = by_n * kept[j] * r * (1.0 - r)
                by_z = by_h * (h0[j] - n) * z * (1.0 - z)
                driven[j], driven[size + j], driven[2 * size + j] = by_r, by_z, by_n
                product[j], product[size + j], product[2 * size + j] = by_r, by_z, by_n * r
                past[j] = by_h * z
        pull_through(h_bar, recurrent_bar[t], weight_hh, direct)
