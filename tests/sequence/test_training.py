"""Training: it learns, stops where it should, and repeats itself."""

import numpy as np
import pytest

from mdao_seq import SequenceModel
from mdao_seq.sequence.cells import CELLS
from mdao_seq.sequence.errors import InputError, TrainingDiverged
from mdao_seq.sequence.normalization import Normalization
from mdao_seq.sequence.training.objective import Objective
from mdao_seq.sequence.training.optimizers.adam import Adam
from mdao_seq.sequence.training.optimizers.optimizer import clipped
from tests.sequence.networks import tank_data, tank_model

QUICK = {'epochs': 8, 'batch_size': 16}


def same_weights(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def normalized_error(model, inputs, outputs):
    error = model.predict(inputs)['level'] - outputs['level']
    return np.mean(error**2) / outputs['level'].var()


@pytest.mark.parametrize('cell', list(CELLS))
def test_learns_a_tank(cell):
    inputs, outputs = tank_data()
    model = tank_model(cell)
    history = model.fit(inputs, outputs, epochs=120)
    assert len(history.train_loss) == len(history.validation_loss) <= 120
    assert min(history.validation_loss) == history.validation_loss[history.best_epoch]
    assert normalized_error(model, *tank_data(seed=99)) < 0.01


def test_recovers_a_network_of_its_own_kind():
    """Data from a one-unit Elman cell are fitted by another, from other weights."""
    truth = SequenceModel('u', 'y', cell='elman', hidden_size=1, seed=4)
    u = np.random.default_rng(0).standard_normal((40, 12))
    y = truth.predict({'u': u})
    model = SequenceModel('u', 'y', cell='elman', hidden_size=1, seed=7)
    history = model.fit({'u': u}, y, epochs=300, batch_size=8, learning_rate=0.03)
    assert min(history.validation_loss) < 1e-6


def test_is_deterministic_by_seed():
    inputs, outputs = tank_data()
    models = [tank_model() for _ in range(3)]
    histories = [
        model.fit(inputs, outputs, seed=seed, **QUICK)
        for model, seed in zip(models, (5, 5, 6), strict=True)
    ]
    assert histories[0] == histories[1]
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


def test_patience_stops_and_the_best_weights_are_kept(monkeypatch):
    losses = iter([5.0, 3.0, 4.0, 3.5, 6.0])
    kept = []

    def measured(objective, examples):
        kept.append(objective.parameters.values.copy())
        return next(losses)

    monkeypatch.setattr(Objective, 'loss', measured)
    inputs, outputs = tank_data(count=20)
    model = tank_model()
    history = model.fit(inputs, outputs, epochs=50, patience=3)
    assert history.validation_loss == [5.0, 3.0, 4.0, 3.5, 6.0]
    assert (history.best_epoch, history.stopped) == (1, 'patience')
    trained = np.concatenate([weight.ravel() for weight in model.weights.values()])
    np.testing.assert_array_equal(trained, kept[1])


def test_learning_rate_is_halved_on_a_plateau(monkeypatch):
    rates = []
    real = Adam.step
    monkeypatch.setattr(Objective, 'loss', lambda *_: 1.0)
    monkeypatch.setattr(
        Adam, 'step', lambda self, g, rate: rates.append(rate) or real(self, g, rate)
    )
    history = tank_model().fit(*tank_data(count=10), patience=10, learning_rate=0.08)
    assert (history.best_epoch, history.stopped) == (0, 'patience')
    assert rates == [0.08] * 5 + [0.04] * 4 + [0.02] * 2


def test_validation_loss_is_that_of_the_weights_kept():
    inputs, outputs = tank_data(count=20)
    model = tank_model()
    history = model.fit(inputs, outputs, seed=3, **QUICK)
    held_back = np.random.default_rng(3).permutation(20)[:4]
    error = model.predict(inputs)['level'][held_back] - outputs['level'][held_back]
    expected = np.mean(error**2) / model.output_normalization.scale[0] ** 2
    assert history.validation_loss[history.best_epoch] == pytest.approx(expected, rel=1e-12)


def test_normalisation_comes_from_what_is_trained_on_and_stays():
    inputs, outputs = tank_data(count=20)
    model = tank_model()
    model.fit(inputs, outputs, seed=3, **QUICK)
    training_set = np.random.default_rng(3).permutation(20)[4:]
    level = outputs['level'][training_set]
    assert model.output_normalization.mean[0] == pytest.approx(level.mean())
    assert model.output_normalization.scale[0] == pytest.approx(level.std())
    assert model.input_normalization.mean[1] == pytest.approx(inputs['demand'][training_set].mean())
    before = model.output_normalization
    model.fit(inputs, {'level': 2.0 * outputs['level']}, **QUICK)
    assert model.output_normalization is before


def test_constant_signals_are_not_divided_by_their_rounding():
    values = np.full((4, 5, 2), 0.1)
    values[..., 1] = np.arange(5.0)
    found = Normalization.of(values)
    np.testing.assert_allclose(found.mean, [0.1, 2.0])
    np.testing.assert_allclose(found.scale, [1.0, np.sqrt(2.0)])
    np.testing.assert_allclose(found.undo(found.apply(values)), values)


def test_without_validation_the_training_loss_decides():
    inputs, outputs = tank_data(count=1)
    history = tank_model().fit(inputs, outputs, validation_fraction=0.0, **QUICK)
    assert history.validation_loss == history.train_loss


def test_an_interrupt_keeps_the_best_weights_so_far(monkeypatch):
    inputs, outputs = tank_data(count=20)
    expected = tank_model()
    expected.fit(inputs, outputs, epochs=100)
    real, calls = Objective.loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Objective, 'loss', interrupted)
    model = tank_model()
    history = model.fit(inputs, outputs, epochs=100)
    assert history.stopped == 'interrupted'
    assert len(history.validation_loss) == 3
    assert not same_weights(model, tank_model())
    x, y = model.pack_inputs(inputs), outputs['level']
    held_back = np.random.default_rng(0).permutation(20)[:4]
    error = (model.forward(x).outputs[..., 0] - y)[held_back]
    loss = np.mean(error**2) / model.output_normalization.scale[0] ** 2
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-12)


