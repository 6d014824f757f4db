"""Weights exchanged with Keras: what its layers say of themselves, without Keras itself.

A network is a stack of ``LSTM``, ``GRU`` (``reset_after=True``) or ``SimpleRNN`` layers with a
``Dense`` behind it. Keras multiplies rows by matrices, so that all are transposed; its LSTM has the
gates in the order i, f, c, o, its GRU z, r, h with one row of biases for each product.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mdao_seq.sequence.cells.cell import Array
from mdao_seq.sequence.exchange.weights_alone import reordered

_CELLS = {'LSTM': 'lstm', 'GRU': 'gru', 'SimpleRNN': 'elman'}
# Our gates by Keras's, and back: r, z and n change places, which is its own inverse.
_ORDER = {'lstm': (0, 1, 2, 3), 'gru': (1, 0, 2), 'elman': (0,)}
_IGNORED = ('InputLayer', 'Dropout', 'GaussianNoise', 'SpatialDropout1D')
# What a layer must say of itself; where it says nothing, that is the default.
_NEEDED: dict[str, dict[str, Any]] = {
    'LSTM': {'activation': 'tanh', 'recurrent_activation': 'sigmoid', 'go_backwards': False},
    'GRU': {
        'activation': 'tanh',
        'recurrent_activation': 'sigmoid',
        'go_backwards': False,
        'reset_after': True,
    },
    'SimpleRNN': {'go_backwards': False},
    'Dense': {'activation': 'linear', 'use_bias': True},
}


def from_layers(layers: Iterable[Any]) -> tuple[str, str, dict[str, Array]]:
    """Find a network in the layers of a Keras model.

    Parameters
    ----------
    layers : iterable of keras.layers.Layer
        As ``model.layers``: with ``get_config`` and ``get_weights``.

    Returns
    -------
    cell, nonlinearity : str
        Of the recurrent layers.
    weights : dict of str to ndarray
        By the names that a `SequenceModel` has.

    Raises
    ------
    ValueError
        If it is no such network; the message names the layer.
    """
    kinds: set[tuple[str, str]] = set()
    weights: dict[str, Array] = {}
    head = None
    number = 0
    for layer in layers:
        kind = type(layer).__name__
        if kind == 'TimeDistributed':
            layer = layer.layer
            kind = type(layer).__name__
        config = layer.get_config()
        name = config.get('name', kind)
        if kind in _IGNORED:
            continue
        if kind not in _NEEDED or head is not None or (kind == 'Dense' and not number):
            raise ValueError(
                f'Keras layer {name!r} ({kind}): a stack of {", ".join(_CELLS)} and one Dense '
                'behind it is needed'
            )
        _check(name, kind, config)
        arrays = [np.asarray(each, dtype=float) for each in layer.get_weights()]
        if kind == 'Dense':
            head = arrays
            continue
        cell = _CELLS[kind]
        nonlinearity = config.get('activation', 'tanh')
        kinds.add((cell, nonlinearity))
        weights |= _of_layer(cell, number, arrays)
        number += 1
    if head is None or len(kinds) != 1:
        raise ValueError(
            f'Keras model: recurrent layers of one kind and a Dense behind them are needed; there '
            f'are {sorted(kinds) or "none"} and {"a" if head else "no"} Dense'
        )
    weights['head_weight'], weights['head_bias'] = head[0].T, head[1]
    ((cell, nonlinearity),) = kinds
    return cell, nonlinearity, weights


def to_layers(cell: str, weights: Mapping[str, Array]) -> list[Array]:
    """Return weights as ``set_weights`` of a Keras model of such layers takes them.

    Parameters
    ----------
    cell : str
        Name of the cell.
    weights : mapping
        By the names that a `SequenceModel` has, without normalisation.
    """
    order = _ORDER[cell]
    arrays: list[Array] = []
    number = 0
    while f'weight_ih_l{number}' in weights:
        for kind in ('weight_ih', 'weight_hh'):
            arrays.append(reordered(weights[f'{kind}_l{number}'], order).T)
        if f'bias_ih_l{number}' in weights:
            biases = [
                reordered(weights[f'{kind}_l{number}'], order) for kind in ('bias_ih', 'bias_hh')
            ]
            arrays.append(np.stack(biases) if cell == 'gru' else biases[0] + biases[1])
        number += 1
    return [*arrays, weights['head_weight'].T, weights['head_bias']]


def _of_layer(cell: str, number: int, arrays: list[Array]) -> dict[str, Array]:
    order = _ORDER[cell]
    found = {
        f'weight_ih_l{number}': reordered(arrays[0].T, order),
        f'weight_hh_l{number}': reordered(arrays[1].T, order),
    }
    if len(arrays) == 3:
        # Where Keras has one bias, the second is zero.
        bias_ih, bias_hh = arrays[2] if cell == 'gru' else (arrays[2], np.zeros_like(arrays[2]))
        found[f'bias_ih_l{number}'] = reordered(bias_ih, order)
        found[f'bias_hh_l{number}'] = reordered(bias_hh, order)
    return found


def _check(name: str, kind: str, config: Mapping[str, Any]) -> None:
    for setting, needed in _NEEDED[kind].items():
        value = config.get(setting, needed)
        if value != needed:
            raise ValueError(
                f'Keras layer {name!r} ({kind}) has {setting}={value!r}; only {needed!r} is offered'
            )
    if kind == 'SimpleRNN' and config.get('activation', 'tanh') not in ('tanh', 'relu'):
        raise ValueError(
            f"Keras layer {name!r} ({kind}) has activation={config['activation']!r}; only 'tanh' "
            "and 'relu' are offered"
        )
