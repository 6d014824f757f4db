"""Training of a network on sequences."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from mdao_seq.sequence.adam import Adam
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import InputError, TrainingDiverged
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.parameters import ParameterVector

if TYPE_CHECKING:
    from mdao_seq.sequence.model import SequenceModel

# The learning rate falls to this fraction of its first value.
_LAST_RATE = 0.01
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

    parameters = ParameterVector(model.weights)
    best = parameters.values.copy()
    history = History()

    def run_epochs() -> None:
        adam = Adam(best.size)
        least = math.inf
        bar = tqdm(range(epochs), disable=_disable(progress), unit='epoch', leave=False)
        for epoch in bar:
            rate = learning_rate * _cosine(epoch / epochs)
            losses = []
            order = rng.permutation(training)
            for batch in np.array_split(order, math.ceil(order.size / batch_size)):
                loss, gradient = _loss_and_gradient(model, parameters, x[batch], y[batch])
                _check_finite(loss, epoch, learning_rate)
                losses.append(loss * batch.size)
                parameters.values += adam.step(_clipped(gradient, clip_norm), rate)
            train_loss = sum(losses) / order.size
            validation_loss = (
                _loss(model, parameters, x[validation], y[validation])
                if validation.size
                else train_loss
            )
            _check_finite(validation_loss, epoch, learning_rate)
            history.train_loss.append(train_loss)
            history.validation_loss.append(validation_loss)
            bar.set_postfix_str(f'loss {train_loss:.2e}, validation {validation_loss:.2e}')
            if validation_loss < least:
                least = validation_loss
                best[:] = parameters.values
                history.best_epoch = epoch
            elif epoch - history.best_epoch >= patience:
                history.stopped = 'patience'
                return

    try:
        run_epochs()
    except KeyboardInterrupt:
        history.stopped = 'interrupted'
    finally:
        parameters.values[:] = best
        model.weights = parameters.by_name
    return history


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
        if not isinstance(value, (int, np.integer)) or value < 1:
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


def _cosine(done: float) -> float:
    """Return the learning rate by its first value (Loshchilov and Hutter, arXiv 1608.03983)."""
    return _LAST_RATE + (1.0 - _LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))


def _loss_and_gradient(
    model: 'SequenceModel', parameters: ParameterVector, x: Array, y: Array
) -> tuple[float, Array]:
    trace = model.forward(x, parameters.by_name)
    scale = model.output_normalization.scale
    error = (trace.outputs - y) / scale
    gradient = trace.weights_vjp(error * (2.0 / error.size) / scale)
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


def _check_finite(loss: float, epoch: int, learning_rate: float) -> None:
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f'the loss is {loss} in epoch {epoch}; try a learning_rate below {learning_rate} or a '
            'clip_norm'
        )
