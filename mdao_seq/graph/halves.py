"""Two threads that work on the two halves of something at the same time.

What comes out depends neither on which of them is first, nor on whether there are two.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

# With fewer edges one thread is done before a second has started.
WORTH_TWO_THREADS = 2**18


def both(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what two functions return that leave the interpreter alone while they work."""
    if (os.cpu_count() or 1) < 2:
        return first(), second()
    other = _pool().submit(second)
    return first(), other.result()


def in_halves(
    function: Callable[..., Any], ends: tuple[int, int, int], edges: int, *arguments: Any
) -> tuple[Any, ...]:
    """Return what ``function(first, last, *arguments)`` gives for each half.

    Parameters
    ----------
    function : callable
        Leaves the interpreter alone while it works.
    ends : (int, int, int)
        Where the first half begins, where the second does, and where it ends.
    edges : int
        How many edges the work is about; with few of them it is not parted.
    *arguments
        The same for both halves.
    """
    low, middle, high = ends
    if edges < WORTH_TWO_THREADS:
        return (function(low, high, *arguments),)
    return both(
        partial(function, low, middle, *arguments), partial(function, middle, high, *arguments)
    )


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix='mdao_seq.graph')


# A child process has the pool, but not its thread.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=lambda: _pool.cache_clear())
