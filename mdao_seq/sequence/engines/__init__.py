"""Engines that run time loops; a new one is a file and a line here."""

from importlib import import_module

from mdao_seq._optional import has_numba
from mdao_seq.sequence.engines.engine import Engine

AUTO = 'auto'

# Where each is, so that only the one in use is imported.
ENGINES = {
    'numpy': ('mdao_seq.sequence.engines.numpy_engine', 'NumpyEngine'),
    'numba': ('mdao_seq.sequence.engines.numba_engine', 'NumbaEngine'),
}

_made: dict[str, Engine] = {}


def engine_named(name: str) -> Engine:
    """Return the engine of this name.

    Parameters
    ----------
    name : {'auto', 'numpy', 'numba'}
        'auto' is numba where it is installed, else NumPy.

    Returns
    -------
    Engine
        The same one each time.

    Raises
    ------
    ValueError
        For an engine that is not offered.
    ImportError
        If numba is asked for and not installed.
    """
    check_engine(name)
    if name == AUTO:
        name = 'numba' if has_numba() else 'numpy'
    if name not in _made:
        module, engine = ENGINES[name]
        try:
            _made[name] = getattr(import_module(module), engine)()
        except ImportError as error:
            raise ImportError(
                f'engine={name!r} cannot be loaded ({error}): pip install numba, or '
                "choose engine='numpy'"
            ) from error
    return _made[name]


def check_engine(name: str) -> None:
    """Raise a ValueError if no engine has this name; nothing is loaded."""
    if name not in (AUTO, *ENGINES):
        offered = ', '.join(map(repr, (AUTO, *ENGINES)))
        raise ValueError(f'engine {name!r} is not one of {offered}')
