"""Outputs and gradients against PyTorch's, stored by ``make_torch_reference.py``."""

from pathlib import Path

import numpy as np
import pytest

from mdao_seq import SequenceModel

STORED = Path(__file__).parent / 'data' / 'torch_reference.npz'
NETWORKS = ['elman_tanh', 'elman_relu', 'gru_tanh', 'lstm_tanh', 'gru_tanh_nobias']


@pytest.fixture(params=NETWORKS)
def stored(request):
    with np.load(STORED, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    prefix = f'{request.param}/'
    return request.param, {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def model_of(network, arrays):
    cell, nonlinearity, *rest = network.split('_')
    hidden_size = arrays['weights/weight_hh_l0'].shape[1]
    model = SequenceModel(
        inputs=['u', 'v', 'w'],
        outputs=['y', 'z'],
        cell=cell,
        hidden_size=hidden_size,
        num_layers=2,
        nonlinearity=nonlinearity,
        bias='nobias' not in rest,
    )
    model.weights = {
        name.removeprefix('weights/'): array
        for name, array in arrays.items()
        if name.startswith('weights/')
    }
    return model


def assert_agree(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14 * max(1.0, np.abs(theirs).max()))


def test_outputs_and_gradients_agree(stored):
    network, arrays = stored
    model = model_of(network, arrays)
    trace = model.forward(arrays['x'])
    assert_agree(trace.outputs, arrays['y'])
    assert_agree(trace.vjp(arrays['y_bar']).inputs(), arrays['x_grad'])
    gradients = trace.vjp(arrays['y_bar']).weights()
    assert list(gradients) == list(model.weights)
    for name, gradient in gradients.items():
        assert_agree(gradient, arrays[f'grads/{name}'])


def test_every_stored_network_is_compared():
    with np.load(STORED, allow_pickle=False) as file:
        assert {name.split('/')[0] for name in file.files} == set(NETWORKS)
