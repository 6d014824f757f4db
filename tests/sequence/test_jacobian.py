"""The whole Jacobian: every causal entry, and none other, whatever the length of its blocks."""

import numpy as np
import pytest

from mdao_seq import SequenceModel
from mdao_seq.sequence.jacobian.block_length import cheapest_length
from mdao_seq.sequence.jacobian.causal import causal_jacobian
from mdao_seq.sequence.jacobian.causality import Causality
from mdao_seq.sequence.linear_steps import LinearSteps
from tests.sequence.networks import every_cell, small_model

BATCH_SIZE, SEQ_LEN, NUM_STATIC = 3, 12, 1
rng = np.random.default_rng(0)
X = rng.standard_normal((BATCH_SIZE, SEQ_LEN, 3))
LENGTHS = np.array([12, 5, 1])
ALL, SOME = np.arange(SEQ_LEN), np.array([2, 7, 11])


def by_forward_products(trace, output_steps, num_layers, hidden_size):
    """Return dense Jacobians by key, column by column: products with unit vectors."""
    kinds = len(trace.final_state)
    state_shape = (num_layers, BATCH_SIZE, hidden_size)
    units = []
    for wrt in range(3):
        for lane in range(BATCH_SIZE):
            for t in [slice(None)] if wrt == 2 else range(SEQ_LEN):
                d_x = np.zeros(X.shape)
                d_x[lane, t, wrt] = 1.0
                units.append((('input', wrt), d_x, None))
    for wrt in range(kinds):
        for entry in range(np.prod(state_shape)):
            d_state = tuple(np.zeros(state_shape) for _ in range(kinds))
            d_state[wrt].flat[entry] = 1.0
            units.append((('state', wrt), np.zeros(X.shape), d_state))
    columns = {}
    for wrt, d_x, d_state in units:
        change = trace.jvp(d_x, d_state)
        outputs = np.take_along_axis(change.outputs, output_steps[..., np.newaxis], axis=1)
        for of in range(2):
            columns.setdefault(('output', of, *wrt), []).append(outputs[..., of].ravel())
        for of, final in enumerate(change.final_state):
            columns.setdefault(('final', of, *wrt), []).append(final.ravel())
    return {key: np.array(each).T for key, each in columns.items()}


def coordinates(causality, of, wrt, number):
    by = 'static' if (wrt, number) == ('input', 2) else wrt
    return getattr(causality, f'{of}_by_{by}')()


def check(model, lengths, num_steps, output_steps, block_lengths):
    trace = model.forward(X, lengths=lengths, num_steps=num_steps)
    size = (model.num_layers, model.hidden_size)
    causality = Causality(SEQ_LEN, output_steps, lengths, num_steps, size)
    expected = by_forward_products(trace, output_steps, *size)
    for length in block_lengths:
        found = causal_jacobian(trace, causality, NUM_STATIC, True, length)
        assert found.keys() == expected.keys()
        for key, values in found.items():
            rows, columns = coordinates(causality, key[0], *key[2:])
            dense = np.zeros_like(expected[key])
            np.add.at(dense, (rows, columns), values)
            np.testing.assert_allclose(dense, expected[key], rtol=0, atol=1e-12, err_msg=str(key))


@every_cell
@pytest.mark.parametrize('num_steps', [None, 1, 5])
def test_every_entry(cell, nonlinearity, num_steps):
    model = small_model(cell, nonlinearity, feedthrough=True)
    every_step = np.tile(ALL, (BATCH_SIZE, 1))
    for lengths in (None, LENGTHS):
        check(model, lengths, num_steps, every_step, [None, 1, 5, SEQ_LEN])


@pytest.mark.parametrize('num_steps', [None, 3])
def test_chosen_steps_and_the_last_of_each_sequence(num_steps):
    model = small_model('lstm')
    check(model, LENGTHS, num_steps, np.tile(SOME, (BATCH_SIZE, 1)), [None, 4])
    check(model, LENGTHS, num_steps, LENGTHS[:, np.newaxis] - 1, [None, 4])


def test_sequences_are_taken_in_chunks_where_memory_would_be_large(monkeypatch):
    monkeypatch.setattr('mdao_seq.sequence.jacobian.causal._SWEEP_BYTES', 1)
    check(small_model('gru'), LENGTHS, None, np.tile(ALL, (BATCH_SIZE, 1)), [4])


def test_of_a_complex_run():
    """The complex step of the Jacobian along an input is the difference of two."""
    model = small_model('lstm')
    causality = Causality(SEQ_LEN, np.tile(ALL, (BATCH_SIZE, 1)), None, None, (2, 5))

    def entries(x):
        return causal_jacobian(model.forward(x), causality, NUM_STATIC)['output', 0, 'input', 1]

    second = entries(X + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(second, (entries(X + 1e-5) - entries(X - 1e-5)) / 2e-5, atol=1e-8)


def test_blocks_are_used_where_they_pay():
    """Many outputs over a long time; not for the last step's, which one sweep back gives."""
    model = SequenceModel('u', ['y', 'z'], cell='gru', hidden_size=128)
    long = LinearSteps.of(model.forward(np.ones((1, 500, 1))).layers)
    every = Causality(500, np.arange(500)[np.newaxis], None, None, (1, 128))
    last = Causality(500, np.array([[499]]), None, None, (1, 128))
    assert cheapest_length(long, every, 2, False) < 200
    assert cheapest_length(long, last, 2, False) == 500
