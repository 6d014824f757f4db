"""The network: its products, its names and its errors."""

import copy
import pickle

import numpy as np
import pytest

from mdao_seq import SequenceModel, Signal
from mdao_seq.sequence.errors import InputError
from tests.sequence.networks import every_cell, small_model

BATCH_SIZE, SEQ_LEN = 3, 6


def arrays_for(model, *names):
    rng = np.random.default_rng(5)
    size = {'x': model.input_size, 'y': model.output_size}
    return [rng.standard_normal((BATCH_SIZE, SEQ_LEN, size[name])) for name in names]


def named_values(seed=0):
    rng = np.random.default_rng(seed)
    return {
        'speed': rng.normal(1.0, 0.5, (BATCH_SIZE, SEQ_LEN)),
        'valve': rng.normal(-0.5, 2.0, (BATCH_SIZE, SEQ_LEN)),
        'demand': rng.normal(2.0, 3.0, BATCH_SIZE),
    }


def assert_close(a, b, rtol):
    np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@every_cell
@pytest.mark.parametrize('num_layers', [1, 3])
@pytest.mark.parametrize('bias', [True, False])
def test_products(cell, nonlinearity, num_layers, bias):
    model = small_model(cell, nonlinearity, num_layers=num_layers, bias=bias)
    x, d_x, y_bar = arrays_for(model, 'x', 'x', 'y')
    trace = model.forward(x)
    d_y = trace.jvp(d_x).outputs
    assert_close(d_y, model.forward(x + 1e-30j * d_x).outputs.imag / 1e-30, 1e-13)
    x_bar = trace.vjp(y_bar).inputs()
    assert np.vdot(d_y, y_bar) == pytest.approx(np.vdot(d_x, x_bar), rel=1e-12)


@every_cell
def test_sensitivity_to_weights(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    x, y_bar = arrays_for(model, 'x', 'y')
    rng = np.random.default_rng(8)
    gradients = model.forward(x).vjp(y_bar).weights()
    for changed, gradient in gradients.items():
        d_weight = rng.standard_normal(gradient.shape)
        moved = dict(model.weights)
        moved[changed] = moved[changed] + 1e-30j * d_weight
        d_y = model.forward(x, moved).outputs.imag / 1e-30
        assert np.vdot(gradient, d_weight) == pytest.approx(np.vdot(y_bar, d_y), rel=1e-11)


@every_cell
def test_products_of_a_complex_run_are_not_conjugated(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    x, d_x, shift, y_bar = arrays_for(model, 'x', 'x', 'x', 'y')
    trace = model.forward(x + 0.1j * shift)
    d_y = trace.jvp(d_x).outputs
    difference = model.forward(x + 0.1j * shift + 1e-6 * d_x).outputs
    difference = (difference - model.forward(x + 0.1j * shift - 1e-6 * d_x).outputs) / 2e-6
    assert_close(d_y, difference, 1e-7)
    assert np.sum(d_y * y_bar) == pytest.approx(np.sum(d_x * trace.vjp(y_bar).inputs()), rel=1e-12)


@every_cell
def test_outputs_do_not_look_ahead(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    (x,) = arrays_for(model, 'x')
    later = x.copy()
    later[:, 4:] += 1.0
    np.testing.assert_array_equal(
        model.forward(x).outputs[:, :4], model.forward(later).outputs[:, :4]
    )
    y_bar = np.zeros((BATCH_SIZE, SEQ_LEN, model.output_size))
    y_bar[:, 3] = 1.0
    assert not model.forward(x).vjp(y_bar).inputs()[:, 4:].any()


def test_predict_names_and_units_in_units_out():
    model = small_model()
    values = named_values()
    outputs = model.predict(values)
    assert list(outputs) == ['level', 'power']
    x = np.stack(
        [values['speed'], values['valve'], np.tile(values['demand'][:, None], SEQ_LEN)], axis=-1
    )
    np.testing.assert_array_equal(outputs['power'], model.forward(x).outputs[..., 1])
    identity = small_model()
    identity.input_normalization = type(model.input_normalization).identity(3)
    identity.output_normalization = type(model.input_normalization).identity(2)
    normalized = (x - [1.0, -0.5, 2.0]) / [0.5, 2.0, 3.0]
    expected = identity.forward(normalized).outputs * [0.7, 40.0] + [3.0, 50.0]
    assert_close(outputs['level'], expected[..., 0], 1e-14)


def test_predict_is_complex_for_complex_inputs():
    values = named_values()
    moved = values | {'demand': values['demand'] + 1e-30j}
    outputs = small_model().predict(moved)
    assert outputs['level'].dtype == complex
    assert np.all(outputs['level'].imag != 0.0)
    np.testing.assert_allclose(
        outputs['level'].real, small_model().predict(values)['level'], rtol=1e-13
    )


def test_initial_weights_follow_pytorch_and_the_seed():
    model = SequenceModel('u', 'y', cell='gru', hidden_size=16, num_layers=2)
    assert {name: weight.shape for name, weight in model.weights.items()} == {
        'weight_ih_l0': (48, 1),
        'weight_hh_l0': (48, 16),
        'bias_ih_l0': (48,),
        'bias_hh_l0': (48,),
        'weight_ih_l1': (48, 16),
        'weight_hh_l1': (48, 16),
        'bias_ih_l1': (48,),
        'bias_hh_l1': (48,),
        'head_weight': (1, 16),
        'head_bias': (1,),
    }
    drawn = np.concatenate([weight.ravel() for weight in model.weights.values()])
    assert model.num_weights == drawn.size
    assert np.abs(drawn).max() <= 0.25
    assert np.std(drawn) == pytest.approx(0.5 / np.sqrt(12.0), rel=0.05)
    same, other = (
        SequenceModel('u', 'y', cell='gru', hidden_size=16, num_layers=2, seed=seed)
        for seed in (0, 1)
    )
    np.testing.assert_array_equal(same.weights['head_weight'], model.weights['head_weight'])
    assert np.any(other.weights['head_weight'] != model.weights['head_weight'])


def test_weights_are_read_only_also_in_copies():
    model = small_model()
    for each in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(ValueError, match='read-only'):
            each.weights['head_bias'][0] = 1.0
        with pytest.raises(TypeError):
            each.weights['head_bias'] = np.zeros(2)
        np.testing.assert_array_equal(
            each.predict(named_values())['level'], model.predict(named_values())['level']
        )


def test_trace_is_current_until_the_model_changes():
    model = small_model()
    (x,) = arrays_for(model, 'x')
    trace = model.forward(x)
    assert model.is_current(trace)
    model.weights = {name: 2.0 * weight for name, weight in model.weights.items()}
    assert not model.is_current(trace)


def test_repr_names_what_goes_in_and_out():
    assert repr(small_model()) == (
        'SequenceModel(speed, valve; demand -> level, power: lstm, hidden_size=5, num_layers=2, '
        '452 weights)'
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'cell': 'transformer'}, "cell 'transformer' is not one of"),
        ({'cell': 'gru', 'nonlinearity': 'relu'}, "nonlinearity 'relu' of cell 'gru'"),
        ({'hidden_size': 0}, 'hidden_size = 0: must be an integer of at least 1'),
        ({'num_layers': 1.5}, r'num_layers = 1.5: must be an integer'),
        ({'inputs': []}, 'inputs must name at least 1'),
        ({'outputs': ()}, 'outputs must name at least 1'),
        ({'inputs': ['u', 'u']}, "inputs name 'u' more than once"),
        ({'static_inputs': 'y'}, "inputs, static_inputs and outputs name 'y' more than once"),
        ({'inputs': 'pump speed'}, "signal name 'pump speed' is not an identifier"),
    ],
)
def test_bad_arguments_are_value_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        SequenceModel(**({'inputs': 'u', 'outputs': 'y'} | arguments))


