"""`RNNComp`'s three ways to its partials, and what it can be asked for: they all agree."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import RNNComp, count_calls, fd_cost
from mdao_seq.sequence.input_range import InputRange
from tests.derivative_checks import check_derivatives, partials_of, problem_with
from tests.sequence.networks import every_cell, small_model, tank_data, tank_model

BATCH_SIZE, SEQ_LEN = 2, 5
STATES = {'initial_state': 'input', 'final_state': True}
LENGTHS = [5, 2]


def rnn_comp(model=None, **options):
    return RNNComp(
        model=model or small_model(), **({'batch_size': BATCH_SIZE, 'seq_len': SEQ_LEN} | options)
    )


def assert_same(one, other, atol=1e-13):
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_allclose(value, other[key], rtol=0, atol=atol, err_msg=str(key))


variants = pytest.mark.parametrize(
    'options',
    [
        {},
        STATES,
        {'lengths': LENGTHS, **STATES},
        {'output_steps': 'last'},
        {'output_steps': 'last', 'lengths': LENGTHS},
        {'output_steps': [3, 0, -1], 'lengths': LENGTHS, 'initial_state': 'input'},
    ],
    ids=lambda options: ','.join(f'{k}={v}' for k, v in options.items()) or 'plain',
)


@variants
@every_cell
def test_every_way_is_exact(cell, nonlinearity, options):
    model = small_model(cell, nonlinearity, feedthrough=True, initial_state='learned')
    check_derivatives(lambda: rnn_comp(model, **options))
    check_derivatives(lambda: rnn_comp(model, partials='sparse', **options))
    products = partials_of(problem_with(rnn_comp(model, **options)))
    entries = partials_of(problem_with(rnn_comp(model, partials='sparse', **options)))
    differences = partials_of(problem_with(rnn_comp(model, partials='fd', **options)))
    assert_same(entries, products)
    assert_same(differences, products, atol=1e-7)


@every_cell
@pytest.mark.parametrize('states', [{}, STATES])
@pytest.mark.parametrize('initial_state', ['zeros', 'learned'])
def test_weights_as_inputs(cell, nonlinearity, states, initial_state):
    """Every weight; the learned states are inputs of their own, where others are not given."""
    model = small_model(cell, nonlinearity, num_layers=1, initial_state=initial_state)
    check_derivatives(lambda: rnn_comp(model, weights_as_inputs=True, **states))
    names = set(problem_with(rnn_comp(model, weights_as_inputs=True, **states)).model.comp._inputs)
    assert {'weight_ih_l0', 'head_bias'} < names
    assert ('h0' in names) == (bool(states) or initial_state == 'learned')


def test_differences_by_weights_run_point_by_point():
    model = small_model(num_layers=1)
    options = {'weights_as_inputs': True, 'output_steps': 'last'}
    exact = partials_of(problem_with(rnn_comp(model, **options)))
    differences = partials_of(problem_with(rnn_comp(model, partials='fd', **options)))
    assert_same(differences, exact, atol=1e-7)


def test_a_driver_trains_the_weights():
    """SLSQP on the weights and `fit` come to a similar error; the component follows its inputs."""
    inputs, outputs = tank_data(count=20, seq_len=8)
    model = tank_model('elman', hidden_size=4)
    model.fit(inputs, outputs, epochs=1)
    before = np.mean((model.predict(inputs)['level'] - outputs['level']) ** 2)
    problem = om.Problem(reports=False)
    comp = RNNComp(model=model, batch_size=20, seq_len=8, weights_as_inputs=True)
    problem.model.add_subsystem('tank', comp, promotes=['*'])
    shape = {'shape': (20, 8)}
    loss = om.ExecComp('loss = sum((level - measured)**2) / 160', level=shape, measured=shape)
    problem.model.add_subsystem('loss', loss, promotes=['*'])
    for name in model.weights:
        problem.model.add_design_var(name)
    problem.model.add_objective('loss')
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', maxiter=60, disp=False)
    problem.setup()
    for name, value in {**inputs, 'measured': outputs['level']}.items():
        problem.set_val(name, value)
    problem.run_driver()
    assert problem.get_val('loss')[0] < 0.05 * before
    model.weights = {name: problem.get_val(name) for name in model.weights}
    after = np.mean((model.predict(inputs)['level'] - outputs['level']) ** 2)
    assert after == pytest.approx(problem.get_val('loss')[0], rel=1e-12)


def test_sparse_partials_are_the_causal_entries():
    problem = problem_with(rnn_comp(partials='sparse', **STATES))
    sizes = {key: len(meta['rows']) for key, meta in _declared(problem).items()}
    causal = BATCH_SIZE * SEQ_LEN * (SEQ_LEN + 1) // 2
    states = 2 * 5
    assert sizes['level', 'speed'] == sizes['power', 'valve'] == causal
    assert sizes['level', 'demand'] == BATCH_SIZE * SEQ_LEN
    assert sizes['level', 'h0'] == BATCH_SIZE * SEQ_LEN * states
    assert sizes['hn', 'speed'] == BATCH_SIZE * SEQ_LEN * states
    assert sizes['cn', 'h0'] == BATCH_SIZE * states**2


def test_the_pattern_of_a_truncated_gradient_is_a_band():
    problem = problem_with(rnn_comp(partials='sparse', num_steps=2, **STATES))
    declared = _declared(problem)
    assert len(declared['level', 'speed']['rows']) == BATCH_SIZE * (1 + 2 * (SEQ_LEN - 1))
    assert len(declared['level', 'h0']['rows']) == BATCH_SIZE * 2 * 5
    assert ('hn', 'h0') not in declared


def _declared(problem):
    comp = problem.model.comp
    return {
        (of.rpartition('.')[2], wrt.rpartition('.')[2]): meta
        for (of, wrt), meta in comp._subjacs_info.items()
        if meta['rows'] is not None and of != wrt
    }


@every_cell
@pytest.mark.parametrize('options', [{}, {'lengths': LENGTHS, **STATES}])
def test_truncated_partials_agree_and_differ_from_exact_ones(cell, nonlinearity, options):
    model = small_model(cell, nonlinearity)
    with pytest.warns(om.DerivativesWarning, match=r"'comp'.*num_steps=2.*on purpose"):
        products = partials_of(problem_with(rnn_comp(model, num_steps=2, **options)))
    sparse = rnn_comp(model, num_steps=2, partials='sparse', **options)
    with pytest.warns(om.DerivativesWarning, match='num_steps=2'):
        entries = partials_of(problem_with(sparse))
    assert_same(entries, products)
    exact = partials_of(problem_with(rnn_comp(model, **options)))['level', 'speed']
    lag = np.arange(SEQ_LEN)[:, np.newaxis] - np.arange(SEQ_LEN)
    band = np.kron(np.eye(BATCH_SIZE), lag < 2)
    np.testing.assert_allclose(products['level', 'speed'], exact * band, rtol=0, atol=1e-14)
    assert np.abs(exact * (1.0 - band)).max() > 1e-6


@pytest.mark.parametrize('partials', ['matrix_free', 'sparse', 'fd'])
def test_truncate_makes_initial_states_constants(partials):
    options = {'partials': partials, **STATES}
    problem = problem_with(rnn_comp(truncate=True, **options))
    found, exact = partials_of(problem), partials_of(problem_with(rnn_comp(**options)))
    assert not np.any(found['level', 'h0']) and not np.any(found['hn', 'c0'])
    assert_same(
        {k: v for k, v in found.items() if k[1] not in ('h0', 'c0')},
        {k: v for k, v in exact.items() if k[1] not in ('h0', 'c0')},
    )
    if partials != 'fd':
        totals = problem.compute_totals(['comp.level'], ['comp.h0'])
        assert not np.any(totals['comp.level', 'comp.h0'])


def test_outputs_of_chosen_steps():
    everything = problem_with(rnn_comp(lengths=LENGTHS)).get_val('comp.level')
    chosen = problem_with(rnn_comp(lengths=LENGTHS, output_steps=[3, 0, -1]))
    last = problem_with(rnn_comp(lengths=LENGTHS, output_steps='last'))
    np.testing.assert_array_equal(chosen.get_val('comp.level'), everything[:, [3, 0, 4]])
    np.testing.assert_array_equal(last.get_val('comp.level'), everything[[0, 1], [4, 1]])
    assert not np.any(everything[1, 2:]) and np.all(everything[0])


def test_each_output_has_its_own_difference():
    """Steps and forms as they were given; all share the points that they can."""
    steps = {'level': 1e-3, ('power', 'valve'): {'step': 1e-4, 'form': 'forward'}}
    comp = rnn_comp(partials='fd', fd_steps=steps)
    problem = problem_with(comp)
    plan = fd_cost(comp)
    declared = {(d.of, d.wrt): (d.step, d.form) for d in plan.declarations}
    assert declared['level', 'valve'] == (1e-3, 'central')
    assert declared['power', 'valve'] == (1e-4, 'forward')
    assert declared['power', 'speed'][1] == 'central'
    # Default steps go with the spread of an input: 0.5 for the speed.
    assert declared['power', 'speed'][0] == pytest.approx(1e-5 * 0.5)
    with count_calls(problem) as counts:
        found = partials_of(problem)
    assert counts.total('comp') == plan.total
    assert counts.total_calls('comp') == 1
    exact = partials_of(problem_with(rnn_comp()))
    for key, value in exact.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-3, atol=1e-4 * np.abs(value).max())


def test_survives_a_change_of_its_options():
    problem = problem_with(rnn_comp())
    found = {}
    for partials in ('fd', 'sparse', 'matrix_free'):
        problem.model.comp.options['partials'] = partials
        problem.setup(force_alloc_complex=True)
        problem.run_model()
        found[partials] = partials_of(problem)
    assert_same(found['sparse'], found['matrix_free'])
    assert_same(found['fd'], found['matrix_free'], atol=1e-7)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'partials': 'sparse', 'weights_as_inputs': True}, "partials='sparse' has no entries"),
        ({'partials': 'fd', 'num_steps': 3}, "num_steps=3 with partials='fd'"),
        ({'fd_steps': {'level': 0.1}}, "fd_steps with partials='matrix_free'"),
        ({'truncate': True}, 'truncate=True is about the inputs h0'),
        ({'output_steps': 'first'}, "output steps 'first': must be 'last'"),
        ({'output_steps': [1, 7]}, 'output step 7: must be within 0 and seq_len - 1 = 4'),
        ({'output_steps': [1, -4]}, 'one is there twice'),
        ({'output_steps': []}, 'at least one integer'),
        ({'lengths': [5]}, r'lengths are int64 of shape \(1,\)'),
        ({'lengths': [5, 9]}, r'lengths\[1\] = 9: must be within 1 and seq_len = 5'),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=f"'comp'.*{message}"):
        problem_with(rnn_comp(**options))


class TestOutsideTheRangeOfTraining:
    """The network extrapolates there, and the component can say so."""

    model = tank_model()
    model.input_range = InputRange(np.array([0.0, 0.2]), np.array([1.0, 0.6]))

    def run(self, pump, demand=0.4, **options):
        comp = RNNComp(model=self.model, seq_len=4, **options)
        problem_with(comp, {'pump': np.array([pump]), 'demand': np.array([demand])}).run_model()

    def test_within_it_nothing_is_said(self, recwarn):
        self.run([0.0, 0.5, 1.0, 1.0 + 1e-12])
        assert not recwarn.list

    def test_a_warning_names_the_input_once(self):
        with pytest.warns(
            om.OpenMDAOWarning, match=r"'comp'.*'pump'\[0, 2\] = 1.5.*0 to 1"
        ) as told:
            self.run([0.0, 1.2, 1.5, 0.3])
        assert len([each for each in told if 'extrapolates' in str(each.message)]) == 1

    def test_a_static_input_too(self):
        with pytest.warns(om.OpenMDAOWarning, match=r"'demand'\[0\] = 0.7.*0.2 to 0.6"):
            self.run([0.0, 0.2, 0.5, 0.3], demand=0.7)

    def test_as_an_error(self):
        with pytest.raises(om.AnalysisError, match=r"'comp'.*'pump'\[0, 1\] = -0.3"):
            self.run([0.0, -0.3, 0.5, 0.3], outside_range='raise')

    def test_or_not_at_all(self, recwarn):
        self.run([0.0, -0.3, 0.5, 0.3], outside_range='ignore')
        assert not recwarn.list

    def test_what_is_past_the_end_of_a_sequence_does_not_count(self, recwarn):
        self.run([0.0, 0.3, 9.0, 9.0], lengths=[2])
        assert not recwarn.list

    def test_training_sets_it(self):
        inputs, outputs = tank_data(count=10, seq_len=5)
        model = tank_model()
        model.fit(inputs, outputs, epochs=1, validation_fraction=0)
        low, high = model.input_range
        np.testing.assert_array_equal(low, [inputs['pump'].min(), inputs['demand'].min()])
        np.testing.assert_array_equal(high, [inputs['pump'].max(), inputs['demand'].max()])
