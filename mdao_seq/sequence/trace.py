"""A network run once, ready for products with its derivatives."""

from collections.abc import Mapping

import numpy as np

from mdao_seq.sequence.arrays import batch_first, time_first
from mdao_seq.sequence.cells.cell import Array, Arrays, Cell
from mdao_seq.sequence.engines.engine import Engine
from mdao_seq.sequence.head import HeadTrace
from mdao_seq.sequence.jacobian.causal import Key, causal_jacobian
from mdao_seq.sequence.jacobian.causality import Causality
from mdao_seq.sequence.layer import InputSensitivities, LayerSensitivities, LayerTrace
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.sensitivities import Sensitivities, by_state
from mdao_seq.sequence.threads import one_blas_thread
from mdao_seq.sequence.weights import INITIAL_STATES, layer_weights, learned_state


class Change:
    """Changes of what a network gives.

    Parameters
    ----------
    outputs : ndarray (batch_size, seq_len, output_size)
        In their units.
    finals : list of tuple of ndarray (batch_size, hidden_size)
        Of the states of each layer after the last time step.
    """

    def __init__(self, outputs: Array, finals: list[Arrays]):
        self.outputs = outputs
        self.finals = finals

    @property
    def final_state(self) -> Arrays:
        """Those of the final state, as this is."""
        return by_state(self.finals)


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
        States before the first time step. None: the learned ones, or zeros.
    lengths : ndarray of int (batch_size,) or None
        Time steps of each sequence: the later ones give zeros, and nothing depends on their inputs.
        None: all have `seq_len`.

    Attributes
    ----------
    outputs : ndarray (batch_size, seq_len, output_size)
        Outputs.
    made_with : tuple
        The very objects passed as weights and normalisations.
    weights, lengths : mapping, ndarray or None
        As passed.
    input_scale, output_scale : ndarray (input_size,), (output_size,)
        Of the normalisations.
    layers : list of LayerTrace
        The layers, the first of them first.
    head : HeadTrace
        The head.
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
        self.weights = weights
        self.lengths = lengths
        self.input_scale = input_normalization.scale
        self.output_scale = output_normalization.scale
        # (batch_size, seq_len, 1); None: all are.
        self._counts = None
        if lengths is not None:
            self._counts = (np.arange(x.shape[1]) < lengths[:, np.newaxis])[..., np.newaxis]
        self._starts_learned = state is None and INITIAL_STATES[0] in weights
        if self._starts_learned:
            state = learned_state(weights, len(x))
        self.layers: list[LayerTrace] = []
        normalized = input_normalization.apply(time_first(x))
        hidden = normalized
        while f'weight_ih_l{len(self.layers)}' in weights:
            number = len(self.layers)
            matrices = layer_weights(weights, number)
            layer = LayerTrace(engine, cell, matrices, hidden, _of_layer(state, number), lengths)
            self.layers.append(layer)
            hidden = layer.hidden
        self.head = HeadTrace(weights, hidden, normalized)
        self.outputs = self._counted(batch_first(output_normalization.undo(self.head.outputs)))

    @property
    def final_state(self) -> Arrays:
        """States after the last time step: h, and c of an LSTM.

        A tuple of ndarray (num_layers, batch_size, hidden_size).
        """
        return by_state([layer.final for layer in self.layers])

    @one_blas_thread()
    def jvp(
        self,
        d_x: Array,
        d_state: Arrays | None = None,
        d_weights: Mapping[str, Array] | None = None,
    ) -> Change:
        """Return the change of the outputs and of the final state.

        Parameters
        ----------
        d_x : ndarray (batch_size, seq_len, input_size)
            Change of the inputs, in their units.
        d_state : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            Change of the states before the first time step. None: zeros.
        d_weights : mapping or None
            Change of all weights, by name. None: zeros.

        Returns
        -------
        Change
            Of the outputs, in their units, and of the final state.
        """
        d_inputs = time_first(d_x) / self.input_scale
        if d_weights is not None and self._starts_learned:
            d_state = learned_state(d_weights, len(d_x))
        d_hidden, finals = self._push(d_inputs, d_state, d_weights)
        d_outputs = self.head.jvp(d_hidden, d_inputs, d_weights) * self.output_scale
        return Change(self._counted(batch_first(d_outputs)), finals)

    @one_blas_thread()
    def vjp(
        self, y_bar: Array, final_bar: Arrays | None = None, with_weights: bool = True
    ) -> Sensitivities:
        """Sweep back through the network: the transpose of `jvp`.

        Parameters
        ----------
        y_bar : ndarray (batch_size, seq_len, output_size)
            Sensitivity to the outputs, per unit of each.
        final_bar : tuple of ndarray (num_layers, batch_size, hidden_size) or None
            Sensitivity to the final state. None: zeros.
        with_weights : bool
            Whether those to the weights are wanted; without them it is faster.

        Returns
        -------
        Sensitivities
            To the inputs, the states before the first time step and the weights.
        """
        outputs_bar = time_first(self._counted(y_bar)) * self.output_scale
        found = self._pull(self.head.hidden(outputs_bar), final_bar, with_weights)
        return Sensitivities(
            self.weights, self.input_scale, found, self.head, outputs_bar, self._starts_learned
        )

    def jacobian(
        self, causality: Causality, num_static: int = 0, with_final: bool = False
    ) -> dict[Key, Array]:
        """Return all derivatives that can be other than zero; see `causal_jacobian`."""
        return causal_jacobian(self, causality, num_static, with_final)

    def _push(
        self, d_inputs: Array, d_state: Arrays | None, d_weights: Mapping[str, Array] | None
    ) -> tuple[Array, list[Arrays]]:
        """Return the changes of h of the last layer, over time, and of each layer's last states."""
        d_hidden = d_inputs
        finals = []
        for number, layer in enumerate(self.layers):
            by_weights = None if d_weights is None else layer_weights(d_weights, number)
            d_hidden, d_final = layer.jvp(d_hidden, _of_layer(d_state, number), by_weights)
            finals.append(d_final)
        return d_hidden, finals

    def _pull(
        self, hidden_bar: Array, final_bar: Arrays | None, with_weights: bool
    ) -> list[LayerSensitivities | InputSensitivities]:
        """Return what a sweep back finds in each layer."""
        found: list[LayerSensitivities | InputSensitivities] = []
        for number, layer in reversed(list(enumerate(self.layers))):
            sweep = layer.vjp if with_weights else layer.inputs_vjp
            found.append(sweep(hidden_bar, _of_layer(final_bar, number)))
            if number:
                hidden_bar = found[-1].inputs()
        return found[::-1]

    def _counted(self, values: Array) -> Array:
        """Return (batch_size, seq_len, size) with zeros where a sequence has ended."""
        return values if self._counts is None else np.where(self._counts, values, 0.0)


def _of_layer(state: Arrays | None, number: int) -> Arrays | None:
    return None if state is None else tuple(each[number] for each in state)
