"""Training of a network on sequences."""

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from mdao_seq.sequence.adam import Adam
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import InputError, TrainingDiverged
from mdao_seq.sequence.input_range import InputRange
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.parameters import ParameterVector

if TYPE_CHECKING:
    from mdao_seq.sequence.model import SequenceModel

# After this fraction of the patience without a better loss, the learning rate is halved.
_PLATEAU = 0.4
# Sequences in one run that only measures a loss: enough for fast products, little memory.
_MEASURED_TOGETHER = 256


@dataclass
class History:
    """What happened in training.

    Attributes
    ----------
    train_loss : list of float
        Mean squared error of the normalised outputs in each epoch, averaged over its steps.
    validation_loss : list of float
        The same over the validation sequences after each epoch; without any, `train_loss`.
    best_epoch : int
        Epoch, counted from 0, whose weights were kept: the least `validation_loss`. -1: none was
        finished.
    stopped : {'epochs', 'patience', 'interrupted'}
        Why training stopped.
    """

    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    best_epoch: int = -1
    stopped: str = 'epochs'


def train(
    model: 'SequenceModel',
    x: Array,
    y: Array,
    *,
    validation_fraction: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int,
    clip_norm: float | None,
    seed: int,
    progress: bool | None,
) -> History:
    """Train `model`; see `SequenceModel.fit`.

    Parameters
    ----------
    model : SequenceModel
        Its weights, and a normalisation that changes nothing yet, are replaced.
    x : ndarray (batch_size, seq_len, input_size)
        Inputs.
    y : ndarray (batch_size, seq_len, output_size)
        Outputs.
    validation_fraction, epochs, batch_size, learning_rate, patience, clip_norm, seed, progress
        As for `SequenceModel.fit`.

    Returns
    -------
    History
        Losses of each epoch.
    """
    _check_settings(validation_fraction, epochs, batch_size, learning_rate, patience, clip_norm)
    if np.iscomplexobj(x) or np.iscomplexobj(y):
        raise InputError('training takes real values; inputs or outputs are complex')
    if x.shape[:2] != y.shape[:2]:
        raise InputError(
            f'inputs are (batch_size, seq_len) = {x.shape[:2]}, but outputs are {y.shape[:2]}'
        )
    rng = np.random.default_rng(seed)
    training, validation = _split(rng, x.shape[0], validation_fraction)
    if model.input_normalization.is_identity and model.output_normalization.is_identity:
        model.input_normalization = Normalization.of(x[training])
        model.output_normalization = Normalization.of(y[training])
    model.input_range = InputRange.of(x[training]).joined(model.input_range)

    run = _Run(model, learning_rate, clip_norm)
    epochs_left = tqdm(range(epochs), disable=_disable(progress), unit='epoch', leave=False)
    try:
        for epoch in epochs_left:
            order = rng.permutation(training)
            batches = np.array_split(order, math.ceil(order.size / batch_size))
            train_loss = run.train_on([(x[batch], y[batch]) for batch in batches])
            validation_loss = run.measure(x[validation], y[validation], train_loss)
            epochs_left.set_postfix_str(f'loss {train_loss:.2e}, validation {validation_loss:.2e}')
            if epoch - run.history.best_epoch >= patience:
                run.history.stopped = 'patience'
                break
            if epoch - run.last_change >= _PLATEAU * patience:
                run.halve_rate()
    except KeyboardInterrupt:
        run.history.stopped = 'interrupted'
    finally:
        epochs_left.close()
        model.weights = run.best_weights()
    return run.history


