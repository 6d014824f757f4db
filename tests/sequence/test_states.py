"""States: passed in, passed on, and sequences of different length in one batch."""

import numpy as np
import pytest

from mdao_seq.sequence.errors import InputError
from tests.sequence.networks import every_cell, small_model

BATCH_SIZE, SEQ_LEN = 3, 12
rng = np.random.default_rng(5)
X, D_X = rng.standard_normal((2, BATCH_SIZE, SEQ_LEN, 3))
Y_BAR = rng.standard_normal((BATCH_SIZE, SEQ_LEN, 2))
LENGTHS = np.array([12, 5, 1])

by_engine = pytest.mark.parametrize('engine', ['numpy', 'auto'])


def network(cell, nonlinearity='tanh', engine='auto'):
    model = small_model(cell, nonlinearity)
    model.engine = engine
    return model


def some_state(model, seed=0):
    normal = np.random.default_rng(seed).standard_normal
    number = len(model.forward(X).final_state)
    return tuple(normal((model.num_layers, BATCH_SIZE, model.hidden_size)) for _ in range(number))


def assert_close(a, b, rtol=1e-13):
    np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@by_engine
@every_cell
def test_single_steps_are_one_run(cell, nonlinearity, engine):
    model = network(cell, nonlinearity, engine)
    whole = model.forward(X)
    state, outputs = None, []
    for t in range(SEQ_LEN):
        y, state = model.step(X[:, t], state)
        outputs.append(y)
    assert_close(np.stack(outputs, axis=1), whole.outputs)
    for one, other in zip(state, whole.final_state, strict=True):
        assert_close(one, other)


@every_cell
def test_segments_are_chained_and_so_are_their_derivatives(cell, nonlinearity):
    model = network(cell, nonlinearity)
    whole = model.forward(X)
    first = model.forward(X[:, :5])
    second = model.forward(X[:, 5:], state=first.final_state)
    assert_close(second.outputs, whole.outputs[:, 5:])
    change = first.jvp(D_X[:, :5])
    assert_close(second.jvp(D_X[:, 5:], change.final_state).outputs, whole.jvp(D_X).outputs[:, 5:])
    back = second.vjp(Y_BAR[:, 5:])
    further = first.vjp(Y_BAR[:, :5], back.initial_state())
    x_bar = np.concatenate([further.inputs(), back.inputs()], axis=1)
    expected = whole.vjp(Y_BAR)
    assert_close(x_bar, expected.inputs())
    for name, value in expected.weights().items():
        assert_close(further.weights()[name] + back.weights()[name], value, 1e-12)


@by_engine
@every_cell
def test_the_initial_state_has_exact_derivatives(cell, nonlinearity, engine):
    model = network(cell, nonlinearity, engine)
    state, d_state = some_state(model), some_state(model, 1)
    final_bar = some_state(model, 2)
    trace = model.forward(X, state=state)
    change = trace.jvp(D_X, d_state)
    moved = model.forward(
        X + 1e-30j * D_X,
        state=tuple(s + 1e-30j * d for s, d in zip(state, d_state, strict=True)),
    )
    assert_close(change.outputs, moved.outputs.imag / 1e-30)
    for d_final, final in zip(change.final_state, moved.final_state, strict=True):
        assert_close(d_final, final.imag / 1e-30)
    back = trace.vjp(Y_BAR, final_bar)
    forward = np.sum(Y_BAR * change.outputs) + sum(map(np.vdot, final_bar, change.final_state))
    backward = np.sum(D_X * back.inputs()) + sum(map(np.vdot, d_state, back.initial_state()))
    assert forward == pytest.approx(backward, rel=1e-12)


@by_engine
@every_cell
def test_each_length_is_as_if_alone(cell, nonlinearity, engine):
    model = network(cell, nonlinearity, engine)
    batch = model.forward(X, lengths=LENGTHS)
    change, back = batch.jvp(D_X), batch.vjp(Y_BAR, some_state(model))
    weights_bar = {name: 0.0 for name in model.weights}
    for lane, length in enumerate(LENGTHS):
        one, its = slice(lane, lane + 1), slice(length)
        alone = model.forward(X[one, its])
        alone_change = alone.jvp(D_X[one, its])
        final_bar = tuple(each[:, one] for each in some_state(model))
        alone_back = alone.vjp(Y_BAR[one, its], final_bar)
        assert_close(batch.outputs[one, its], alone.outputs)
        assert_close(change.outputs[one, its], alone_change.outputs)
        assert_close(back.inputs()[one, its], alone_back.inputs())
        for late in (batch.outputs, change.outputs, back.inputs()):
            assert not late[lane, length:].any()
        for found, expected in zip(batch.final_state, alone.final_state, strict=True):
            assert_close(found[:, one], expected)
        for name, value in alone_back.weights().items():
            weights_bar[name] = weights_bar[name] + value
    for name, value in back.weights().items():
        assert_close(value, weights_bar[name], 1e-12)


@pytest.mark.parametrize(
    ('lengths', 'message'),
    [
        ([1, 2], r'shape \(batch_size,\) = \(3,\)'),
        ([1.0, 2.0, 3.0], 'must be integers'),
        ([1, 13, 2], r'lengths\[1\] = 13: must be within 1 and seq_len = 12'),
        ([1, 2, 0], r'lengths\[2\] = 0'),
    ],
)
def test_wrong_lengths(lengths, message):
    with pytest.raises(InputError, match=message):
        network('gru').forward(X, lengths=lengths)


def test_a_wrong_state():
    model = network('lstm')
    with pytest.raises(InputError, match=r'a lstm has 2 of \(num_layers, batch_size, hidden_size'):
        model.forward(X, state=some_state(model)[:1])
    with pytest.raises(InputError, match=r'of one step it must be \(batch_size, 3\)'):
        model.step(X)


@by_engine
@every_cell
def test_without_weights_the_rest_is_the_same(cell, nonlinearity, engine):
    model = network(cell, nonlinearity, engine)
    trace = model.forward(X, lengths=LENGTHS)
    final_bar = some_state(model)
    whole, rest = (trace.vjp(Y_BAR, final_bar, with_weights=asked) for asked in (True, False))
    assert_close(rest.inputs(), whole.inputs())
    for one, other in zip(rest.initial_state(), whole.initial_state(), strict=True):
        assert_close(one, other)
    with pytest.raises(RuntimeError, match='with_weights=False'):
        rest.weights()
