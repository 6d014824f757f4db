"""What training makes small: the mean squared error of the normalised outputs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.training.examples import Examples
from mdao_seq.sequence.training.parameters import ParameterVector

if TYPE_CHECKING:
    from mdao_seq.sequence.network import Network
    from mdao_seq.sequence.training.settings import Settings

# Sequences in one run that only measures a loss: enough for fast products, little memory.
_MEASURED_TOGETHER = 256


class Found(NamedTuple):
    """Loss and gradient of some sequences, or of a window of them.

    Attributes
    ----------
    squares : float
        Sum of the squared errors of the normalised outputs.
    number : int
        Errors in it.
    gradient : ndarray (parameters,)
        Of the mean of the squares, with the weight decay.
    """

    squares: float
    number: int
    gradient: Array


class Objective:
    """The loss of a network on examples, by its parameters.

    Parameters
    ----------
    model : Network
        The network, with its normalisation; its own weights are not changed.
    examples : Examples
        What it is trained on.
    settings : Settings
        Of these `window`, `weight_decay` and `clip_norm`.

    Attributes
    ----------
    parameters : ParameterVector
        The weights; they start from the model's.
    weight_decay, clip_norm : float, float or None
        As set.
    """

    def __init__(self, model: 'Network', examples: Examples, settings: 'Settings'):
        self.parameters = ParameterVector(model.weights)
        self.weight_decay = settings.weight_decay
        self.clip_norm = settings.clip_norm
        self._model = model
        self._examples = examples
        self._window = settings.window or examples.x.shape[1]

    def windows(self, sequences: Array) -> Iterator[Found]:
        """Go through the windows of some sequences, one after the other.

        The states are carried from window to window; the gradient ends at each. Between two
        windows the parameters may be changed.
        """
        state = None
        seq_len = self._examples.x.shape[1]
        for start in range(0, seq_len, self._window):
            some = self._examples.part(sequences, slice(start, start + self._window))
            trace = self._model.forward(some.x, self.parameters.by_name, state, some.lengths)
            error, count = self._error(trace.outputs, some)
            if start + self._window < seq_len:
                state = trace.final_state
            if not count:
                continue
            scale = self._model.output_normalization.scale
            by_name = trace.vjp(error * (2.0 / count) / scale).weights()
            gradient = self.parameters.flattened(by_name)
            if self.weight_decay:
                gradient += self.weight_decay * self.parameters.values
            yield Found(float(np.sum(error * error)), count, gradient)

    def loss(self, examples: Examples) -> float:
        """Return the mean squared error of the normalised outputs of other examples."""
        squares, count = 0.0, 0
        for start in range(0, len(examples.x), _MEASURED_TOGETHER):
            sequences = np.arange(start, min(start + _MEASURED_TOGETHER, len(examples.x)))
            some = examples.part(sequences, slice(None))
            outputs = self._model.forward(some.x, self.parameters.by_name, lengths=some.lengths)
            error, of_these = self._error(outputs.outputs, some)
            squares += float(np.sum(error * error))
            count += of_these
        return squares / count

    def _error(self, outputs: Array, some: Examples) -> tuple[Array, int]:
        """Return the errors of the normalised outputs, zero where they do not count."""
        error = (outputs - some.y) / self._model.output_normalization.scale
        if some.counted is None:
            return error, error.size
        error *= some.counted[..., np.newaxis]
        return error, int(some.counted.sum()) * error.shape[2]
