"""How functions are compiled by numba; imported only where compiled code is used."""

import warnings
from collections.abc import Callable
from typing import Any

from numba import njit

# A division is never by zero here, and a branch for it would keep loops from being vectorised; so
# would keeping to a product and a sum where the machine has both in one. No Python objects are
# touched, so that other threads can go on.
_OPTIONS: dict[str, Any] = {
    'error_model': 'numpy',
    'fastmath': {'contract', 'nsz'},
    'nogil': True,
}


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile what other compiled functions have in their loops."""
    return njit(inline='always', **_OPTIONS)(function)


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile a function, once on this machine: the result is kept where numba keeps it."""
    options = _OPTIONS | options
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError as error:
        warnings.warn(
            f'{function.__name__} is compiled anew in each process, which takes some seconds: '
            f'numba can write no cache ({error}); set NUMBA_CACHE_DIR to a directory that can be '
            'written',
            stacklevel=2,
        )
        return njit(**options)(function)


def compiled_sums(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function whose sums may be added up in the order that is fastest.

    It is the same order each time.
    """
    return compiled(function, fastmath={'contract', 'nsz', 'reassoc'})
