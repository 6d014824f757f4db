"""Weights from PyTorch and to it: by stored numbers, and by itself where it is installed."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from mdao_seq import SequenceModel
from mdao_seq.sequence.errors import WeightFileError
from tests.sequence.networks import every_cell, small_model
from tests.sequence.test_torch_reference import NETWORKS, assert_agree, stored  # noqa: F401


def named(weights, layers='layers', head='out.linear'):
    """Return weights under the names that a module of the user's might have."""
    return {
        f'{head}.{name.removeprefix("head_")}' if 'head' in name else f'{layers}.{name}': value
        for name, value in weights.items()
    }


def state_dict_of(arrays):
    return named(
        {
            name.removeprefix('weights/'): value
            for name, value in arrays.items()
            if name.startswith('weights/')
        }
    )


def test_a_modules_weights_give_its_outputs(stored, tmp_path):  # noqa: F811
    network, arrays = stored
    tensors = state_dict_of(arrays)
    path = tmp_path / 'module.safetensors'
    save_file(tensors, path)
    cell, nonlinearity, *_ = network.split('_')
    for given in (tensors, path):
        model = SequenceModel.from_torch(given, ['u', 'v'], ['y', 'z'], 'w', nonlinearity)
        assert (model.cell, model.num_layers) == (cell, 2)
        assert_agree(model.forward(arrays['x']).outputs, arrays['y'])


@every_cell
def test_the_normalisation_becomes_part_of_the_weights(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    x = np.random.default_rng(0).standard_normal((2, 7, 3))
    back = SequenceModel.from_torch(
        model.to_torch(), model.inputs, model.outputs, model.static_inputs, nonlinearity
    )
    assert not back.is_fitted
    np.testing.assert_allclose(back.forward(x).outputs, model.forward(x).outputs, rtol=1e-12)


@pytest.mark.parametrize('cell', ['elman', 'gru', 'lstm'])
def test_pytorch_itself_agrees(cell):
    torch = pytest.importorskip('torch', reason='PyTorch is not installed')
    model = small_model(cell)

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kind = {'elman': torch.nn.RNN, 'gru': torch.nn.GRU, 'lstm': torch.nn.LSTM}[cell]
            self.rnn = kind(3, model.hidden_size, model.num_layers, batch_first=True)
            self.head = torch.nn.Linear(model.hidden_size, 2)

        def forward(self, x):
            return self.head(self.rnn(x)[0])

    module = Module().double()
    module.load_state_dict({name: torch.from_numpy(v) for name, v in model.to_torch().items()})
    x = np.random.default_rng(0).standard_normal((2, 7, 3))
    theirs = module(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(model.forward(x).outputs, theirs, rtol=1e-12)
    back = SequenceModel.from_torch(module.state_dict(), ['a', 'b', 'c'], ['y', 'z'])
    np.testing.assert_allclose(back.forward(x).outputs, theirs, rtol=1e-12)


def weights(**changes):
    found = named(dict(small_model('gru', num_layers=1).weights))
    found.update(changes)
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ('tensors', 'message'),
    [
        ({'out.weight': np.ones((2, 3))}, 'one stack of recurrent layers is needed'),
        (weights(**{'layers.weight_hr_l0': np.ones((2, 5))}), 'bidirectional or a projected'),
        (weights(**{'other.weight': np.ones((2, 2))}), 'one linear head with a bias is needed'),
        (weights(**{'out.linear.bias': None}), 'one linear head with a bias is needed'),
        (weights(**{'layers.weight_hh_l0': np.ones((10, 5))}), r'\(10, 5\): of no known cell'),
        (weights(**{'more.weight_ih_l1': np.ones((15, 5))}), 'there are 2'),
        (weights(), "weight 'weight_ih_l0' has shape"),
    ],
)
def test_what_is_no_such_module_is_named(tensors, message):
    with pytest.raises(ValueError, match=message):
        SequenceModel.from_torch(tensors, 'x', ['y', 'z'])


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nothing\.safetensors: no such file'):
        SequenceModel.from_torch(tmp_path / 'nothing.safetensors', 'x', 'y')
    pickle = tmp_path / 'module.pt'
    pickle.write_bytes(b'PK\x03\x04 a pickle in a zip')
    with pytest.raises(WeightFileError, match=r'module\.pt: damaged, or not a safetensors file'):
        SequenceModel.from_torch(pickle, 'x', 'y')


def test_means_need_biases():
    with pytest.raises(ValueError, match='make the model with bias=True'):
        small_model('lstm', bias=False).to_torch()
