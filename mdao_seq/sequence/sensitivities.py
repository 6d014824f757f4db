"""What one sweep back through a network finds."""

from collections.abc import Mapping

import numpy as np

from mdao_seq.sequence.arrays import batch_first
from mdao_seq.sequence.cells.cell import Array, Arrays
from mdao_seq.sequence.head import HeadTrace
from mdao_seq.sequence.layer import InputSensitivities, LayerSensitivities
from mdao_seq.sequence.threads import one_blas_thread
from mdao_seq.sequence.weights import INITIAL_STATES


class Sensitivities:
    """Sensitivities that a sweep back through a network found, taken as they are asked for.

    Parameters
    ----------
    weights : mapping
        Weights of the network, by name.
    input_scale : ndarray (input_size,)
        Of the normalisation.
    layers : list of LayerSensitivities or InputSensitivities
        Of each layer.
    head : HeadTrace
        The head.
    outputs_bar : ndarray (seq_len, batch_size, output_size)
        Sensitivities to the normalised outputs.
    learned : bool
        Whether the run started from the learned initial states.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        input_scale: Array,
        layers: list[LayerSensitivities | InputSensitivities],
        head: HeadTrace,
        outputs_bar: Array,
        learned: bool,
    ):
        self._weights = weights
        self._input_scale = input_scale
        self._layers = layers
        self._head = head
        self._outputs_bar = outputs_bar
        self._learned = learned

    @one_blas_thread()
    def inputs(self) -> Array:
        """Return those to the inputs, (batch_size, seq_len, input_size), per unit of each."""
        found = self._layers[0].inputs()
        if self._head.feedthrough is not None:
            found = found + self._outputs_bar @ self._head.feedthrough
        return batch_first(found / self._input_scale)

    def initial_state(self) -> Arrays:
        """Return those to the states before the first step, as these are."""
        return by_state([layer.initial for layer in self._layers])

    @one_blas_thread()
    def weights(self) -> dict[str, Array]:
        """Return those to the weights, by their names and in their shapes.

        Those to the learned initial states are zero where others were given.

        Raises
        ------
        RuntimeError
            If they were not asked for.
        """
        found = self._head.weights(self._outputs_bar)
        for number, layer in enumerate(self._layers):
            for kind, value in layer.weights()._asdict().items():
                if value is not None:
                    found[f'{kind}_l{number}'] = value
        for name, bar in zip(INITIAL_STATES, self.initial_state(), strict=False):
            found[name] = bar.sum(axis=1) if self._learned else np.zeros_like(bar[:, 0])
        return {name: found[name] for name in self._weights}


def by_state(layers: list[Arrays]) -> Arrays:
    """Return each kind of state with the layers along its first axis."""
    return tuple(np.stack(each) for each in zip(*layers, strict=True))