class _Run:
    """A training run: the weights now, the best so far, and what happened."""

    def __init__(self, model: 'SequenceModel', learning_rate: float, clip_norm: float | None):
        self.history = History()
        # Epoch of the last better loss or change of the learning rate.
        self.last_change = 0
        self._model = model
        self._rate = learning_rate
        self._clip_norm = clip_norm
        self._parameters = ParameterVector(model.weights)
        self._best = self._parameters.values.copy()
        self._least = math.inf
        self._adam = Adam(self._best.size)

    def train_on(self, batches: list[tuple[Array, Array]]) -> float:
        """Make a step on each batch; return the mean loss over all sequences."""
        total = 0.0
        for x, y in batches:
            loss, gradient = _loss_and_gradient(self._model, self._parameters, x, y)
            self._check_finite(loss)
            step = self._adam.step(_clipped(gradient, self._clip_norm), self._rate)
            self._parameters.values += step
            total += loss * len(x)
        return total / sum(len(x) for x, _ in batches)

    def measure(self, x: Array, y: Array, train_loss: float) -> float:
        """Close an epoch; return its loss on what was held back, or `train_loss` without any."""
        loss = _loss(self._model, self._parameters, x, y) if len(x) else train_loss
        self._check_finite(loss)
        self.history.train_loss.append(train_loss)
        self.history.validation_loss.append(loss)
        if loss < self._least:
            self._least = loss
            self._best[:] = self._parameters.values
            self.history.best_epoch = self.last_change = len(self.history.train_loss) - 1
        return loss

    def halve_rate(self) -> None:
        self._rate *= 0.5
        self.last_change = len(self.history.train_loss) - 1

    def best_weights(self) -> dict[str, Array]:
        self._parameters.values[:] = self._best
        return self._parameters.by_name

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f'the loss is {loss} in epoch {len(self.history.train_loss)} at a learning rate of '
                f'{self._rate}; try a smaller learning_rate or a clip_norm'
            )


def _check_settings(
    validation_fraction: float,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int,
    clip_norm: float | None,
) -> None:
    if not 0.0 <= validation_fraction < 1.0:
        raise ValueError(f'validation_fraction = {validation_fraction}: must be in [0, 1)')
    for name, value in (('epochs', epochs), ('batch_size', batch_size), ('patience', patience)):
        if not isinstance(value, Integral) or value < 1:
            raise ValueError(f'{name} = {value!r}: must be an integer of at least 1')
    for name, positive in (('learning_rate', learning_rate), ('clip_norm', clip_norm)):
        if positive is not None and not positive > 0.0:
            raise ValueError(f'{name} = {positive}: must be positive')


def _split(rng: np.random.Generator, count: int, fraction: float) -> tuple[Array, Array]:
    """Return the numbers of the sequences to train on and of those to validate on."""
    order = rng.permutation(count)
    held_back = max(1, round(fraction * count)) if fraction else 0
    if held_back >= count:
        raise InputError(
            f'validation_fraction = {fraction} of {count} sequence(s) leaves none to train on; '
            'pass more sequences, or validation_fraction=0'
        )
    return order[held_back:], order[:held_back]


def _disable(progress: bool | None) -> bool | None:
    """Return what tqdm calls `disable`; its None means: unless on a terminal."""
    return None if progress is None else not progress


def _loss_and_gradient(
    model: 'SequenceModel', parameters: ParameterVector, x: Array, y: Array
) -> tuple[float, Array]:
    trace = model.forward(x, parameters.by_name)
    scale = model.output_normalization.scale
    error = (trace.outputs - y) / scale
    gradient = trace.vjp(error * (2.0 / error.size) / scale).weights()
    return float(np.mean(error * error)), parameters.flattened(gradient)


def _loss(model: 'SequenceModel', parameters: ParameterVector, x: Array, y: Array) -> float:
    total = 0.0
    for start in range(0, x.shape[0], _MEASURED_TOGETHER):
        some = slice(start, start + _MEASURED_TOGETHER)
        outputs = model.forward(x[some], parameters.by_name).outputs
        error = (outputs - y[some]) / model.output_normalization.scale
        total += float(np.sum(error * error))
    return total / y.size


def _clipped(gradient: Array, longest: float | None) -> Array:
    length = float(np.linalg.norm(gradient))
    return gradient * (longest / length) if longest is not None and length > longest else gradient