def test_divergence_is_an_error_that_keeps_the_best_weights():
    inputs, outputs = tank_data(count=20)
    model = SequenceModel('pump', 'level', 'demand', cell='elman', nonlinearity='relu', seed=2)
    with (
        np.errstate(all='ignore'),
        pytest.raises(
            TrainingDiverged, match=r'the loss is (inf|nan) in epoch \d+ at a learning rate'
        ),
    ):
        model.fit(inputs, outputs, learning_rate=1e60, clip_norm=None)
    assert all(np.all(np.isfinite(weight)) for weight in model.weights.values())


def test_progress_bar_only_where_asked_or_on_a_terminal(capfd):
    inputs, outputs = tank_data(count=20)
    tank_model().fit(inputs, outputs, epochs=2)
    assert capfd.readouterr().err == ''
    tank_model().fit(inputs, outputs, epochs=2, progress=True)
    assert 'validation' in capfd.readouterr().err


def test_adam_against_its_formulas():
    """Two steps by hand, from Kingma and Ba's algorithm 1."""
    adam = Adam(1)
    first = adam.step(np.array([2.0]), 0.1)
    assert first[0] == pytest.approx(-0.1, rel=1e-8)
    second = adam.step(np.array([1.0]), 0.1)
    m = (0.9 * 0.2 + 0.1 * 1.0) / (1 - 0.9**2)
    v = (0.999 * 0.004 + 0.001 * 1.0) / (1 - 0.999**2)
    assert second[0] == pytest.approx(-0.1 * m / (np.sqrt(v) + 1e-8), rel=1e-12)


def test_clipping_shortens_only_long_gradients():
    np.testing.assert_allclose(clipped(np.array([3.0, 4.0]), 1.0), [0.6, 0.8])
    np.testing.assert_array_equal(clipped(np.array([0.3, 0.4]), 1.0), [0.3, 0.4])
    np.testing.assert_array_equal(clipped(np.array([3.0, 4.0]), None), [3.0, 4.0])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'validation_fraction': 1.0}, r'validation_fraction = 1.0: must be in \[0, 1\)'),
        ({'validation_fraction': -0.1}, 'validation_fraction = -0.1'),
        ({'validation_fraction': 0.99}, r'of 20 sequence\(s\) leaves none to train on'),
        ({'epochs': 0}, 'epochs = 0: must be an integer of at least 1'),
        ({'batch_size': 0}, 'batch_size = 0'),
        ({'patience': 2.5}, r'patience = 2.5'),
        ({'learning_rate': 0.0}, 'learning_rate = 0.0: must be positive'),
        ({'clip_norm': -1.0}, 'clip_norm = -1.0: must be positive'),
    ],
)
def test_bad_settings_are_value_errors(settings, message):
    model = tank_model()
    with pytest.raises(ValueError, match=message):
        model.fit(*tank_data(count=20), **settings)
    assert same_weights(model, tank_model())


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'level': None}, "output: missing 'level'"),
        ({'height': np.ones((20, 20))}, "output: unknown 'height'"),
        ({'level': np.ones((20, 19))}, r'\(20, 20\), but outputs are \(20, 19\)'),
        ({'level': np.full((20, 20), np.nan)}, r"output 'level'\[0, 0\] = nan: must be finite"),
        ({'level': np.ones((20, 20), dtype=complex)}, 'training takes real values'),
    ],
)
def test_bad_data_are_input_errors(change, message):
    inputs, outputs = tank_data(count=20)
    outputs = {k: v for k, v in (outputs | change).items() if v is not None}
    with pytest.raises(InputError, match=message):
        tank_model().fit(inputs, outputs)
