"""Interrupted training goes on to the same result, to the last bit."""

import numpy as np
import pytest

from mdao_seq.sequence.errors import WeightFileError
from mdao_seq.sequence.training import loop
from mdao_seq.sequence.training.objective import Objective
from tests.sequence.networks import tank_data, tank_model

INPUTS, OUTPUTS = tank_data(count=12, seq_len=8)
SETTINGS = {'epochs': 9, 'batch_size': 4, 'patience': 3}

every_optimizer = pytest.mark.parametrize(
    'settings', [{}, {'window': 3}, {'schedule': 'cosine'}, {'optimizer': 'lbfgs'}]
)


def model():
    return tank_model(hidden_size=4)


def fit(of, path=None, **settings):
    return of.fit(INPUTS, OUTPUTS, checkpoint=path, **{**SETTINGS, **settings})


def same_weights(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def interrupt(monkeypatch, error, after):
    """Raise an error where the loss is measured for the so-manieth time."""
    real, calls = Objective.loss, []

    def loss(*arguments):
        calls.append(1)
        if len(calls) == after:
            monkeypatch.setattr(Objective, 'loss', real)
            raise error
        return real(*arguments)

    monkeypatch.setattr(Objective, 'loss', loss)


@every_optimizer
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(settings, monkeypatch, tmp_path):
    expected = model()
    history = fit(expected, **settings)
    path = tmp_path / 'run.safetensors'
    first = model()
    interrupt(monkeypatch, KeyboardInterrupt, after=4)
    assert fit(first, path, **settings).stopped == 'interrupted'
    # In the same process, or in another with a new model.
    for again in (first, model()):
        copy = tmp_path / f'{id(again)}.safetensors'
        copy.write_bytes(path.read_bytes())
        assert fit(again, copy, **settings) == history
        assert same_weights(again, expected)


def test_a_crash_loses_little(monkeypatch, tmp_path):
    """Whatever the error, the last whole epoch is in the file."""
    expected = model()
    history = fit(expected)
    path = tmp_path / 'run.safetensors'
    interrupt(monkeypatch, MemoryError, after=5)
    with pytest.raises(MemoryError):
        fit(model(), path)
    again = model()
    assert fit(again, path) == history
    assert same_weights(again, expected)


def test_it_is_written_while_it_goes(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, '_BETWEEN_CHECKPOINTS', 0.0)
    path = tmp_path / 'run.safetensors'
    seen = []
    real = Objective.loss
    monkeypatch.setattr(Objective, 'loss', lambda *a: (seen.append(path.exists()), real(*a))[1])
    fit(model(), path)
    assert seen[:3] == [False, True, True]
    assert [each.name for each in tmp_path.iterdir()] == ['run.safetensors']


def test_a_run_that_has_ended_is_not_repeated_unless_it_may_go_further(monkeypatch, tmp_path):
    path = tmp_path / 'run.safetensors'
    short = model()
    fit(short, path, epochs=3)
    longer, expected = model(), model()
    history = fit(longer, path, epochs=6)
    assert history == fit(expected, epochs=6)
    assert same_weights(longer, expected)
    monkeypatch.setattr(Objective, 'windows', None)
    again = model()
    assert fit(again, path, epochs=6) == history
    assert same_weights(again, expected)


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / 'run.safetensors'
    fit(model(), path)
    with pytest.raises(ValueError, match=r'run.safetensors.*another run: batch_size 4 there and 6'):
        fit(model(), path, batch_size=6)
    with pytest.raises(ValueError, match='another run: hidden_size 4 there and 5 here'):
        fit(tank_model(hidden_size=5), path)
    with pytest.raises(ValueError, match='another run: data'):
        model().fit(INPUTS, {'level': OUTPUTS['level'] + 1.0}, checkpoint=path, **SETTINGS)


def test_damage_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / 'run.safetensors'
    fit(model(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    with pytest.raises(WeightFileError, match=r'run\.safetensors: damaged'):
        fit(model(), path)
    model().save(path)
    with pytest.raises(WeightFileError, match='not a training checkpoint'):
        fit(model(), path)


def test_each_seed_has_a_file_of_its_own(tmp_path):
    path = tmp_path / 'run.safetensors'
    runs = model().fit_seeds(INPUTS, OUTPUTS, seeds=[0, 1], checkpoint=path, **SETTINGS)
    assert {each.name for each in tmp_path.iterdir()} == {'run-0.safetensors', 'run-1.safetensors'}
    again = model().fit_seeds(INPUTS, OUTPUTS, seeds=[0, 1], checkpoint=path, **SETTINGS)
    assert again.histories == runs.histories
