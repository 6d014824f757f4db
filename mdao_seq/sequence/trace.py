"""A network run once, ready for products with its derivatives."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mdao_seq.sequence.arrays import batch_first, flat, time_first, times
from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.engine import Engine
from mdao_seq.sequence.layer import LayerSensitivities, LayerTrace
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.threads import one_blas_thread
from mdao_seq.sequence.weights import layer_weights


class Change(NamedTuple):
    """Changes of what a network gives.

    Attributes
    ----------
    outputs : ndarray (batch_size, seq_len, output_size)
        In their units.
    final_state : tuple of ndarray (num_layers, batch_size, hidden_size)
        Of the states after the last time step.
    """

    outputs: Array
    final_state: Arrays


class Trace:
    """One forward run of a network with the activations that its derivative products reuse.

    Values are in the signals' units; normalisation is part of what is differentiated. Made by
    `SequenceModel.forward`.

    Parameters
    ----------
    engine : Engine
        Takes the layers from step to step.
    cell : Cell
        Cell of every layer.
    weights : mapping
        Weights by PyTorch's names. They must not change while the trace is used.
    input_normalization, output_normalization : Normalization
        Of the network's inputs and outputs.
    x : ndarray (batch_size, seq_len, input_size)
        Inputs.
    state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
        States before the first time step. None: zeros.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each sequence: the later ones give zeros, and nothing depends on their inputs.
        None: all have `seq_len`.

    Attributes
    ----------
    outputs : ndarray (batch_size, seq_len, output_size)
        Outputs.
    made_with : tuple
        The very objects passed as weights and normalisations.
    """

    @one_blas_thread()
    def __init__(
        self,
        engine: Engine,
        cell: Cell,
        weights: Mapping[str, Array],
        input_normalization: Normalization,
        output_normalization: Normalization,
        x: Array,
        state: Arrays | None = None,
        lengths: Array | None = None,
    ):
        self.made_with = (weights, input_normalization, output_normalization)
        self._weights = weights
        self._input_scale = input_normalization.scale
        self._output_scale = output_normalization.scale
        # (batch_size, seq_len, 1); None: all are.
        self._counts = None
        if lengths is not None:
            self._counts = (np.arange(x.shape[1]) < lengths[:, np.newaxis])[..., np.newaxis]
        self._layers: list[LayerTrace] = []
        hidden = input_normalization.apply(time_first(x))
        while f'weight_ih_l{len(self._layers)}' in weights:
            number = len(self._layers)
            initial = None if state is None else tuple(each[number] for each in state)
            matrices = layer_weights(weights, number)
            layer = LayerTrace(engine, cell, matrices, hidden, initial, lengths)
            self._layers.append(layer)
            hidden = layer.hidden
        normalized = times(hidden, weights['head_weight'].T) + weights['head_bias']
        self.outputs = self._counted(batch_first(output_normalization.undo(normalized)))

    @property
    def final_state(self) -> Arrays:
        """States after the last time step: h, and c of an LSTM.

        A tuple of ndarray (num_layers, batch_size, hidden_size).
        """
        return _by_state([layer.final for layer in self._layers])

    @one_blas_thread()
    def jvp(self, d_x: Array, d_state: Arrays | None = None) -> Change:
        """Return the change of the outputs and of the final state.

        Parameters
        ----------
        d_x : ndarray (batch_size, seq_len, input_size)
            Change of the inputs, in their units.
        d_state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            Change of the states before the first time step. None: zeros.

        Returns
        -------
        Change
            Of the outputs, in their units, and of the final state.
        """
        d_hidden = time_first(d_x) / self._input_scale
        finals = []
        for number, layer in enumerate(self._layers):
            initial = None if d_state is None else tuple(each[number] for each in d_state)
            d_hidden, d_final = layer.jvp(d_hidden, initial)
            finals.append(d_final)
        d_outputs = times(d_hidden, self._weights['head_weight'].T) * self._output_scale
        return Change(self._counted(batch_first(d_outputs)), _by_state(finals))

    @one_blas_thread()
    def vjp(self, y_bar: Array, final_bar: Arrays | None = None) -> 'Sensitivities':
        """Sweep back through the network: the transpose of `jvp`.

        Parameters
        ----------
        y_bar : ndarray (batch_size, seq_len, output_size)
            Sensitivity to the outputs, per unit of each.
        final_bar : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            Sensitivity to the final state. None: zeros.

        Returns
        -------
        Sensitivities
            To the inputs, the states before the first time step and the weights.
        """
        normalized_bar = time_first(self._counted(y_bar)) * self._output_scale
        hidden_bar = times(normalized_bar, self._weights['head_weight'])
        found: list[LayerSensitivities] = []
        for number, layer in reversed(list(enumerate(self._layers))):
            final = None if final_bar is None else tuple(each[number] for each in final_bar)
            found.append(layer.vjp(hidden_bar, final))
            if number:
                hidden_bar = found[-1].inputs()
        head_bar = flat(normalized_bar), flat(self._layers[-1].hidden)
        return Sensitivities(self._weights, self._input_scale, found[::-1], head_bar)

    def _counted(self, values: Array) -> Array:
        """Return (batch_size, seq_len, size) with zeros where a sequence has ended."""
        return values if self._counts is None else np.where(self._counts, values, 0.0)


class Sensitivities:
    """What one sweep back through a network found.

    Parameters
    ----------
    weights : mapping
        Weights of the network.
    input_scale : ndarray (input_size,)
        Of the normalisation.
    layers : list of LayerSensitivities
        Of each layer.
    head : (ndarray (steps, output_size), ndarray (steps, hidden_size))
        Sensitivities to the normalised outputs, and the hidden states that they come from.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        input_scale: Array,
        layers: list[LayerSensitivities],
        head: tuple[Array, Array],
    ):
        self._weights = weights
        self._input_scale = input_scale
        self._layers = layers
        self._head = head

    @one_blas_thread()
    def inputs(self) -> Array:
        """Return those to the inputs, (batch_size, seq_len, input_size), per unit of each."""
        return batch_first(self._layers[0].inputs() / self._input_scale)

    def initial_state(self) -> Arrays:
        """Return those to the states before the first step, as these are."""
        return _by_state([layer.initial for layer in self._layers])

    @one_blas_thread()
    def weights(self) -> dict[str, Array]:
        """Return those to the weights, by their names and in their shapes."""
        normalized_bar, hidden = self._head
        found = {'head_weight': normalized_bar.T @ hidden, 'head_bias': normalized_bar.sum(axis=0)}
        for number, layer in enumerate(self._layers):
            for kind, value in layer.weights()._asdict().items():
                if value is not None:
                    found[f'{kind}_l{number}'] = value
        return {name: found[name] for name in self._weights}


def _by_state(layers: list[Arrays]) -> Arrays:
    """Return each kind of state with the layers along its first axis."""
    return tuple(np.stack(each) for each in zip(*layers, strict=True))
