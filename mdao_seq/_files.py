"""Files that are whole or not there: write beside, then rename."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a scratch path beside `path`; rename it to `path` if the block succeeds.

    An existing file at `path` stays as it is until the whole new one has been written.

    Parameters
    ----------
    path : str or path-like
        The file to create or replace.

    Yields
    ------
    pathlib.Path
        Where to write, in the same directory and with the same suffix.

    Raises
    ------
    FileNotFoundError
        If the directory of `path` does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f'{target}: there is no directory {target.parent}')
    handle, name = tempfile.mkstemp(
        prefix=f'.{target.stem}-', suffix=target.suffix, dir=target.parent
    )
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        with open(scratch, 'rb+') as file:
            os.fsync(file.fileno())
        # mkstemp makes the file private; the user expects what open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        scratch.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask)
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
