"""Training runs on disk: what a run needs to go on as if it had not been interrupted.

A checkpoint is a safetensors file; the metadata has ``format`` (`FORMAT`), ``version``, ``run``
(JSON: what run it is of, and how far it came) and ``checksum`` (as of a model file).
"""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

from mdao_seq._files import replacing
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import WeightFileError
from mdao_seq.sequence.training.examples import Examples
from mdao_seq.sequence.training.settings import Settings
from mdao_seq.sequence.weight_file import checksum, read_tensors

if TYPE_CHECKING:
    from mdao_seq.sequence.network import Network

FORMAT = 'mdao_seq.training_checkpoint'
VERSION = 1
_ARCHITECTURE = (
    'cell',
    'hidden_size',
    'num_layers',
    'nonlinearity',
    'bias',
    'feedthrough',
    'initial_state',
)


class Snapshot(NamedTuple):
    """A training run after an epoch.

    Attributes
    ----------
    progress : dict
        Plain values: the history, the state of the random numbers and of the schedule.
    arrays : dict of str to ndarray
        Parameters, the best of them, and what the optimizer remembers.
    """

    progress: dict[str, Any]
    arrays: dict[str, Array]


def identity(model: 'Network', examples: Examples, settings: Settings) -> dict[str, Any]:
    """Return what tells one training run from another."""
    digest = hashlib.sha256()
    for array in examples[:3]:
        digest.update(b'' if array is None else np.ascontiguousarray(array).tobytes())
    for normalization in (model.input_normalization, model.output_normalization):
        digest.update(normalization.mean.tobytes() + normalization.scale.tobytes())
    described = settings.described()
    if described['schedule'] != 'cosine':
        # More epochs are the same run, continued.
        del described['epochs']
    return {
        **{name: getattr(model, name) for name in _ARCHITECTURE},
        **described,
        'data': digest.hexdigest(),
    }


class Checkpoint:
    """The file of one training run.

    Parameters
    ----------
    path : str or path-like
        The file; one that exists is of this run, or of none.
    run : dict
        What `identity` returned.
    """

    def __init__(self, path: str | os.PathLike[str], run: dict[str, Any]):
        self._path = Path(path)
        self._run = json.loads(json.dumps(run))

    def read(self) -> Snapshot | None:
        """Return the run as it was last written; None if there is no file.

        Raises
        ------
        WeightFileError
            If it is damaged, or something else.
        ValueError
            If it is of another run; it says in what they differ.
        """
        if not self._path.exists():
            return None
        metadata, tensors = read_tensors(self._path)
        if metadata.get('format') != FORMAT or metadata.get('version') != str(VERSION):
            raise WeightFileError(
                f'{self._path}: not a training checkpoint of version {VERSION}; pass another path'
            )
        text = metadata.get('run', '')
        if metadata.get('checksum') != checksum(text, tensors):
            raise WeightFileError(
                f'{self._path}: damaged: its content does not match its checksum; delete it to '
                'train from the start'
            )
        saved = json.loads(text)
        differing = [
            f'{name} {saved["run"].get(name)!r} there and {value!r} here'
            for name, value in self._run.items()
            if saved['run'].get(name) != value
        ]
        if differing:
            raise ValueError(
                f'{self._path}: the checkpoint of another run: {"; ".join(differing)}; pass '
                'another path, or delete it to train from the start'
            )
        return Snapshot(saved['progress'], tensors)

    def write(self, snapshot: Snapshot) -> None:
        """Write it beside, then rename."""
        text = json.dumps({'run': self._run, 'progress': snapshot.progress})
        metadata = {
            'format': FORMAT,
            'version': str(VERSION),
            'run': text,
            'checksum': checksum(text, snapshot.arrays),
        }
        with replacing(self._path) as scratch:
            save_file(snapshot.arrays, scratch, metadata=metadata)
