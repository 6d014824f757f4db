"""Write ``../data/keras_reference.npz``: weights and outputs of small networks, by Keras.

Needs ``keras`` and ``torch`` as its backend; the tests only read the file. Made with keras 3.15.1
in float64::

    KERAS_BACKEND=torch python tests/sequence/exchange/make_keras_reference.py
"""

import json
from pathlib import Path

import keras
import numpy as np

BATCH_SIZE, SEQ_LEN, INPUT_SIZE, HIDDEN_SIZE, OUTPUT_SIZE = 2, 6, 3, 4, 2
NETWORKS = {
    'lstm': (keras.layers.LSTM, {}),
    'gru': (keras.layers.GRU, {}),
    'elman': (keras.layers.SimpleRNN, {}),
    'elman_relu': (keras.layers.SimpleRNN, {'activation': 'relu'}),
    'lstm_nobias': (keras.layers.LSTM, {'use_bias': False}),
}


def network(kind, options):
    """Return two such layers with a linear head, their weights all at random."""
    model = keras.Sequential(
        [
            keras.layers.Input((SEQ_LEN, INPUT_SIZE)),
            kind(HIDDEN_SIZE, return_sequences=True, **options),
            kind(HIDDEN_SIZE, return_sequences=True, **options),
            keras.layers.Dense(OUTPUT_SIZE),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([0.5 * rng.standard_normal(each.shape) for each in model.get_weights()])
    return model


def outputs(model, x):
    """Return what a model gives; its Dense layer is multiplied here, which Keras rounds to 1e-8."""
    hidden = keras.ops.convert_to_tensor(x, dtype='float64')
    for layer in model.layers[:-1]:
        hidden = layer(hidden)
    kernel, bias = model.layers[-1].get_weights()
    return keras.ops.convert_to_numpy(hidden) @ kernel + bias


def main():
    """Write the file."""
    keras.config.set_floatx('float64')
    keras.config.set_dtype_policy('float64')
    x = np.random.default_rng(1).standard_normal((BATCH_SIZE, SEQ_LEN, INPUT_SIZE))
    arrays = {'x': x}
    for name, (kind, options) in NETWORKS.items():
        model = network(kind, options)
        arrays[f'{name}/y'] = outputs(model, x)
        for number, layer in enumerate(model.layers):
            about = {'class': type(layer).__name__, 'config': layer.get_config()}
            arrays[f'{name}/{number}'] = np.array(json.dumps(about, default=str))
            for place, weight in enumerate(layer.get_weights()):
                arrays[f'{name}/{number}/{place}'] = weight
    np.savez_compressed(Path(__file__).parents[1] / 'data' / 'keras_reference.npz', **arrays)


if __name__ == '__main__':
    main()
