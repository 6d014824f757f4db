"""How the learning rate goes with the epochs; a new schedule is a class and a line here."""

import math
from collections.abc import Callable

# After this fraction of the patience without a better loss, the learning rate is halved.
_PLATEAU = 0.4


class Schedule:
    """The learning rate as it is; others derive from this.

    Parameters
    ----------
    epochs : int
        Most epochs there will be.
    patience : int
        Epochs without a better loss before training stops.
    """

    def __init__(self, epochs: int, patience: int):
        self._epochs = epochs
        self._patience = patience

    def factor(self, epoch: int) -> float:
        """Return the factor of the learning rate in an epoch, counted from 0."""
        return 1.0

    def see(self, epoch: int, is_better: bool) -> None:
        """Take note of whether an epoch brought a better loss."""

    def state(self) -> list[float]:
        """Return what it remembers."""
        return []

    def restore(self, state: list[float]) -> None:
        """Remember what `state` returned."""


class Plateau(Schedule):
    """Halved after every 0.4 of the patience without a better loss or another halving."""

    def __init__(self, epochs: int, patience: int):
        super().__init__(epochs, patience)
        self._factor = 1.0
        self._last_change = 0

    def factor(self, epoch: int) -> float:
        """Return a power of one half."""
        return self._factor

    def see(self, epoch: int, is_better: bool) -> None:
        """Halve, if it is time."""
        if is_better:
            self._last_change = epoch
        elif epoch - self._last_change >= _PLATEAU * self._patience:
            self._factor *= 0.5
            self._last_change = epoch

    def state(self) -> list[float]:
        """Return the factor, and when it last changed."""
        return [self._factor, self._last_change]

    def restore(self, state: list[float]) -> None:
        """Remember what `state` returned."""
        self._factor, self._last_change = state[0], int(state[1])


class Cosine(Schedule):
    """Half a cosine from 1 to 0 (Loshchilov and Hutter, arXiv 1608.03983, equation 5)."""

    def factor(self, epoch: int) -> float:
        """Return (1 + cos(pi epoch / epochs)) / 2."""
        return 0.5 * (1.0 + math.cos(math.pi * epoch / self._epochs))


class Given(Schedule):
    """A function of the epoch."""

    def __init__(self, function: Callable[[int], float]):
        super().__init__(0, 0)
        self._function = function

    def factor(self, epoch: int) -> float:
        """Return what the function does."""
        factor = float(self._function(epoch))
        if not 0.0 <= factor < math.inf:
            raise ValueError(
                f'schedule({epoch}) = {factor}: a factor of the learning rate must not be negative'
            )
        return factor


SCHEDULES: dict[str, type[Schedule]] = {
    'plateau': Plateau,
    'constant': Schedule,
    'cosine': Cosine,
}


def make_schedule(name: str | Callable[[int], float], epochs: int, patience: int) -> Schedule:
    """Return the schedule of this name, or of a function of the epoch."""
    return Given(name) if callable(name) else SCHEDULES[name](epochs, patience)
