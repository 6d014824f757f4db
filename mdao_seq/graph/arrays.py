"""Numbers as callers pass them, made arrays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.graph.errors import InputError


def as_numbers(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return values as an array of float, or complex where they are.

    Raises
    ------
    InputError
        If they are not numbers; it has their name.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind in 'OUS':
            if any(isinstance(value, str | bytes) for value in array.flat):
                raise TypeError
            array = array.astype(float)
    except (TypeError, ValueError):
        raise InputError(f'{name} = {values!r:.200}: must be numbers') from None
    return array if array.dtype.kind == 'c' else array.astype(float, copy=False)


def as_number(value: Any, name: str) -> Any:
    """Return one number, which may stand alone in an array.

    Raises
    ------
    InputError
        If it is not one.
    """
    array = as_numbers(value, name)
    if array.size != 1:
        raise InputError(f'{name} has shape {array.shape}: must be one number')
    return array.item()
