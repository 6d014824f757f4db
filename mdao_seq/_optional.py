"""What is installed beside the core packages."""

import warnings
from functools import cache
from importlib.util import find_spec


@cache
def has_numba() -> bool:
    """Return whether numba can be imported; one that is there and cannot be is spoken of once."""
    if not find_spec('numba'):
        return False
    try:
        import numba  # noqa: F401
    except Exception as error:  # too old for the NumPy that is there, or for this Python
        warnings.warn(
            f'numba is installed but cannot be imported ({error}): what it would compile runs by '
            'NumPy and SciPy, slower; install another version of it, or none',
            stacklevel=3,
        )
        return False
    return True
