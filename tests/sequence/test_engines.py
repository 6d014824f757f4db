"""Engines do the same; they differ in speed."""

import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from mdao_seq.sequence.cells import make_cell
from mdao_seq.sequence.engines import ENGINES, engine_named
from mdao_seq.sequence.engines.engine import Recurrence
from mdao_seq.sequence.threads import one_blas_thread
from tests.sequence.networks import every_cell, small_model

SEQ_LEN, INPUT_SIZE, HIDDEN_SIZE = 9, 3, 6

pytest.importorskip('numba', reason='numba is not installed: there is only one engine')

other_engines = pytest.mark.parametrize('engine', sorted(set(ENGINES) - {'numpy'}))


def assert_same(these, others):
    for one, other in zip(these, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * max(1, np.abs(other).max()))


# From four lanes on the compiled products are those of BLAS.
@other_engines
@every_cell
@pytest.mark.parametrize('batch_size', [1, 3, 4])
@pytest.mark.parametrize('with_lengths', [False, True])
@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('windows', [1, 4])
def test_engines_agree(
    engine, cell, nonlinearity, batch_size, with_lengths, bias, windows, monkeypatch
):
    if windows > 1:  # of two time steps, and a last one of one
        rows = make_cell(cell, nonlinearity).num_gates * HIDDEN_SIZE
        module = f'mdao_seq.sequence.engines.{engine}_engine'
        monkeypatch.setattr(f'{module}._IN_CACHE', 2 * batch_size * rows)
    cell = make_cell(cell, nonlinearity)
    rng = np.random.default_rng(batch_size)
    normal = rng.standard_normal
    rows = cell.num_gates * HIDDEN_SIZE
    layer = Recurrence(
        cell,
        0.3 * normal((rows, INPUT_SIZE)),
        0.3 * normal((rows, HIDDEN_SIZE)),
        *((normal(rows), normal(rows)) if bias else (None, None)),
        rng.integers(1, SEQ_LEN + 1, batch_size) if with_lengths else None,
    )
    gates = (SEQ_LEN, batch_size, cell.num_gates, HIDDEN_SIZE)
    inputs, d_inputs = normal((2, SEQ_LEN, batch_size, INPUT_SIZE))
    added = normal(gates), normal(gates)
    hidden_bar = normal((SEQ_LEN, batch_size, HIDDEN_SIZE))
    initial, d_initial, final_bar = (
        tuple(normal((batch_size, HIDDEN_SIZE)) for _ in range(cell.num_states)) for _ in range(3)
    )
    reference, tested = engine_named('numpy'), engine_named(engine)
    expected, found = (each.run(layer, inputs, initial) for each in (reference, tested))
    assert_same(found.states, expected.states)
    active = layer.active(SEQ_LEN)
    counts = np.ones((SEQ_LEN, batch_size), bool) if active is None else active[..., 0]
    assert_same(*([kept[counts] for kept in steps.kept] for steps in (found, expected)))
    for extra in (None, added):
        assert_same(
            tested.jvp(layer, found, d_inputs, d_initial, extra),
            reference.jvp(layer, expected, d_inputs, d_initial, extra),
        )
    *bars, initial_bar = tested.vjp(layer, found, hidden_bar, final_bar)
    *expected_bars, expected_initial = reference.vjp(layer, expected, hidden_bar, final_bar)
    assert_same(bars, expected_bars)
    assert_same(initial_bar, expected_initial)
    for one, other in zip(
        tested.inputs_vjp(layer, found, hidden_bar, final_bar),
        reference.inputs_vjp(layer, expected, hidden_bar, final_bar),
        strict=True,
    ):
        assert_same(one, other)


@every_cell
def test_a_network_is_the_same_by_every_engine(cell, nonlinearity):
    rng = np.random.default_rng(0)
    x, y_bar = rng.standard_normal((4, 30, 3)), rng.standard_normal((4, 30, 2))
    traces = {}
    for engine in ENGINES:
        model = small_model(cell, nonlinearity)
        model.engine = engine
        traces[engine] = model.forward(x)
    reference = traces.pop('numpy')
    for trace in traces.values():
        assert_same([trace.outputs], [reference.outputs])
        sensitivities, expected = trace.vjp(y_bar), reference.vjp(y_bar)
        assert_same([sensitivities.inputs()], [expected.inputs()])
        assert_same(sensitivities.weights().values(), expected.weights().values())


def test_complex_numbers_pass_through_every_engine():
    model = small_model('gru')
    x = np.random.default_rng(0).standard_normal((1, 5, 3)) + 1e-30j
    model.engine = 'numba'
    outputs = model.forward(x).outputs
    model.engine = 'numpy'
    np.testing.assert_array_equal(outputs, model.forward(x).outputs)


def test_numba_is_loaded_when_a_network_runs():
    code = """
import sys
from mdao_seq import SequenceModel
model = SequenceModel('x', 'y', hidden_size=2)
assert 'numba' not in sys.modules
model.predict({'x': [[1.0]]})
assert 'numba' in sys.modules
"""
    subprocess.run([sys.executable, '-c', code], check=True)


def test_where_numba_is_missing(monkeypatch):
    from mdao_seq.sequence import engines

    monkeypatch.setattr(engines, '_made', {})
    monkeypatch.setattr(engines, 'has_numba', lambda: False)
    monkeypatch.setitem(sys.modules, 'mdao_seq.sequence.engines.numba_engine', None)
    assert engines.engine_named('auto').name == 'numpy'
    with pytest.raises(ImportError, match=r"engine='numba' cannot be loaded .*pip install numba"):
        engines.engine_named('numba')


def test_an_engine_that_is_not_offered():
    with pytest.raises(ValueError, match="engine 'jax' is not one of 'auto', 'numpy', 'numba'"):
        small_model().engine = 'jax'


def test_a_cache_that_cannot_be_written(monkeypatch):
    from mdao_seq import _compiling

    def without_cache(cache=False, **options):
        if cache:
            raise RuntimeError('no locator available for file')
        return lambda function: function

    monkeypatch.setattr(_compiling, 'njit', without_cache)
    with pytest.warns(UserWarning, match='compiled anew in each process.*set NUMBA_CACHE_DIR'):
        assert _compiling.compiled(abs) is abs


def test_blas_keeps_the_users_threads():
    libraries = ThreadpoolController().select(user_api='blas')

    def numbers():
        return [each.get_num_threads() for each in libraries.lib_controllers]

    with libraries.limit(limits=2):
        with one_blas_thread():
            with one_blas_thread():
                assert set(numbers()) == {1}
            assert set(numbers()) == {1}
        assert set(numbers()) == {2}
