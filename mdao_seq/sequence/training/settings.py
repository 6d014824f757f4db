"""What can be set of a training run, checked."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any

from mdao_seq.sequence.training.optimizers import OPTIMIZERS
from mdao_seq.sequence.training.schedules import SCHEDULES


@dataclass(frozen=True)
class Settings:
    """Settings of a training run; `SequenceModel.fit` describes them.

    Raises
    ------
    ValueError
        For one that is out of range; the message names it.
    """

    validation_fraction: float = 0.2
    epochs: int = 500
    batch_size: int = 16
    optimizer: str = 'adam'
    learning_rate: float = 0.01
    schedule: str | Callable[[int], float] = 'plateau'
    window: int | None = None
    washout: int = 0
    weight_decay: float = 0.0
    patience: int = 50
    clip_norm: float | None = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if not 0.0 <= self.validation_fraction < 1.0:
            raise ValueError(f'validation_fraction = {self.validation_fraction}: must be in [0, 1)')
        for name, least in (
            ('epochs', 1),
            ('batch_size', 1),
            ('window', 1),
            ('washout', 0),
            ('patience', 1),
        ):
            value = getattr(self, name)
            if name == 'window' and value is None:
                continue
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f'{name} = {value!r}: must be an integer of at least {least}')
        for name in ('learning_rate', 'clip_norm'):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise ValueError(f'{name} = {value}: must be positive')
        if not self.weight_decay >= 0.0:
            raise ValueError(f'weight_decay = {self.weight_decay}: must not be negative')
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f'optimizer {self.optimizer!r} is not one of {", ".join(map(repr, OPTIMIZERS))}'
            )
        if not callable(self.schedule) and self.schedule not in SCHEDULES:
            raise ValueError(
                f'schedule {self.schedule!r} is not one of {", ".join(map(repr, SCHEDULES))}, and '
                'no function of the epoch'
            )
        if self.window is not None and not OPTIMIZERS[self.optimizer].takes_windows:
            raise ValueError(
                f'window = {self.window} with optimizer {self.optimizer!r}: it takes one step on '
                "all the data; leave window out, or take optimizer='adam'"
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> 'Settings':
        """Return the settings given by name.

        Raises
        ------
        TypeError
            For a name that is none; it lists those there are.
        """
        names = [each.name for each in fields(cls)]
        unknown = [name for name in given if name not in names]
        if unknown:
            raise TypeError(f'no setting of training: {unknown[0]!r}; there are {", ".join(names)}')
        return cls(**given)

    def described(self) -> dict[str, Any]:
        """Return all as plain values, by which two runs are told apart."""
        values = asdict(self)
        if callable(self.schedule):
            values['schedule'] = f'function {getattr(self.schedule, "__qualname__", "")}'
        return values
