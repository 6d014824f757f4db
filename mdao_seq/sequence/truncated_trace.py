"""A run whose derivatives look a given number of time steps back, and no further.

The derivative of the outputs at step t by the inputs is kept for the steps from t - num_steps + 1
to t: the band of the whole Jacobian. One sweep cannot give it, since what is to be forgotten
differs from step to step. So num_steps copies of the change of the states go forward together, each
of which forgets all before a step of its own, and again num_steps later: at every step there is one
that remembers just enough. Products cost num_steps times as much as exact ones.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mdao_seq.sequence.arrays import over_time
from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.layer import InputSensitivities, LayerSensitivities
from mdao_seq.sequence.linear_steps import LinearSteps
from mdao_seq.sequence.trace import Trace
from mdao_seq.sequence.weights import layer_weights


class TruncatedTrace(Trace):
    """A run with truncated derivatives (Williams and Peng, Neural Computation 2, 1990).

    The states before step t - num_steps + 1 are constants in the derivatives of the outputs at step
    t, and so are initial states for all but the first ``num_steps - 1`` steps. The final state
    counts as what leaves the last time step of its sequence.

    Parameters
    ----------
    *arguments
        Of `Trace`.
    num_steps : int
        Time steps that the derivatives look back, at least 1.
    """

    def __init__(self, *arguments: Any, num_steps: int):
        super().__init__(*arguments)
        self.num_steps = num_steps

    def _push(
        self, d_inputs: Array, d_state: Arrays | None, d_weights: Mapping[str, Array] | None
    ) -> tuple[Array, list[Arrays]]:
        steps = LinearSteps.of(self.layers)
        added = None
        if d_weights is not None:
            added = [
                layer.product_changes(layer_weights(d_weights, number))
                for number, layer in enumerate(self.layers)
            ]
        dtype = np.result_type(d_inputs, *(d_state or ()))
        given = (0.0,) * steps.num_states if d_state is None else d_state
        shape = (self.num_steps, steps.num_layers, steps.batch_size, steps.hidden_size)
        # Copy c forgets at steps c, c + num_steps, …
        copies = [np.zeros(shape, dtype) + state for state in given]
        d_hidden = np.empty((steps.seq_len, steps.batch_size, steps.hidden_size), dtype)
        d_final = [np.empty(shape[1:], dtype) for _ in given]
        for t in range(steps.seq_len):
            for each in copies:
                each[t % self.num_steps] = 0.0
            before = [tuple(each[:, layer] for each in copies) for layer in range(steps.num_layers)]
            for layer, after in enumerate(steps.push(t, d_inputs[t], before, added)):
                for each, new in zip(copies, after, strict=True):
                    each[:, layer] = new
            oldest = (t + 1) % self.num_steps
            d_hidden[t] = copies[0][oldest, -1]
            ending = self._ending(t, steps.seq_len)
            for final, each in zip(d_final, copies, strict=True):
                final[:, ending] = each[oldest][:, ending]
        return d_hidden, [tuple(each[n] for each in d_final) for n in range(steps.num_layers)]

    def _pull(
        self, hidden_bar: Array, final_bar: Arrays | None, with_weights: bool
    ) -> list[LayerSensitivities | InputSensitivities]:
        steps = LinearSteps.of(self.layers)
        dtype = np.result_type(hidden_bar, *(final_bar or ()))
        shape = (self.num_steps, steps.num_layers, steps.batch_size, steps.hidden_size)
        copies = [np.zeros(shape, dtype) for _ in range(steps.num_states)]
        drives: list[list[Array]] = [[] for _ in self.layers]
        recurrents: list[list[Array]] = [[] for _ in self.layers]
        for t in reversed(range(steps.seq_len)):
            oldest = (t + 1) % self.num_steps
            copies[0][oldest, -1] += hidden_bar[t]
            if final_bar is not None:
                ending = self._ending(t, steps.seq_len)
                for each, bar in zip(copies, final_bar, strict=True):
                    each[oldest][:, ending] += bar[:, ending]
            after = [tuple(each[:, layer] for each in copies) for layer in range(steps.num_layers)]
            pulled = steps.pull(t, after)
            for layer, states in enumerate(pulled.states):
                drives[layer].append(pulled.drives[layer].sum(axis=0))
                recurrents[layer].append(pulled.recurrents[layer].sum(axis=0))
                for each, new in zip(copies, states, strict=True):
                    each[:, layer] = new
            for each in copies:
                each[t % self.num_steps] = 0.0
        initial = [each.sum(axis=0) for each in copies]
        return [
            layer.sensitivities(
                over_time(drives[n][::-1]),
                over_time(recurrents[n][::-1]),
                tuple(each[n] for each in initial),
            )
            for n, layer in enumerate(self.layers)
        ]

    def _ending(self, t: int, seq_len: int) -> Array:
        """Return which sequences, (batch_size,), have their last step at `t`."""
        if self.lengths is None:
            return np.full(self.outputs.shape[0], t == seq_len - 1)
        return self.lengths == t + 1
