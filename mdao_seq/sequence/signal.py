"""A named quantity that enters or leaves a network."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signal:
    """A named quantity with units.

    Attributes
    ----------
    name : str
        Name of the OpenMDAO variable: a Python identifier, or several joined by ``:``.
    units : str or None
        Units of every value, as OpenMDAO writes them (``'m**3/s'``). None: unitless.
    desc : str
        What it is.

    Raises
    ------
    ValueError
        If the name cannot be a variable's.
    """

    name: str
    units: str | None = None
    desc: str = ''

    def __post_init__(self) -> None:
        """Refuse a name that OpenMDAO would refuse later."""
        parts = self.name.split(':') if isinstance(self.name, str) else ['']
        if not all(part.isidentifier() for part in parts):
            raise ValueError(
                f'signal name {self.name!r} is not an identifier (or several joined by colons); '
                'use letters, digits and underscores'
            )


def signals(
    what: str, given: str | Signal | Iterable[str | Signal], least: int = 1
) -> tuple[Signal, ...]:
    """Return `given` as a tuple of signals.

    Parameters
    ----------
    what : str
        What they are, for the message of an error.
    given : str, Signal, or iterable of those
        Names stand for unitless signals.
    least : int
        Fewest that are allowed.

    Returns
    -------
    tuple of Signal
        One for each that was given.

    Raises
    ------
    ValueError
        If there are fewer than `least`, or a name is no identifier or given twice.
    """
    each = [given] if isinstance(given, (str, Signal)) else list(given)
    made = tuple(item if isinstance(item, Signal) else Signal(item) for item in each)
    if len(made) < least:
        raise ValueError(f'{what} must name at least {least} signal')
    refuse_repeats(what, made)
    return made


def refuse_repeats(what: str, given: Iterable[Signal]) -> None:
    """Raise a ValueError if a name stands twice among the signals."""
    names = [signal.name for signal in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'{what} name {", ".join(map(repr, twice))} more than once')
