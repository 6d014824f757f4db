"""Where tests find the real graphs, which are too large to be part of the project."""

import os
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(
    os.environ.get('MDAO_SEQ_DATA', Path(__file__).resolve().parents[1].parent / 'shared' / 'data')
)


def shared_arrays(name):
    """Return the arrays of ``name.npz`` as a dict; skip the test where the file is absent."""
    path = FOLDER / f'{name}.npz'
    if not path.exists():
        pytest.skip(f'{path.name} is not in ../shared/data nor in the folder MDAO_SEQ_DATA names')
    with np.load(path) as arrays:
        return dict(arrays)
