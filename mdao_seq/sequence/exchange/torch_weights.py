"""Weights exchanged with PyTorch: a state dict's names and shapes, without PyTorch itself.

The recurrent layers are a ``torch.nn.RNN``, ``GRU`` or ``LSTM``, the head a ``torch.nn.Linear``,
under whatever names their module gives them. PyTorch's network has no normalisation: on the way
there it becomes part of the weights, which is exact.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mdao_seq.sequence.cells import CELLS
from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.errors import WeightFileError

_OF_LAYER = re.compile(
    r'(?:(?P<prefix>.*)\.)?(?P<name>(?:weight|bias)_(?:ih|hh|hr)_l\d+(?:_reverse)?)'
)
_RECURRENT, _HEAD = 'rnn', 'head'


def read_state_dict(given: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Array]:
    """Return a state dict, or the safetensors file of one, as float64 arrays by name.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    WeightFileError
        If it is no safetensors file.
    """
    if isinstance(given, Mapping):
        tensors = {name: _array(value) for name, value in given.items()}
    else:
        path = Path(given)
        if not path.exists():
            raise FileNotFoundError(f'{path}: no such file')
        try:
            tensors = load_file(path)
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise WeightFileError(
                f'{path}: damaged, or not a safetensors file ({error}); write one by '
                'safetensors.torch.save_file(module.state_dict(), path)'
            ) from error
    return {name: np.asarray(value, dtype=float) for name, value in tensors.items()}


def split(tensors: Mapping[str, Array]) -> tuple[str, dict[str, Array]]:
    """Find a network in a state dict.

    Parameters
    ----------
    tensors : mapping
        Of a module with one recurrent layer stack and one linear head.

    Returns
    -------
    cell : str
        Name of the cell, told by the number of its gates.
    weights : dict of str to ndarray
        By the names that a `SequenceModel` has.

    Raises
    ------
    ValueError
        If it is no such module; the message says what stands in the way.
    """
    weights: dict[str, Array] = {}
    others, prefixes = {}, set()
    for name, value in tensors.items():
        match = _OF_LAYER.fullmatch(name)
        if match is None:
            others[name] = value
        else:
            prefixes.add(match['prefix'])
            weights[match['name']] = value
    if 'weight_hh_l0' not in weights or len(prefixes) > 1:
        raise ValueError(
            f'state dict: one stack of recurrent layers is needed (weight_ih_l0, weight_hh_l0, …); '
            f'there are {len(prefixes)} among {", ".join(tensors)}'
        )
    odd = [name for name in weights if '_hr_' in name or name.endswith('_reverse')]
    if odd:
        raise ValueError(
            f'state dict: {odd[0]!r} belongs to a bidirectional or a projected layer, which '
            'SequenceModel has not'
        )
    heads = [name for name, value in others.items() if value.ndim == 2]
    if len(heads) != 1 or len(others) != 2:
        raise ValueError(
            'state dict: beside the recurrent layers one linear head with a bias is needed; there '
            f'is {", ".join(others) or "nothing"}'
        )
    weights['head_weight'] = others.pop(heads[0])
    (weights['head_bias'],) = others.values()
    rows, hidden_size = weights['weight_hh_l0'].shape
    for name, cell in CELLS.items():
        if cell.num_gates * hidden_size == rows:
            return name, weights
    raise ValueError(f'state dict: weight_hh_l0 has shape {(rows, hidden_size)}: of no known cell')


def joined(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights, without normalisation, as a state dict."""
    return {_torch_name(name): value for name, value in weights.items()}


def _torch_name(name: str) -> str:
    if name.startswith('head_'):
        return f'{_HEAD}.{name.removeprefix("head_")}'
    return f'{_RECURRENT}.{name}'


def _array(tensor: Any) -> Array:
    """Return a tensor of PyTorch, or what is an array already."""
    detached = tensor.detach().cpu() if hasattr(tensor, 'detach') else tensor
    return np.asarray(detached)
