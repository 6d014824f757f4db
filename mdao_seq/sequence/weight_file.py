"""Models as safetensors files: tensors, and what they mean as JSON in the metadata.

The metadata has ``format`` (`FORMAT`, or `FORMAT_OF_SEVERAL`: then ``model`` is a list, and tensors
are named ``<number>.<name>``), ``version``, ``model`` (JSON: signals and architecture) and
``checksum`` (SHA-256 of that JSON and of every tensor's name and bytes: safetensors itself notices
a file of the wrong length, not a flipped bit). Tensors are little-endian float64.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mdao_seq._files import replacing
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import WeightFileError
from mdao_seq.sequence.input_range import InputRange
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.signal import Signal

if TYPE_CHECKING:
    from mdao_seq.sequence.model import SequenceModel

FORMAT = 'mdao_seq.sequence_model'
FORMAT_OF_SEVERAL = 'mdao_seq.sequence_ensemble'
_WRITTEN_BY = {FORMAT: 'SequenceModel', FORMAT_OF_SEVERAL: 'SequenceEnsemble'}
VERSION = 2
# Architecture that files of version 1 do not have: such a model has none of it.
_SINCE_2 = {'feedthrough': False, 'initial_state': 'zeros'}

_SIGNALS = ('inputs', 'static_inputs', 'outputs')
_ARCHITECTURE = ('cell', 'hidden_size', 'num_layers', 'nonlinearity', 'bias', *_SINCE_2)
_NORMALIZATIONS = ('input_normalization', 'output_normalization')


def write_model_file(path: str | os.PathLike[str], model: 'SequenceModel') -> None:
    """Write a model; see `SequenceModel.save`."""
    description, tensors = _described(model)
    _write(path, FORMAT, description, tensors)


def write_models_file(path: str | os.PathLike[str], models: 'Sequence[SequenceModel]') -> None:
    """Write several models to one file; see `SequenceEnsemble.save`."""
    tensors: dict[str, Array] = {}
    descriptions = []
    for number, model in enumerate(models):
        description, of_model = _described(model)
        descriptions.append(description)
        tensors |= {f'{number}.{name}': tensor for name, tensor in of_model.items()}
    _write(path, FORMAT_OF_SEVERAL, descriptions, tensors)


def read_model_file(path: str | os.PathLike[str], make: 'type[SequenceModel]') -> 'SequenceModel':
    """Read a model, built by `make`; see `SequenceModel.load`."""
    file = Path(path)
    description, tensors = _read(file, FORMAT)
    with _whole(file):
        return _model(description, tensors, make)


def read_models_file(
    path: str | os.PathLike[str], make: 'type[SequenceModel]'
) -> 'list[SequenceModel]':
    """Read several models, built by `make`; see `SequenceEnsemble.load`."""
    file = Path(path)
    descriptions, tensors = _read(file, FORMAT_OF_SEVERAL)
    models = []
    with _whole(file):
        for number, description in enumerate(descriptions):
            prefix = f'{number}.'
            of_model = {
                name.removeprefix(prefix): tensor
                for name, tensor in tensors.items()
                if name.startswith(prefix)
            }
            models.append(_model(description, of_model, make))
    return models


def has_several(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has several models, as `write_models_file` writes them."""
    return read_tensors(Path(path))[0].get('format') == FORMAT_OF_SEVERAL


def _described(model: 'SequenceModel') -> tuple[dict[str, Any], dict[str, Array]]:
    description: dict[str, Any] = {name: getattr(model, name) for name in _ARCHITECTURE}
    for kind in _SIGNALS:
        description[kind] = [asdict(signal) for signal in getattr(model, kind)]
    tensors = dict(model.weights)
    for name in _NORMALIZATIONS:
        normalization = getattr(model, name)
        tensors[f'{name}.mean'] = normalization.mean
        tensors[f'{name}.scale'] = normalization.scale
    if model.input_range is not None:
        tensors['input_range.low'], tensors['input_range.high'] = model.input_range
    return description, tensors


def _write(
    path: str | os.PathLike[str], file_format: str, description: Any, tensors: dict[str, Array]
) -> None:
    text = json.dumps(description)
    metadata = {
        'format': file_format,
        'version': str(VERSION),
        'model': text,
        'checksum': checksum(text, tensors),
    }
    with replacing(path) as scratch:
        save_file(tensors, scratch, metadata=metadata)


def _read(file: Path, file_format: str) -> tuple[Any, dict[str, Array]]:
    metadata, tensors = read_tensors(file)
    if metadata.get('format') != file_format:
        raise WeightFileError(
            f'{file}: its format is {metadata.get("format")!r}, not {file_format!r}; '
            f'{_WRITTEN_BY[file_format]}.save writes what can be loaded'
        )
    if metadata.get('version') not in ('1', str(VERSION)):
        raise WeightFileError(
            f'{file}: its format version is {metadata.get("version")!r}; this mdao_seq reads '
            f'versions 1 to {VERSION}'
        )
    text = metadata.get('model', '')
    if metadata.get('checksum') != checksum(text, tensors):
        raise WeightFileError(f'{file}: damaged: its content does not match its checksum')
    with _whole(file):
        return json.loads(text), tensors


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Take what goes wrong inside for a fault of the file."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise WeightFileError(f'{file}: not a whole model: {error}') from error


def read_tensors(file: Path) -> tuple[dict[str, str], dict[str, Array]]:
    """Return the metadata and the tensors of a safetensors file.

    Raises
    ------
    WeightFileError
        If it is damaged, or something else.
    """
    # Opened here first, so that a missing or unreadable file is the usual OSError.
    with open(file, 'rb'):
        pass
    try:
        with safe_open(file, framework='numpy') as opened:
            names = opened.keys()
            return opened.metadata() or {}, {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise WeightFileError(f'{file}: damaged, or not a safetensors file: {error}') from error


def checksum(text: str, tensors: Mapping[str, Array]) -> str:
    """Return the SHA-256 of a text and of the names and bytes of tensors."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).astype('<f8').tobytes())
    return digest.hexdigest()


def _model(
    description: dict[str, Any], tensors: dict[str, Array], make: 'type[SequenceModel]'
) -> 'SequenceModel':
    described = _SINCE_2 | description
    arguments: dict[str, Any] = {name: described[name] for name in _ARCHITECTURE}
    for kind in _SIGNALS:
        arguments[kind] = [Signal(**each) for each in description[kind]]
    model = make(**arguments)
    for name in _NORMALIZATIONS:
        mean, scale = tensors.pop(f'{name}.mean'), tensors.pop(f'{name}.scale')
        size = getattr(model, name).mean.shape
        if mean.shape != size or scale.shape != size:
            raise ValueError(f'{name} has shapes {mean.shape} and {scale.shape}, not {size}')
        if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(scale)) and np.all(scale > 0)):
            raise ValueError(f'{name} must be finite, its scale positive')
        setattr(model, name, Normalization(mean, scale))
    if 'input_range.low' in tensors:
        input_range = InputRange(tensors.pop('input_range.low'), tensors.pop('input_range.high'))
        if any(each.shape != (model.input_size,) for each in input_range):
            raise ValueError(f'input_range has not {model.input_size} inputs')
        model.input_range = input_range
    model.weights = tensors
    return model
