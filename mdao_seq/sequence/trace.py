"""A network run once, ready for products with its derivatives."""

from collections.abc import Mapping

from mdao_seq.sequence.arrays import batch_first, flat, time_first, times
from mdao_seq.sequence.cells.cell import Array, Cell
from mdao_seq.sequence.layer import LayerSensitivities, LayerTrace
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.weights import layer_weights


class Trace:
    """One forward run of a network with the activations that its derivative products reuse.

    Values are in the signals' units; normalisation is part of what is differentiated. Made by
    `SequenceModel.forward`.

    Parameters
    ----------
    cell : Cell
        Cell of every layer.
    weights : mapping
        Weights by PyTorch's names. They must not change while the trace is used.
    input_normalization, output_normalization : Normalization
        Of the network's inputs and outputs.
    x : ndarray (batch_size, seq_len, input_size)
        Inputs.

    Attributes
    ----------
    outputs : ndarray (batch_size, seq_len, output_size)
        Outputs.
    made_with : tuple
        The very objects passed as weights and normalisations.
    """

    def __init__(
        self,
        cell: Cell,
        weights: Mapping[str, Array],
        input_normalization: Normalization,
        output_normalization: Normalization,
        x: Array,
    ):
        self.made_with = (weights, input_normalization, output_normalization)
        self._weights = weights
        self._input_scale = input_normalization.scale
        self._output_scale = output_normalization.scale
        self._layers: list[LayerTrace] = []
        hidden = input_normalization.apply(time_first(x))
        while f'weight_ih_l{len(self._layers)}' in weights:
            layer = LayerTrace(cell, layer_weights(weights, len(self._layers)), hidden)
            self._layers.append(layer)
            hidden = layer.hidden
        normalized = times(hidden, weights['head_weight'].T) + weights['head_bias']
        self.outputs = batch_first(output_normalization.undo(normalized))

    def jvp(self, d_x: Array) -> Array:
        """Return the change of the outputs for a change of the inputs.

        Parameters
        ----------
        d_x : ndarray (batch_size, seq_len, input_size)
            Change of the inputs, in their units.

        Returns
        -------
        ndarray (batch_size, seq_len, output_size)
            Change of the outputs, in their units.
        """
        d_hidden = time_first(d_x) / self._input_scale
        for layer in self._layers:
            d_hidden = layer.jvp(d_hidden)
        return batch_first(times(d_hidden, self._weights['head_weight'].T) * self._output_scale)

    def vjp(self, y_bar: Array) -> Array:
        """Return the sensitivity to the inputs: the transpose of `jvp`.

        Parameters
        ----------
        y_bar : ndarray (batch_size, seq_len, output_size)
            Sensitivity to the outputs, per unit of each.

        Returns
        -------
        ndarray (batch_size, seq_len, input_size)
            Sensitivity to the inputs, per unit of each.
        """
        hidden_bar = times(self._head_vjp(y_bar), self._weights['head_weight'])
        for layer in reversed(self._layers):
            hidden_bar = layer.vjp(hidden_bar).inputs()
        return batch_first(hidden_bar / self._input_scale)

    def weights_vjp(self, y_bar: Array) -> dict[str, Array]:
        """Return the sensitivity to the weights.

        Parameters
        ----------
        y_bar : ndarray (batch_size, seq_len, output_size)
            Sensitivity to the outputs, per unit of each.

        Returns
        -------
        dict of str to ndarray
            By the names and in the shapes of the weights.
        """
        normalized_bar = self._head_vjp(y_bar)
        found = {
            'head_weight': flat(normalized_bar).T @ flat(self._layers[-1].hidden),
            'head_bias': flat(normalized_bar).sum(axis=0),
        }
        hidden_bar = times(normalized_bar, self._weights['head_weight'])
        for number, layer in reversed(list(enumerate(self._layers))):
            sensitivities: LayerSensitivities = layer.vjp(hidden_bar)
            for kind, value in sensitivities.weights()._asdict().items():
                if value is not None:
                    found[f'{kind}_l{number}'] = value
            if number:
                hidden_bar = sensitivities.inputs()
        return {name: found[name] for name in self._weights}

    def _head_vjp(self, y_bar: Array) -> Array:
        return time_first(y_bar) * self._output_scale
