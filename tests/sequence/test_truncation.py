"""Truncated gradients: the band of the whole Jacobian, in both directions and for the weights."""

import numpy as np
import pytest

from tests.sequence.networks import every_cell, small_model

BATCH_SIZE, SEQ_LEN = 2, 9
rng = np.random.default_rng(1)
X = rng.standard_normal((BATCH_SIZE, SEQ_LEN, 3))
LENGTHS = np.array([9, 4])


def jacobian(trace, size=X.shape):
    """Return (outputs…, inputs…), by forward products with unit vectors."""
    columns = []
    for entry in range(np.prod(size)):
        d_x = np.zeros(size)
        d_x.flat[entry] = 1.0
        columns.append(trace.jvp(d_x).outputs)
    return np.stack(columns, axis=-1).reshape(*trace.outputs.shape, *size)


@every_cell
@pytest.mark.parametrize('num_steps', [1, 3, SEQ_LEN])
def test_the_band_of_the_exact_jacobian_is_kept(cell, nonlinearity, num_steps):
    model = small_model(cell, nonlinearity)
    exact = jacobian(model.forward(X, lengths=LENGTHS))
    lag = np.arange(SEQ_LEN)[:, np.newaxis] - np.arange(SEQ_LEN)
    band = (lag < num_steps)[:, np.newaxis, np.newaxis, :, np.newaxis]
    found = jacobian(model.forward(X, lengths=LENGTHS, num_steps=num_steps))
    np.testing.assert_allclose(found, exact * band, rtol=0, atol=1e-13)


def perturbed(model, seed):
    """Return a change of everything that a run depends on, and a sensitivity of all it gives."""
    normal = np.random.default_rng(seed).standard_normal
    states = (model.num_layers, BATCH_SIZE, model.hidden_size)
    return (
        normal(X.shape),
        tuple(normal(states) for _ in model.state_names),
        {name: normal(weight.shape) for name, weight in model.weights.items()},
        normal((BATCH_SIZE, SEQ_LEN, 2)),
        tuple(normal(states) for _ in model.state_names),
    )


@every_cell
@pytest.mark.parametrize('num_steps', [None, 1, 4])
@pytest.mark.parametrize('lengths', [None, LENGTHS])
@pytest.mark.parametrize('options', [{}, {'feedthrough': True, 'initial_state': 'learned'}])
def test_products_are_transposes_of_one_another(cell, nonlinearity, num_steps, lengths, options):
    """By inputs, initial states and weights at once; of outputs and final states."""
    model = small_model(cell, nonlinearity, **options)
    d_x, d_state, d_weights, y_bar, final_bar = perturbed(model, seed=2)
    given = None if options else tuple(0.1 * each for each in d_state)
    trace = model.forward(X, state=given, lengths=lengths, num_steps=num_steps)
    change = trace.jvp(d_x, None if options else d_state, d_weights)
    bars = trace.vjp(y_bar, final_bar)
    out = np.sum(change.outputs * y_bar) + sum(
        np.sum(a * b) for a, b in zip(change.final_state, final_bar, strict=True)
    )
    weights_bar = bars.weights()
    into = np.sum(bars.inputs() * d_x) + sum(
        np.sum(weights_bar[name] * each) for name, each in d_weights.items()
    )
    if given is not None:
        into += sum(np.sum(a * b) for a, b in zip(bars.initial_state(), d_state, strict=True))
    assert out == pytest.approx(into, rel=1e-12)


@every_cell
@pytest.mark.parametrize('engine', ['numpy', 'auto'])
def test_changes_of_all_weights_against_complex_step(cell, nonlinearity, engine):
    model = small_model(cell, nonlinearity, feedthrough=True, initial_state='learned')
    model.weights = {n: w + 0.1 if n in ('h0', 'c0') else w for n, w in model.weights.items()}
    model.engine = engine
    d_x, _, d_weights, _, _ = perturbed(model, seed=3)
    stepped = {name: w + 1e-30j * d_weights[name] for name, w in model.weights.items()}
    expected = model.forward(X + 1e-30j * d_x, stepped, lengths=LENGTHS)
    change = model.forward(X, lengths=LENGTHS).jvp(d_x, d_weights=d_weights)
    atol = 1e-13 * np.abs(change.outputs).max()
    np.testing.assert_allclose(change.outputs, expected.outputs.imag / 1e-30, rtol=0, atol=atol)
    for one, other in zip(change.final_state, expected.final_state, strict=True):
        np.testing.assert_allclose(one, other.imag / 1e-30, rtol=0, atol=atol)


def test_the_final_state_counts_as_what_leaves_the_last_step():
    model = small_model('gru', num_layers=1)
    trace = model.forward(X, lengths=LENGTHS, num_steps=2)
    exact = model.forward(X, lengths=LENGTHS)
    final_bar = (rng.standard_normal((1, BATCH_SIZE, 5)),)
    none = np.zeros((BATCH_SIZE, SEQ_LEN, 2))
    x_bar = exact.vjp(none, final_bar).inputs()
    x_bar[0, :7] = x_bar[1, :2] = 0.0
    np.testing.assert_allclose(trace.vjp(none, final_bar).inputs(), x_bar, rtol=0, atol=1e-14)
    assert not np.any(trace.vjp(none, final_bar).initial_state()[0])


@pytest.mark.parametrize('num_steps', [0, -1, 2.5, 'all'])
def test_bad_num_steps(num_steps):
    with pytest.raises(ValueError, match=r'num_steps = .*at least 1'):
        small_model().forward(X, num_steps=num_steps)
