"""The epochs of a training run."""

import math
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import InputError, TrainingDiverged
from mdao_seq.sequence.input_range import InputRange
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.training.checkpoint import Checkpoint, Snapshot, identity
from mdao_seq.sequence.training.examples import Examples, split
from mdao_seq.sequence.training.history import History
from mdao_seq.sequence.training.objective import Objective
from mdao_seq.sequence.training.optimizers import OPTIMIZERS
from mdao_seq.sequence.training.schedules import make_schedule
from mdao_seq.sequence.training.settings import Settings

if TYPE_CHECKING:
    from mdao_seq.sequence.network import Network

# Seconds between two checkpoints, so that writing them takes little of the time.
_BETWEEN_CHECKPOINTS = 5.0


def train(
    model: 'Network',
    examples: Examples,
    settings: Settings,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> History:
    """Train `model`; see `SequenceModel.fit`.

    Parameters
    ----------
    model : Network
        Its weights, its range of inputs, and a normalisation that changes nothing yet, are
        replaced.
    examples : Examples
        What to train and to validate on.
    settings : Settings
        How.
    checkpoint : str, path-like or None
        File that the run is kept in.
    progress : bool or None
        Whether to show a progress bar. None: if standard error is a terminal.

    Returns
    -------
    History
        What happened.
    """
    _check_data(examples)
    rng = np.random.default_rng(settings.seed)
    training, validation = split(rng, examples, settings.validation_fraction, settings.washout)
    x, y = training.seen()
    if not model.is_fitted:
        model.input_normalization = Normalization.of(x)
        model.output_normalization = Normalization.of(y)
    model.input_range = InputRange.of(x).joined(model.input_range)

    run = _Run(model, training, validation, settings, rng)
    file = None
    if checkpoint is not None:
        file = Checkpoint(checkpoint, identity(model, examples, settings))
        saved = file.read()
        if saved is not None:
            run.restore(saved)
    try:
        _go_on(run, settings.epochs, file, progress)
    finally:
        model.weights = run.best_weights()
    return run.history


def _go_on(run: '_Run', epochs: int, file: Checkpoint | None, progress: bool | None) -> None:
    """Make the epochs that are left; the last whole one is in the file when this returns."""
    done = len(run.history.train_loss)
    left = range(done, epochs) if run.history.stopped != 'patience' else range(0)
    # tqdm's `disable` is True, False, or None for: unless on a terminal.
    disable = None if progress is None else not progress
    bar = tqdm(left, disable=disable, unit='epoch', leave=False, initial=done, total=epochs)
    snapshot = None
    written = time.monotonic()
    run.history.stopped = 'epochs' if len(left) else run.history.stopped
    try:
        for _ in bar:
            goes_on = run.make_epoch()
            bar.set_postfix_str(run.told())
            if file is not None:
                snapshot = run.snapshot()
                if time.monotonic() - written > _BETWEEN_CHECKPOINTS:
                    file.write(snapshot)
                    written = time.monotonic()
            if not goes_on:
                break
    except KeyboardInterrupt:
        run.history.stopped = 'interrupted'
    finally:
        bar.close()
        if file is not None and snapshot is not None:
            snapshot.progress['history']['stopped'] = run.history.stopped
            file.write(snapshot)


class _Run:
    """A training run: the parameters now, the best so far, and what happened."""

    def __init__(
        self,
        model: 'Network',
        training: Examples,
        validation: Examples | None,
        settings: Settings,
        rng: np.random.Generator,
    ):
        self.history = History()
        self._settings = settings
        self._rng = rng
        self._validation = validation
        self._objective = Objective(model, training, settings)
        self._sequences = np.arange(len(training.x))
        self._schedule = make_schedule(settings.schedule, settings.epochs, settings.patience)
        self._best = self._objective.parameters.values.copy()
        self._optimizer = OPTIMIZERS[settings.optimizer](self._best.size)

    def make_epoch(self) -> bool:
        """Make one; return whether there should be another."""
        history = self.history
        epoch = len(history.train_loss)
        rate = self._settings.learning_rate * self._schedule.factor(epoch)
        passed = self._optimizer.go_through(self._objective, self._batches(), rate)
        loss = passed.loss
        self._check_finite(loss, epoch, rate)
        if self._validation is not None:
            loss = self._objective.loss(self._validation)
            self._check_finite(loss, epoch, rate)
        is_better = loss < history.best_loss
        history.train_loss.append(passed.loss)
        history.validation_loss.append(loss)
        history.learning_rate.append(rate)
        history.gradient_norm.append(passed.gradient_norm)
        if is_better:
            history.best_epoch = epoch
            self._best[:] = self._objective.parameters.values
        self._schedule.see(epoch, is_better)
        if epoch - history.best_epoch >= self._settings.patience:
            history.stopped = 'patience'
            return False
        return True

    def _batches(self) -> list[Array]:
        if not self._optimizer.takes_batches:
            return [self._sequences]
        order = self._rng.permutation(self._sequences)
        return np.array_split(order, math.ceil(order.size / self._settings.batch_size))

    def told(self) -> str:
        """Return what a progress bar says."""
        return (
            f'loss {self.history.train_loss[-1]:.2e}, '
            f'validation {self.history.validation_loss[-1]:.2e}'
        )

    def best_weights(self) -> dict[str, Array]:
        """Return the best weights so far, by name."""
        self._objective.parameters.values[:] = self._best
        return self._objective.parameters.by_name

    def snapshot(self) -> Snapshot:
        """Return all that it needs to go on from here."""
        arrays = {'parameters': self._objective.parameters.values.copy(), 'best': self._best.copy()}
        arrays |= {f'optimizer.{k}': v for k, v in self._optimizer.state().items()}
        progress = {
            'history': asdict(self.history),
            'random': self._rng.bit_generator.state,
            'schedule': self._schedule.state(),
        }
        return Snapshot(progress, arrays)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot."""
        progress, arrays = snapshot
        self.history = History(**progress['history'])
        self._rng.bit_generator.state = progress['random']
        self._schedule.restore(progress['schedule'])
        self._objective.parameters.values[:] = arrays['parameters']
        self._best[:] = arrays['best']
        prefix = 'optimizer.'
        self._optimizer.restore(
            {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        )

    def _check_finite(self, loss: float, epoch: int, rate: float) -> None:
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f'the loss is {loss} in epoch {epoch} at a learning rate of {rate}; try a smaller '
                'learning_rate or a clip_norm'
            )


def _check_data(examples: Examples) -> None:
    x, y = examples.x, examples.y
    if np.iscomplexobj(x) or np.iscomplexobj(y):
        raise InputError('training takes real values; inputs or outputs are complex')
    if x.shape[:2] != y.shape[:2]:
        raise InputError(
            f'inputs are (batch_size, seq_len) = {x.shape[:2]}, but outputs are {y.shape[:2]}'
        )
