"""Ensembles: mean and spread of several networks, as one network and as a component."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import RNNComp, SequenceEnsemble, SequenceModel, Signal
from mdao_seq.sequence.errors import WeightFileError
from mdao_seq.sequence.input_range import InputRange
from tests.derivative_checks import check_derivatives, partials_of, problem_with
from tests.sequence.networks import every_cell, small_model

rng = np.random.default_rng(0)
X = rng.standard_normal((2, 5, 3))


def ensemble(cell='lstm', nonlinearity='tanh', number=3, **options):
    return SequenceEnsemble(
        small_model(cell, nonlinearity, seed=seed, **options) for seed in range(number)
    )


def rnn_comp(model, **options):
    return RNNComp(model=model, batch_size=2, seq_len=5, **options)


def test_outputs_are_mean_and_standard_deviation():
    some = ensemble()
    of_each = np.stack([model.forward(X).outputs for model in some])
    outputs = some.forward(X).outputs
    np.testing.assert_allclose(outputs[..., :2], of_each.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(outputs[..., 2:], of_each.std(axis=0, ddof=1), rtol=1e-12)
    assert [signal.name for signal in some.outputs] == [
        'level',
        'power',
        'level_spread',
        'power_spread',
    ]
    assert [signal.units for signal in some.outputs] == ['m', 'kW', 'm', 'kW']


@every_cell
@pytest.mark.parametrize(
    'options',
    [
        {},
        {'initial_state': 'input', 'final_state': True, 'lengths': [5, 2]},
        {'output_steps': 'last', 'lengths': [5, 2]},
    ],
)
def test_derivatives_of_mean_and_spread(cell, nonlinearity, options):
    some = ensemble(cell, nonlinearity, feedthrough=True)
    check_derivatives(lambda: rnn_comp(some, **options))
    if 'final_state' not in options:
        check_derivatives(lambda: rnn_comp(some, partials='sparse', **options))
        products = partials_of(problem_with(rnn_comp(some, **options)))
        entries = partials_of(problem_with(rnn_comp(some, partials='sparse', **options)))
        for key, value in products.items():
            np.testing.assert_allclose(entries[key], value, rtol=0, atol=1e-13)


def test_where_all_agree_the_spread_has_no_derivative():
    same = SequenceEnsemble([small_model(), small_model()])
    trace = same.forward(X)
    assert not np.any(trace.outputs[..., 2:])
    change = trace.jvp(rng.standard_normal(X.shape)).outputs
    assert not np.any(change[..., 2:]) and np.all(np.isfinite(change))


def test_a_driver_keeps_away_from_where_they_differ():
    """The optimum of the mean alone is where the networks differ more than under a bound on it."""

    def optimum(most):
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('rnn', rnn_comp(ensemble('gru')), promotes=['*'])
        problem.model.add_design_var('speed', lower=-2.0, upper=2.0)
        problem.model.add_objective('level', index=9, flat_indices=True)
        problem.model.add_constraint('level_spread', upper=most)
        problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', disp=False, maxiter=100)
        problem.setup()
        problem.run_driver()
        return problem.get_val('level_spread').max()

    free = optimum(1e3)
    assert optimum(0.9 * free) <= 0.9 * free * (1.0 + 1e-6)


def test_one_file_has_all(tmp_path):
    some = ensemble('gru')
    for model in some:
        model.input_range = InputRange(np.zeros(3), np.ones(3))
    path = tmp_path / 'ensemble.safetensors'
    some.save(path)
    loaded = SequenceEnsemble.load(path)
    np.testing.assert_array_equal(loaded.forward(X).outputs, some.forward(X).outputs)
    np.testing.assert_array_equal(loaded.input_range, some.input_range)
    by_path, by_object = (
        problem_with(rnn_comp(each, outside_range='ignore')) for each in (path, some)
    )
    np.testing.assert_array_equal(
        by_path.get_val('comp.level_spread'), by_object.get_val('comp.level_spread')
    )
    with pytest.raises(WeightFileError, match=r'sequence_ensemble.*SequenceModel\.save'):
        SequenceModel.load(path)
    small_model().save(path)
    with pytest.raises(WeightFileError, match=r'sequence_model.*SequenceEnsemble\.save'):
        SequenceEnsemble.load(path)


def test_the_range_is_what_all_have_seen():
    some = ensemble(number=2)
    assert some.input_range is None
    some.models[0].input_range = InputRange(np.array([0.0, 0.0, -1.0]), np.ones(3))
    assert some.input_range is None
    some.models[1].input_range = InputRange(np.full(3, -0.5), np.full(3, 2.0))
    np.testing.assert_array_equal(some.input_range.low, [0.0, 0.0, -0.5])
    np.testing.assert_array_equal(some.input_range.high, np.ones(3))


def test_a_spread_of_temperatures_has_no_zero_point():
    some = SequenceEnsemble(
        SequenceModel('u', Signal('t', units='degC'), hidden_size=2, seed=seed) for seed in (0, 1)
    )
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', RNNComp(model=some, seq_len=3))
    problem.setup()
    problem.run_model()
    in_kelvin = problem.get_val('comp.t_spread', units='degK')
    np.testing.assert_array_equal(in_kelvin, problem.get_val('comp.t_spread'))


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match='at least two models; there are 1'):
        SequenceEnsemble([small_model()])
    with pytest.raises(ValueError, match=r"models\[1\] has cell 'gru'; models\[0\] has 'lstm'"):
        SequenceEnsemble([small_model('lstm'), small_model('gru')])
    for options in ({'weights_as_inputs': True}, {'partials': 'sparse', 'final_state': True}):
        with pytest.raises(ValueError, match=r"'comp'.*ensemble"):
            problem_with(rnn_comp(ensemble(), **options))
