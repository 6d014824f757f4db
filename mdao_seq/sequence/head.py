"""The linear head: what the outputs are of the last layer's states, and of the inputs."""

from collections.abc import Mapping

from mdao_seq.sequence.arrays import flat, times
from mdao_seq.sequence.cells.cell import Array


class HeadTrace:
    """``y_t = W h_t + b``, and ``+ V x_t`` with a feed-through, for all time steps.

    Arrays are time-major and normalised.

    Parameters
    ----------
    weights : mapping
        ``head_weight`` (output_size, hidden_size), ``head_bias`` (output_size,), and
        ``head_feedthrough`` (output_size, input_size) if there is one.
    hidden : ndarray (seq_len, batch_size, hidden_size)
        States h of the last layer.
    inputs : ndarray (seq_len, batch_size, input_size)
        Inputs of the network.

    Attributes
    ----------
    weight, feedthrough : ndarray
        ``head_weight``, and ``head_feedthrough`` or None.
    outputs : ndarray (seq_len, batch_size, output_size)
        Outputs.
    """

    def __init__(self, weights: Mapping[str, Array], hidden: Array, inputs: Array):
        self.weight = weights['head_weight']
        self.feedthrough = weights.get('head_feedthrough')
        self._hidden = hidden
        self._fed = inputs
        self.outputs = times(hidden, self.weight.T) + weights['head_bias']
        if self.feedthrough is not None:
            self.outputs += times(inputs, self.feedthrough.T)

    def jvp(
        self, d_hidden: Array, d_inputs: Array, d_weights: Mapping[str, Array] | None = None
    ) -> Array:
        """Return the change of the outputs, (seq_len, batch_size, output_size)."""
        d_outputs = times(d_hidden, self.weight.T)
        if self.feedthrough is not None:
            d_outputs = d_outputs + times(d_inputs, self.feedthrough.T)
        if d_weights is not None:
            d_outputs = d_outputs + times(self._hidden, d_weights['head_weight'].T)
            d_outputs += d_weights['head_bias']
            if self.feedthrough is not None:
                d_outputs += times(self._fed, d_weights['head_feedthrough'].T)
        return d_outputs

    def hidden(self, outputs_bar: Array) -> Array:
        """Return the sensitivities to the states, (seq_len, batch_size, hidden_size)."""
        return times(outputs_bar, self.weight)

    def weights(self, outputs_bar: Array) -> dict[str, Array]:
        """Return the sensitivities to the head's weights, by name."""
        bar = flat(outputs_bar)
        found = {'head_weight': bar.T @ flat(self._hidden), 'head_bias': bar.sum(axis=0)}
        if self.feedthrough is not None:
            found['head_feedthrough'] = bar.T @ flat(self._fed)
        return found
