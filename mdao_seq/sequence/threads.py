"""One BLAS thread while a network runs.

At the sizes of these networks a second thread makes every product slower, and threads that wait
for the next product take the processor from other work.
"""

from contextlib import ContextDecorator
from functools import cache
from threading import Lock
from typing import Any

# Imported so that SciPy's BLAS, which compiled code calls, is among those that are found.
import scipy.linalg.cython_blas  # noqa: F401
from threadpoolctl import ThreadpoolController

_lock = Lock()
_inside = 0
_before: list[int] = []


class one_blas_thread(ContextDecorator):
    """Keep BLAS to one thread inside a ``with`` block; restore what it was after the outermost."""

    def __enter__(self) -> None:
        """Set one thread."""
        global _inside
        with _lock:
            if _inside == 0:
                _before[:] = [library.get_num_threads() for library in _libraries()]
                _set([1] * len(_before))
            _inside += 1

    def __exit__(self, *error: object) -> None:
        """Set what there was."""
        global _inside
        with _lock:
            _inside -= 1
            if _inside == 0:
                _set(_before)


@cache
def _libraries() -> list[Any]:
    return list(ThreadpoolController().select(user_api='blas').lib_controllers)


def _set(numbers: list[int]) -> None:
    for library, number, before in zip(_libraries(), numbers, _before, strict=True):
        if before != 1:
            library.set_num_threads(number)
