"""Time loops of the Elman cell: see `mdao_seq.sequence.cells.elman` for the mathematics.

Arrays over time are (seq_len, batch_size, hidden_size), that of the state one step longer. Steps
from a lane's length on leave its state as it is.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import numpy as np

from mdao_seq._compiling import compiled
from mdao_seq.sequence.cells.elman import Elman
from mdao_seq.sequence.engines.compiled.arithmetic import pull_through, set_product, tanh
from mdao_seq.sequence.engines.compiled.loops import Loops


class ElmanLoops(Loops):
    """Compiled time loops of the Elman cell."""

    cell = Elman
    keeps_drive = False

    def room(self, seq_len, batch_size, hidden_size):
        """Return nothing: the state tells all (see `Loops.room`)."""
        return ()

    def run(self, layer, drive, states, kept):
        """Fill in the states (see `Loops.run`)."""
        bias = layer.bias_ih + layer.bias_hh
        _run(drive, layer.weight_hh_t, bias, layer.lengths, _is_relu(layer), *states)

    def jvp(self, layer, steps, d_drive, d_recurrent, d_states):
        """Fill in the changes of the states (see `Loops.jvp`)."""
        if d_recurrent is not None:
            d_drive += d_recurrent
        of_point = _is_relu(layer), steps.states[0]
        _jvp(d_drive, layer.weight_hh_t, layer.lengths, *of_point, *d_states)

    def vjp(self, layer, steps, hidden_bar, states_bar, bars):
        """Fill in the sensitivities to the products (see `Loops.vjp`)."""
        of_point = _is_relu(layer), steps.states[0]
        _vjp(hidden_bar, layer.weight_hh, layer.lengths, *of_point, *states_bar, *bars)


def _is_relu(layer):
    return layer.cell.nonlinearity == 'relu'


@compiled
def _run(drive, weight_hh_t, bias, lengths, is_relu, h):
    seq_len, batch_size, size = drive.shape
    recurrent = np.empty((batch_size, size))
    for t in range(seq_len):
        set_product(recurrent, h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                for j in range(size):
                    h[t + 1, b, j] = h[t, b, j]
            elif is_relu:
                for j in range(size):
                    h[t + 1, b, j] = max(drive[t, b, j] + recurrent[b, j] + bias[j], 0.0)
            else:
                for j in range(size):
                    h[t + 1, b, j] = tanh(drive[t, b, j] + recurrent[b, j] + bias[j])


@compiled
def _jvp(d_drive, weight_hh_t, lengths, is_relu, h, d_h):
    seq_len, batch_size, size = d_drive.shape
    total = np.empty((batch_size, size))
    for t in range(seq_len):
        set_product(total, d_h, t, weight_hh_t)
        for b in range(batch_size):
            if t >= lengths[b]:
                for j in range(size):
                    d_h[t + 1, b, j] = d_h[t, b, j]
                continue
            for j in range(size):
                total[b, j] += d_drive[t, b, j]
            if is_relu:
                for j in range(size):
                    d_h[t + 1, b, j] = total[b, j] if h[t + 1, b, j] > 0.0 else 0.0
            else:
                for j in range(size):
                    d_h[t + 1, b, j] = total[b, j] * (1.0 - h[t + 1, b, j] * h[t + 1, b, j])


@compiled
def _vjp(hidden_bar, weight_hh, lengths, is_relu, h, h_bar, total_bar):
    """Go back from the sensitivity to the last state, `h_bar`, which changes."""
    seq_len, batch_size, size = total_bar.shape
    direct = np.zeros((batch_size, size))
    for t in range(seq_len - 1, -1, -1):
        for b in range(batch_size):
            for j in range(size):
                h_bar[b, j] += hidden_bar[t, b, j]
            if t >= lengths[b]:
                for j in range(size):
                    direct[b, j] = h_bar[b, j]
                    total_bar[t, b, j] = 0.0
                continue
            for j in range(size):
                direct[b, j] = 0.0
            if is_relu:
                for j in range(size):
                    total_bar[t, b, j] = h_bar[b, j] if h[t + 1, b, j] > 0.0 else 0.0
            else:
                for j in range(size):
                    total_bar[t, b, j] = h_bar[b, j] * (1.0 - h[t + 1, b, j] * h[t + 1, b, j])
        pull_through(h_bar, total_bar, t, weight_hh, direct)
