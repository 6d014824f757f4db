"""A recurrent network in MetaModelUnStructuredComp."""

import numpy as np
import openmdao.api as om
import pytest
from openmdao.utils.assert_utils import assert_check_partials

from mdao_seq import RNNSurrogate
from tests.sequence.networks import tank_data

SEQ_LEN = 6


def surrogate(**options):
    settings = {'epochs': 60, 'optimizer': 'lbfgs'}
    return RNNSurrogate(seq_len=SEQ_LEN, cell='gru', hidden_size=6, fit=settings, **options)


def meta_model(inputs, outputs, **options):
    """Return a problem of a component that learns a tank, its demand after its pump."""
    comp = om.MetaModelUnStructuredComp(default_surrogate=surrogate(**options))
    comp.add_input('pump', np.full(SEQ_LEN, 0.5), training_data=inputs['pump'])
    comp.add_input('demand', 0.4, training_data=inputs['demand'])
    comp.add_output('level', np.zeros(SEQ_LEN), training_data=outputs['level'])
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('tank', comp, promotes=['*'])
    return problem


def test_it_learns_and_its_partials_are_exact():
    inputs, outputs = tank_data(count=60, seq_len=SEQ_LEN)
    problem = meta_model(inputs, outputs)
    problem.setup(force_alloc_complex=True)
    unseen_inputs, unseen_outputs = tank_data(count=1, seq_len=SEQ_LEN, seed=9)
    problem.set_val('pump', unseen_inputs['pump'][0])
    problem.set_val('demand', unseen_inputs['demand'][0])
    problem.run_model()
    expected = unseen_outputs['level'][0]
    np.testing.assert_allclose(
        problem.get_val('level'), expected, atol=0.2 * outputs['level'].std()
    )
    data = problem.check_partials(method='cs', out_stream=None)
    assert_check_partials(data, atol=1e-12, rtol=1e-12)


def test_a_driver_optimises_through_it():
    inputs, outputs = tank_data(count=60, seq_len=SEQ_LEN)
    problem = meta_model(inputs, outputs)
    effort = om.ExecComp('effort = sum(pump**2)', pump=np.ones(SEQ_LEN))
    problem.model.add_subsystem('effort', effort, promotes=['*'])
    problem.model.set_input_defaults('pump', np.full(SEQ_LEN, 0.5))
    problem.model.add_design_var('pump', lower=0.0, upper=1.0)
    problem.model.add_constraint('level', lower=4.5)
    problem.model.add_objective('effort')
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', disp=False)
    problem.setup()
    assert problem.run_driver().success
    assert problem.get_val('level').min() >= 4.5 - 1e-6


def test_openmdao_knows_it():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group='openmdao_surrogate_model', name='rnnsurrogate')
    assert entry.load() is RNNSurrogate


def test_order_of_inputs_and_several_columns():
    """A scalar before the sequence, and an output of two columns."""
    inputs, outputs = tank_data(count=20, seq_len=SEQ_LEN)
    x = np.column_stack([inputs['demand'], inputs['pump']])
    y = np.stack([outputs['level'], 2.0 * outputs['level']], axis=2).reshape(20, -1)
    first = surrogate(input_sizes=[1, SEQ_LEN])
    first.train(x, y)
    assert first.predict(x[0]).shape == (2 * SEQ_LEN,)
    jacobian = first.linearize(x[3])
    stepped = np.array([first.predict(x[3] + 1e-30j * unit).imag / 1e-30 for unit in np.eye(7)]).T
    np.testing.assert_allclose(jacobian, stepped, rtol=0, atol=1e-13)


def test_before_it_is_trained():
    with pytest.raises(RuntimeError, match='RNNSurrogate has not been trained'):
        surrogate().predict(np.zeros(6))


@pytest.mark.parametrize(
    ('inputs', 'outputs', 'options', 'message'),
    [
        (6, 7, {}, 'the output has 7 entries; with seq_len=6'),
        (4, 6, {}, 'the inputs have 4 entries, fewer than one sequence'),
        (7, 6, {'input_sizes': [6, 2]}, r'input_sizes=\[6, 2\] for 7 entries'),
    ],
)
def test_sizes_that_do_not_fit(inputs, outputs, options, message):
    with pytest.raises(ValueError, match=message):
        surrogate(**options).train(np.ones((5, inputs)), np.ones((5, outputs)))