def test_signal_names_may_be_joined_by_colons():
    assert Signal('tank:level', units='m').name == 'tank:level'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'speed': None}, "input: missing 'speed'; the model has speed, valve, demand"),
        ({'wind': np.ones(3)}, "input: unknown 'wind'; the model has"),
        ({'speed': np.ones(6)}, r"input 'speed' has shape \(6,\); .* value\[np.newaxis, :\]"),
        ({'speed': np.ones((0, 6))}, r"input 'speed' has shape \(0, 6\)"),
        ({'valve': np.ones((3, 5))}, r"input 'valve' has shape \(3, 5\); .* = \(3, 6\), to go"),
        ({'demand': np.ones((3, 6))}, r"input 'demand' has shape \(3, 6\); .*\(batch_size,\)"),
    ],
)
def test_bad_inputs_name_the_signal(changes, message):
    values = {name: v for name, v in (named_values() | changes).items() if v is not None}
    with pytest.raises(InputError, match=message):
        small_model().predict(values)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_values_that_are_not_finite_are_placed(bad):
    values = named_values()
    values['valve'][2, 4] = bad
    with pytest.raises(InputError, match=rf"input 'valve'\[2, 4\] = {bad}: must be finite"):
        small_model().predict(values)


def test_forward_refuses_a_wrong_shape():
    with pytest.raises(InputError, match=r'x has shape \(3, 6, 2\); it must be .* 3\)'):
        small_model().forward(np.zeros((3, 6, 2)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'head_bias': None}, r"missing \['head_bias'\]"),
        ({'head_gain': np.ones(2)}, r"not of this network \['head_gain'\]"),
        ({'head_bias': np.ones(3)}, r"weight 'head_bias' has shape \(3,\); the network needs"),
        ({'head_bias': np.array([0.0, np.nan])}, r"weight 'head_bias'\[1\] = nan: must be finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, message):
    model = small_model()
    given = {k: v for k, v in (dict(model.weights) | change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        model.weights = given
