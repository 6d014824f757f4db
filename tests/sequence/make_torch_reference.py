"""Write ``data/torch_reference.npz``: outputs and gradients of small networks, by PyTorch.

Needs ``torch``; the tests only read the file. Made with torch 2.13.0 on CPU in float64::

    python tests/sequence/make_torch_reference.py
"""

from pathlib import Path

import numpy as np
import torch

INPUT_SIZE, HIDDEN_SIZE, OUTPUT_SIZE, NUM_LAYERS = 3, 4, 2, 2
BATCH_SIZE, SEQ_LEN = 2, 7
NETWORKS = {
    'elman_tanh': (torch.nn.RNN, {'nonlinearity': 'tanh'}),
    'elman_relu': (torch.nn.RNN, {'nonlinearity': 'relu'}),
    'gru_tanh': (torch.nn.GRU, {}),
    'lstm_tanh': (torch.nn.LSTM, {}),
    'gru_tanh_nobias': (torch.nn.GRU, {'bias': False}),
}


def reference(kind, options):
    """Return weights, input, output and gradients of one network, by name."""
    layers = kind(INPUT_SIZE, HIDDEN_SIZE, NUM_LAYERS, batch_first=True, **options)
    head = torch.nn.Linear(HIDDEN_SIZE, OUTPUT_SIZE)
    x = torch.randn(BATCH_SIZE, SEQ_LEN, INPUT_SIZE, requires_grad=True)
    y = head(layers(x)[0])
    y_bar = torch.randn_like(y)
    y.backward(y_bar)
    arrays = {'x': x, 'y': y, 'y_bar': y_bar, 'x_grad': x.grad}
    for name, weight in layers.named_parameters():
        arrays[f'weights/{name}'] = weight
        arrays[f'grads/{name}'] = weight.grad
    for name, weight in head.named_parameters():
        arrays[f'weights/head_{name}'] = weight
        arrays[f'grads/head_{name}'] = weight.grad
    return {name: array.detach().numpy() for name, array in arrays.items()}


def main():
    """Write the file."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    arrays = {
        f'{network}/{name}': array
        for network, (kind, options) in NETWORKS.items()
        for name, array in reference(kind, options).items()
    }
    np.savez_compressed(Path(__file__).parent / 'data' / 'torch_reference.npz', **arrays)


if __name__ == '__main__':
    main()
