"""Model files: whole, or an error that names them."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from mdao_seq import SequenceModel
from mdao_seq.sequence import weight_file
from mdao_seq.sequence.errors import WeightFileError
from tests.sequence.networks import every_cell, small_model, tank_data


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / 'model.safetensors'
    small_model().save(path)
    return path


def content(path):
    with safe_open(path, framework='numpy') as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}


def rewrite(path, metadata=None, tensors=None):
    """Save the file again, with changes and a checksum that goes with them."""
    old_metadata, old_tensors = content(path)
    metadata, tensors = old_metadata | (metadata or {}), old_tensors | (tensors or {})
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    metadata['checksum'] = weight_file.checksum(metadata['model'], tensors)
    save_file(tensors, path, metadata=metadata)


@every_cell
@pytest.mark.parametrize('bias', [True, False])
def test_round_trip_is_exact(cell, nonlinearity, bias, tmp_path):
    model = small_model(cell, nonlinearity, bias=bias)
    model.save(tmp_path / 'model.safetensors')
    loaded = SequenceModel.load(str(tmp_path / 'model.safetensors'))
    assert repr(loaded) == repr(model)
    for name in ('inputs', 'static_inputs', 'outputs', 'nonlinearity', 'bias'):
        assert getattr(loaded, name) == getattr(model, name)
    assert list(loaded.weights) == list(model.weights)
    x = np.random.default_rng(0).standard_normal((2, 5, 3))
    np.testing.assert_array_equal(loaded.forward(x).outputs, model.forward(x).outputs)


def test_round_trip_of_a_fitted_model_with_everything(tmp_path):
    inputs, outputs = tank_data(count=10, seq_len=5)
    model = SequenceModel(
        'pump', 'level', 'demand', hidden_size=3, feedthrough=True, initial_state='learned'
    )
    model.fit(inputs, outputs, epochs=2)
    model.save(tmp_path / 'model.safetensors')
    loaded = SequenceModel.load(tmp_path / 'model.safetensors')
    np.testing.assert_array_equal(loaded.predict(inputs)['level'], model.predict(inputs)['level'])
    np.testing.assert_array_equal(loaded.input_range, model.input_range)


def test_files_of_version_1_are_read(saved):
    """They know no feed-through, no learned states and no range of the inputs."""
    description = json.loads(content(saved)[0]['model'])
    old = {k: v for k, v in description.items() if k not in ('feedthrough', 'initial_state')}
    rewrite(saved, {'version': '1', 'model': json.dumps(old)})
    loaded = SequenceModel.load(saved)
    assert (loaded.feedthrough, loaded.initial_state, loaded.input_range) == (False, 'zeros', None)
    x = np.ones((1, 4, 3))
    np.testing.assert_array_equal(loaded.forward(x).outputs, small_model().forward(x).outputs)


def test_file_is_plain_safetensors_under_pytorch_names(saved):
    metadata, tensors = content(saved)
    assert metadata['format'] == 'mdao_seq.sequence_model'
    assert metadata['version'] == '2'
    assert json.loads(metadata['model'])['static_inputs'] == [
        {'name': 'demand', 'units': 'm**3/s', 'desc': 'drawn all day'}
    ]
    assert set(small_model().weights) < set(tensors)
    assert all(tensor.dtype == np.float64 for tensor in tensors.values())


def test_missing_file_is_the_usual_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        SequenceModel.load(tmp_path / 'nowhere.safetensors')


@pytest.mark.parametrize('length', [0, 4, 100, -1])
def test_truncated_file(saved, length):
    whole = saved.read_bytes()
    saved.write_bytes(whole[:length])
    with pytest.raises(WeightFileError, match=r'model.safetensors: damaged, or not a safetensors'):
        SequenceModel.load(saved)


def test_every_flipped_byte_is_noticed(saved):
    whole = saved.read_bytes()
    for place in np.random.default_rng(0).choice(len(whole), 200, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        saved.write_bytes(damaged)
        with pytest.raises(WeightFileError, match=r'model\.safetensors'):
            SequenceModel.load(saved)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / 'other.bin'
    path.write_bytes(b'\x80\x04' + b'pickle?' * 40)
    with pytest.raises(WeightFileError, match=r'other.bin: damaged, or not a safetensors file'):
        SequenceModel.load(path)
    save_file({'a': np.zeros(2)}, path)
    with pytest.raises(WeightFileError, match=r"other.bin: its format is None, not 'mdao_seq"):
        SequenceModel.load(path)


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        ({'version': '3'}, "its format version is '3'; this mdao_seq reads versions 1 to 2"),
        ({'format': 'onnx'}, "its format is 'onnx'"),
        ({'model': '{'}, 'not a whole model'),
        ({'model': '[]'}, 'not a whole model'),
        ({'model': '{"cell": "lstm"}'}, "not a whole model: .*'hidden_size'"),
    ],
)
def test_wrong_metadata(saved, metadata, message):
    rewrite(saved, metadata)
    with pytest.raises(WeightFileError, match=rf'model.safetensors: {message}'):
        SequenceModel.load(saved)


@pytest.mark.parametrize(
    ('tensors', 'message'),
    [
        ({'head_bias': None}, r"missing \['head_bias'\]"),
        ({'head_bias': np.zeros(5)}, r"weight 'head_bias' has shape \(5,\)"),
        ({'head_bias': np.array([np.nan, 0.0])}, r"weight 'head_bias'\[0\] = nan"),
        ({'input_normalization.mean': None}, 'input_normalization.mean'),
        ({'input_normalization.mean': np.zeros(7)}, r'shapes \(7,\) and \(3,\), not \(3,\)'),
        ({'output_normalization.scale': np.zeros(2)}, 'must be finite, its scale positive'),
    ],
)
def test_wrong_tensors(saved, tensors, message):
    rewrite(saved, tensors=tensors)
    with pytest.raises(
        WeightFileError, match=rf'model.safetensors: not a whole model: .*{message}'
    ):
        SequenceModel.load(saved)


def test_checksum_covers_the_description(saved):
    metadata, tensors = content(saved)
    metadata['model'] = metadata['model'].replace('"level"', '"depth"')
    save_file(tensors, saved, metadata=metadata)
    with pytest.raises(WeightFileError, match='does not match its checksum'):
        SequenceModel.load(saved)


def test_existing_file_outlives_a_failed_save(saved, monkeypatch):
    before = saved.read_bytes()

    def half_written(tensors, path, metadata):
        path.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(weight_file, 'save_file', half_written)
    with pytest.raises(OSError, match='disk full'):
        small_model(seed=9).save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ['model.safetensors']
