"""Where tests find real data that are not part of the project."""

import os
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(
    os.environ.get('MDAO_SEQ_DATA', Path(__file__).resolve().parents[1].parent / 'shared' / 'data')
)


def shared_file(name):
    """Return the path of a file; skip the test where it is absent."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f'{path.name} is not in ../shared/data nor in the folder MDAO_SEQ_DATA names')
    return path


def shared_arrays(name):
    """Return the arrays of ``name.npz`` as a dict; skip the test where the file is absent."""
    with np.load(shared_file(f'{name}.npz')) as arrays:
        return dict(arrays)
