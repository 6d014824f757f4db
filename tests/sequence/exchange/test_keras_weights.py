"""Networks from Keras and to it: by numbers that Keras gave, and by Keras itself where it is."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mdao_seq import SequenceModel
from tests.sequence.networks import every_cell, small_model

REFERENCE = Path(__file__).parents[1] / 'data' / 'keras_reference.npz'
# Keras makes the products of a SimpleRNN, as those of a Dense, in single precision.
ROUNDING = {'lstm': 1e-14, 'gru': 1e-14, 'elman': 1e-6}
NETWORKS = ['lstm', 'gru', 'elman', 'elman_relu', 'lstm_nobias']


class Layer:
    """What a layer of Keras says of itself."""

    def __init__(self, config, weights):
        self._config, self._weights = config, weights

    def get_config(self):
        return self._config

    def get_weights(self):
        return self._weights


def layer(kind, config, weights=()):
    return type(kind, (Layer,), {})(config, list(weights))


def stored(name):
    """Return the layers of a network, its inputs, and the outputs that Keras gave."""
    with np.load(REFERENCE) as file:
        arrays = dict(file)
    layers, number = [], 0
    while f'{name}/{number}' in arrays:
        about = json.loads(str(arrays[f'{name}/{number}']))
        weights, place = [], 0
        while f'{name}/{number}/{place}' in arrays:
            weights.append(arrays[f'{name}/{number}/{place}'])
            place += 1
        layers.append(layer(about['class'], about['config'], weights))
        number += 1
    return layers, arrays['x'], arrays[f'{name}/y']


@pytest.mark.parametrize('name', NETWORKS)
def test_stored_networks_give_what_keras_gave(name):
    layers, x, y = stored(name)
    model = SequenceModel.from_keras(layers, ['a', 'b', 'c'], ['y', 'z'])
    assert model.bias == (name != 'lstm_nobias')
    np.testing.assert_allclose(model.forward(x).outputs, y, rtol=0, atol=ROUNDING[model.cell])
    for one, other in zip(
        model.to_keras(), [w for each in layers for w in each.get_weights()], strict=True
    ):
        np.testing.assert_array_equal(one, other)


@every_cell
def test_the_normalisation_becomes_part_of_the_weights(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    x = np.random.default_rng(0).standard_normal((2, 7, 3))
    kind = {'lstm': 'LSTM', 'gru': 'GRU', 'elman': 'SimpleRNN'}[cell]
    given = model.to_keras()
    config = {'activation': nonlinearity}
    layers = [
        layer(kind, config, given[:3]),
        layer(kind, config, given[3:6]),
        layer('Dense', {}, given[6:]),
    ]
    back = SequenceModel.from_keras(layers, ['a', 'b', 'c'], ['y', 'z'])
    np.testing.assert_allclose(back.forward(x).outputs, model.forward(x).outputs, rtol=1e-12)


@pytest.mark.parametrize('cell', ['lstm', 'gru', 'elman'])
def test_keras_itself_agrees(cell):
    pytest.importorskip('torch', reason='PyTorch, the backend of Keras, is not installed')
    os.environ.setdefault('KERAS_BACKEND', 'torch')
    keras = pytest.importorskip('keras', reason='Keras is not installed')
    kind = {'lstm': keras.layers.LSTM, 'gru': keras.layers.GRU, 'elman': keras.layers.SimpleRNN}[
        cell
    ]
    keras.config.set_floatx('float64')
    keras.config.set_dtype_policy('float64')
    theirs = keras.Sequential(
        [
            keras.layers.Input((7, 3)),
            kind(5, return_sequences=True),
            kind(5, return_sequences=True),
            keras.layers.Dropout(0.1),
            keras.layers.TimeDistributed(keras.layers.Dense(2)),
        ]
    )
    x = np.random.default_rng(0).standard_normal((2, 7, 3))
    model = SequenceModel.from_keras(theirs, ['a', 'b', 'c'], ['y', 'z'])
    # Its Dense layer rounds to single precision; the layers before it do not.
    y = keras.ops.convert_to_numpy(theirs(x))
    np.testing.assert_allclose(model.forward(x).outputs, y, rtol=0, atol=1e-6)
    hidden = keras.ops.convert_to_tensor(x, dtype='float64')
    for each in theirs.layers[:2]:
        hidden = each(hidden)
    theirs_hidden = keras.ops.convert_to_numpy(hidden)
    found = model.forward(x).layers[-1].hidden.swapaxes(0, 1)
    np.testing.assert_allclose(found, theirs_hidden, rtol=0, atol=ROUNDING[cell])
    ours = small_model(cell)
    theirs.set_weights(ours.to_keras())
    y = keras.ops.convert_to_numpy(theirs(x))
    np.testing.assert_allclose(ours.forward(x).outputs, y, rtol=1e-5)


LSTM = layer('LSTM', {'name': 'first'}, [np.ones((1, 8)), np.ones((2, 8)), np.ones(8)])
DENSE = layer('Dense', {'name': 'head'}, [np.ones((2, 1)), np.ones(1)])


@pytest.mark.parametrize(
    ('layers', 'message'),
    [
        ([LSTM], 'and no Dense'),
        ([DENSE], r"'head' \(Dense\): a stack of LSTM, GRU, SimpleRNN and one Dense"),
        ([LSTM, layer('Conv1D', {'name': 'conv'}), DENSE], r"'conv' \(Conv1D\)"),
        ([LSTM, DENSE, DENSE], r"'head' \(Dense\)"),
        ([layer('LSTM', {'name': 'a', 'activation': 'relu'}), DENSE], "has activation='relu'"),
        (
            [layer('GRU', {'name': 'a', 'reset_after': False}), DENSE],
            r"'a' \(GRU\) has reset_after=False; only True is offered",
        ),
        (
            [layer('LSTM', {'name': 'a', 'recurrent_activation': 'hard_sigmoid'}), DENSE],
            "recurrent_activation='hard_sigmoid'; only 'sigmoid'",
        ),
        ([layer('SimpleRNN', {'name': 'a', 'activation': 'gelu'}), DENSE], "activation='gelu'"),
        ([layer('LSTM', {'name': 'a', 'go_backwards': True}), DENSE], 'go_backwards=True'),
        ([LSTM, layer('Dense', {'name': 'd', 'activation': 'tanh'})], "activation='tanh'"),
    ],
)
def test_what_is_no_such_model_is_named(layers, message):
    with pytest.raises(ValueError, match=message):
        SequenceModel.from_keras(layers, 'x', 'y')
