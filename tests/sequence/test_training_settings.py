"""What can be set of training: windows, washout, lengths, optimizers, schedules, seeds."""

import numpy as np
import pytest

from mdao_seq import SequenceModel
from mdao_seq.sequence.errors import InputError
from mdao_seq.sequence.training.examples import Examples
from mdao_seq.sequence.training.history import History
from mdao_seq.sequence.training.objective import Objective
from mdao_seq.sequence.training.optimizers.lbfgs import LBFGS
from mdao_seq.sequence.training.schedules import make_schedule
from mdao_seq.sequence.training.settings import Settings
from tests.sequence.networks import tank_data, tank_model

QUICK = {'epochs': 6, 'batch_size': 8}


def trained(inputs, outputs, **settings):
    model = tank_model(hidden_size=4)
    history = model.fit(inputs, outputs, **{**QUICK, **settings})
    return model, history


def same_weights(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def one_long_sequence(seq_len=150):
    inputs, outputs = tank_data(count=1, seq_len=seq_len)
    return inputs, outputs


@pytest.mark.parametrize('settings', [{}, {'window': 4}, {'optimizer': 'lbfgs'}])
def test_washout_steps_count_for_nothing(settings):
    """Outputs there may be anything; the normalisation sees them, so it is set beforehand."""
    inputs, outputs = tank_data(count=20)
    spoiled = {'level': outputs['level'].copy()}
    spoiled['level'][:, :5] += 0.3
    found = []
    for given in (outputs, spoiled):
        model = tank_model(hidden_size=4)
        model.fit(inputs, outputs, epochs=1)
        history = model.fit(inputs, given, washout=5, **QUICK, **settings)
        found.append((model, history))
    (one, history), (other, other_history) = found
    assert same_weights(one, other)
    assert history == other_history


@pytest.mark.parametrize('settings', [{}, {'window': 3}, {'optimizer': 'lbfgs'}])
def test_what_is_past_the_end_of_a_sequence_counts_for_nothing(settings):
    inputs, outputs = tank_data(count=12, seq_len=8)
    lengths = np.random.default_rng(0).integers(2, 9, 12)
    past = np.arange(8) >= lengths[:, np.newaxis]
    fillings = []
    for value in (0.0, 1e3):
        filled = {**inputs, 'pump': np.where(past, value, inputs['pump'])}
        levels = {'level': np.where(past, -value, outputs['level'])}
        fillings.append(trained(filled, levels, lengths=lengths, **settings))
    (one, history), (other, other_history) = fillings
    assert same_weights(one, other)
    assert history == other_history
    np.testing.assert_array_equal(one.input_normalization.mean, other.input_normalization.mean)
    np.testing.assert_array_equal(one.input_range, other.input_range)


def test_gradients_of_windows_end_at_their_borders():
    """Against the complex step of a window's loss, the state before it held constant."""
    inputs, outputs = tank_data(count=3, seq_len=7)
    model = tank_model(hidden_size=3)
    model.fit(inputs, outputs, epochs=1)
    x, y = model.pack_inputs(inputs), outputs['level'][..., np.newaxis]
    settings = Settings(window=3, weight_decay=0.1)
    objective = Objective(model, Examples(x, y), settings)
    scale, weights = model.output_normalization.scale, dict(model.weights)
    state, start = None, 0
    for found in objective.windows(np.arange(3)):
        window = slice(start, start + 3)

        def loss(name, direction, window=window, state=state):
            stepped = weights | {name: weights[name] + 1e-30j * direction}
            outputs = model.forward(x[:, window], stepped, state).outputs
            return np.mean(((outputs - y[:, window]) / scale) ** 2).imag / 1e-30

        gradient = objective.parameters.flattened(
            {
                name: np.array([loss(name, unit.reshape(w.shape)) for unit in np.eye(w.size)])
                for name, w in weights.items()
            }
        )
        gradient += 0.1 * objective.parameters.values
        np.testing.assert_allclose(found.gradient, gradient, rtol=0, atol=1e-13)
        state = model.forward(x[:, window], state=state).final_state
        start += 3
    assert start == 9


def test_a_window_of_the_whole_sequence_is_none():
    inputs, outputs = tank_data(count=10)
    one, history = trained(inputs, outputs)
    other, other_history = trained(inputs, outputs, window=20)
    assert same_weights(one, other)
    assert history == other_history


def test_of_a_single_sequence_the_last_part_is_held_back():
    inputs, outputs = one_long_sequence()
    model, history = trained(inputs, outputs, validation_fraction=0.2, window=30)
    error = (model.predict(inputs)['level'] - outputs['level'])[:, 120:]
    expected = np.mean(error**2) / model.output_normalization.scale[0] ** 2
    assert history.best_loss == pytest.approx(expected, rel=1e-12)
    assert model.output_normalization.mean[0] == pytest.approx(outputs['level'][:, :120].mean())
    spoiled = {'level': np.where(np.arange(150) >= 120, 0.0, outputs['level'])}
    other, _ = trained(inputs, spoiled, validation_fraction=0.2, window=30, patience=100)
    np.testing.assert_array_equal(
        other.output_normalization.scale, model.output_normalization.scale
    )


def test_a_washout_longer_than_the_sequences_is_an_error():
    with pytest.raises(InputError, match='washout = 20 leaves no time step of 16 sequence'):
        trained(*tank_data(count=20), washout=20)


def test_lbfgs_directions_are_those_of_the_whole_inverse_hessian():
    """The two-loop recursion against updates of the matrix (Nocedal and Wright, 6.17, 7.20)."""
    rng = np.random.default_rng(0)
    hessian = np.diag(rng.uniform(0.5, 3.0, 6))
    optimizer = LBFGS(6, memory=4)
    steps = rng.standard_normal((6, 6))
    for step in steps:
        optimizer._remember(step, hessian @ step)
    kept = steps[-4:]
    last, change = kept[-1], hessian @ kept[-1]
    inverse = np.eye(6) * (last @ change) / (change @ change)
    for step in kept:
        change = hessian @ step
        rho = 1.0 / (step @ change)
        left = np.eye(6) - rho * np.outer(step, change)
        inverse = left @ inverse @ left.T + rho * np.outer(step, step)
    gradient = rng.standard_normal(6)
    np.testing.assert_allclose(optimizer.direction(gradient), -inverse @ gradient, rtol=1e-12)


def test_lbfgs_goes_down_and_further_than_adam():
    inputs, outputs = tank_data(count=10)
    losses = {}
    for optimizer in ('adam', 'lbfgs'):
        settings = {'epochs': 60, 'validation_fraction': 0.0, 'optimizer': optimizer}
        _, history = trained(inputs, outputs, **settings)
        losses[optimizer] = history.train_loss
    assert np.all(np.diff(losses['lbfgs']) <= 0.0)
    assert losses['lbfgs'][-1] < 0.2 * losses['adam'][-1]


def test_lbfgs_is_done_where_there_is_no_way_down():
    """At the minimum of a linear least squares problem; training ends by its patience."""
    u = np.random.default_rng(0).standard_normal((4, 5))
    model = SequenceModel('u', 'y', cell='elman', nonlinearity='relu', hidden_size=1)
    history = model.fit({'u': u}, {'y': 0.0 * u}, optimizer='lbfgs', validation_fraction=0.0)
    assert history.stopped == 'patience'
    assert history.best_loss < 1e-20


def test_weight_decay_makes_weights_smaller():
    inputs, outputs = tank_data(count=10)
    for optimizer in ('adam', 'lbfgs'):
        sizes = []
        for decay in (0.0, 0.1):
            model, _ = trained(inputs, outputs, epochs=40, optimizer=optimizer, weight_decay=decay)
            sizes.append(sum(np.sum(w * w) for w in model.weights.values()))
        assert sizes[1] < 0.8 * sizes[0]


def test_cosine_schedule():
    """As torch.optim.lr_scheduler.CosineAnnealingLR(T_max=4)."""
    schedule = make_schedule('cosine', epochs=4, patience=10)
    expected = [1.0, 0.8535533905932737, 0.5, 0.14644660940672627]
    np.testing.assert_allclose([schedule.factor(epoch) for epoch in range(4)], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ('schedule', 'rates'),
    [
        ('constant', [0.1, 0.1, 0.1]),
        (lambda epoch: 0.5**epoch, [0.1, 0.05, 0.025]),
    ],
)
def test_rates_are_in_the_history(schedule, rates):
    _, history = trained(*tank_data(count=5), epochs=3, learning_rate=0.1, schedule=schedule)
    np.testing.assert_allclose(history.learning_rate, rates)
    assert len(history.gradient_norm) == 3 and min(history.gradient_norm) > 0.0


def test_learned_initial_states_are_trained():
    """Data of a network that does not start from zero; all other weights are known."""
    options = {'cell': 'elman', 'hidden_size': 2, 'initial_state': 'learned'}
    truth = SequenceModel('u', 'y', seed=4, **options)
    start = np.array([[0.9, -0.7]])
    truth.weights = dict(truth.weights) | {'h0': start}
    model = SequenceModel('u', 'y', seed=4, **options)
    u = np.random.default_rng(0).standard_normal((10, 6))
    y = truth.predict({'u': u})
    history = model.fit({'u': u}, y, epochs=300, optimizer='lbfgs', validation_fraction=0)
    assert history.best_loss < 1e-3 * history.train_loss[0]
    assert np.any(model.weights['h0'])


class TestSeveralSeeds:
    inputs, outputs = tank_data(count=12, seq_len=8)

    def test_each_is_a_run_of_its_own(self):
        model = tank_model(hidden_size=4)
        runs = model.fit_seeds(self.inputs, self.outputs, seeds=[3, 5, 8], **QUICK)
        for seed, found, history in zip(runs.seeds, runs.models, runs.histories, strict=True):
            alone = tank_model(hidden_size=4, seed=seed)
            assert alone.fit(self.inputs, self.outputs, seed=seed, **QUICK) == history
            assert same_weights(alone, found)
        assert same_weights(model, tank_model(hidden_size=4))
        losses = [history.best_loss for history in runs.histories]
        assert runs.best is runs.models[int(np.argmin(losses))]
        assert runs.ensemble(2).models[0] is runs.best
        assert len(runs.ensemble()) == 3

    def test_processes_share_them(self):
        model = tank_model(hidden_size=4)
        one, two = (
            model.fit_seeds(self.inputs, self.outputs, seeds=[0, 1], workers=workers, **QUICK)
            for workers in (1, 2)
        )
        assert one.histories == two.histories
        assert all(map(same_weights, one.models, two.models))

    @pytest.mark.parametrize('seeds', [[], [1, 1]])
    def test_bad_seeds(self, seeds):
        with pytest.raises(ValueError, match=r'seeds = .*: at least one is needed'):
            tank_model().fit_seeds(self.inputs, self.outputs, seeds=seeds)


def test_a_history_can_be_plotted():
    plt = pytest.importorskip('matplotlib.pyplot', reason='matplotlib is not installed')
    history = History(
        [4.0, 1.0, 0.5], [5.0, 1.0, 2.0], [0.1, 0.1, 0.05], [1.0, 1.0, 1.0], best_epoch=1
    )
    ax = history.plot()
    curves = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    np.testing.assert_allclose(curves['validation'], np.sqrt([5.0, 1.0, 2.0]))
    np.testing.assert_allclose(curves['training'], np.sqrt([4.0, 1.0, 0.5]))
    assert list(curves['learning rate halved']) == [0, 1]
    assert any(label.startswith('kept: epoch 2') for label in curves)
    assert history.plot(ax) is ax
    plt.close('all')


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'optimizer': 'sgd'}, "optimizer 'sgd' is not one of 'adam', 'lbfgs'"),
        ({'schedule': 'step'}, "schedule 'step' is not one of 'plateau', 'constant', 'cosine'"),
        ({'schedule': lambda epoch: -1.0}, r'schedule\(0\) = -1.0'),
        ({'window': 0}, 'window = 0: must be an integer of at least 1'),
        ({'window': 5, 'optimizer': 'lbfgs'}, "window = 5 with optimizer 'lbfgs'"),
        ({'washout': -1}, 'washout = -1'),
        ({'weight_decay': -0.1}, 'weight_decay = -0.1: must not be negative'),
        ({'lengths': [3]}, r'lengths are int64 of shape \(1,\)'),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        trained(*tank_data(count=5), **settings)


def test_an_unknown_setting_lists_those_there_are():
    with pytest.raises(TypeError, match="'learning_rates'; there are validation_fraction, epochs"):
        trained(*tank_data(count=5), learning_rates=0.1)
