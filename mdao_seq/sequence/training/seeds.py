"""The same training from several seeds."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdao_seq.sequence.training.examples import Examples
from mdao_seq.sequence.training.history import History
from mdao_seq.sequence.training.loop import train
from mdao_seq.sequence.training.settings import Settings

if TYPE_CHECKING:
    from mdao_seq.sequence.ensemble import SequenceEnsemble
    from mdao_seq.sequence.model import SequenceModel


@dataclass
class SeedRuns:
    """Training runs that differ in their seed only.

    Attributes
    ----------
    seeds : list of int
        As passed.
    models : list of SequenceModel
        Trained from each seed.
    histories : list of History
        What happened.
    """

    seeds: list[int]
    models: 'list[SequenceModel]'
    histories: list[History]

    @property
    def best(self) -> 'SequenceModel':
        """The model with the least validation loss."""
        return self.models[self._order()[0]]

    def ensemble(self, number: int | None = None) -> 'SequenceEnsemble':
        """Return the models with the least validation losses as one.

        Parameters
        ----------
        number : int or None
            How many, at least 2. None: all.
        """
        from mdao_seq.sequence.ensemble import SequenceEnsemble

        return SequenceEnsemble([self.models[k] for k in self._order()[:number]])

    def _order(self) -> list[int]:
        losses = [history.best_loss for history in self.histories]
        return [int(k) for k in np.argsort(losses, kind='stable')]


def train_seeds(
    model: 'SequenceModel',
    examples: Examples,
    settings: Settings,
    seeds: Sequence[int],
    workers: int = 1,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> SeedRuns:
    """Train networks like `model` from several seeds; see `SequenceModel.fit_seeds`."""
    if len(set(seeds)) < max(1, len(seeds)):
        raise ValueError(f'seeds = {list(seeds)}: at least one is needed, and none twice')
    one = partial(_train_one, model, examples, settings, checkpoint, progress)
    if workers == 1:
        trained = [one(seed) for seed in seeds]
    else:
        with ProcessPoolExecutor(workers) as pool:
            trained = list(pool.map(one, seeds))
    models, histories = zip(*trained, strict=True)
    return SeedRuns(list(seeds), list(models), list(histories))


def _train_one(
    model: 'SequenceModel',
    examples: Examples,
    settings: Settings,
    checkpoint: str | os.PathLike[str] | None,
    progress: bool | None,
    seed: int,
) -> 'tuple[SequenceModel, History]':
    fresh = model.like(seed)
    file = None
    if checkpoint is not None:
        path = Path(checkpoint)
        file = path.with_name(f'{path.stem}-{seed}{path.suffix}')
    history = train(fresh, examples, replace(settings, seed=seed), file, progress)
    return fresh, history
