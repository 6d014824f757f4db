"""What was prepared for an object stays with it."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Made = TypeVar('Made')


class Keeping:
    """An object that does not change and keeps what was made for it, by what made it."""

    def kept(self, make: Callable[[Any], Made]) -> Made:
        """Return ``make(self)``, made once."""
        made = self.__dict__.setdefault('_kept', {})
        if make not in made:
            made[make] = make(self)
        return made[make]  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        """All but what was made: a copy makes it again when it is needed."""
        return {name: value for name, value in self.__dict__.items() if name != '_kept'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what was kept, and protect arrays, which a pickle does not."""
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            self.__dict__[name] = value
