"""`RNNComp`: variables, derivatives, what it remembers, and a driver through it."""

import copy
import pickle

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import PerOutputFD, RNNComp, SequenceModel, count_calls, fd_cost
from mdao_seq.sequence.errors import WeightFileError
from tests.derivative_checks import check_derivatives, partials_of, problem_with
from tests.sequence.networks import every_cell, small_model, tank_data, tank_model

BATCH_SIZE, SEQ_LEN = 2, 5


def rnn_comp(model=None, **options):
    return RNNComp(
        model=model or small_model(), **({'batch_size': BATCH_SIZE, 'seq_len': SEQ_LEN} | options)
    )


def totals(problem):
    return problem.compute_totals(
        ['comp.level', 'comp.power'],
        ['comp.speed', 'comp.valve', 'comp.demand'],
        return_format='array',
    )


@pytest.fixture
def runs(monkeypatch):
    """Return a list that grows by one with each run of a network."""
    made = []
    real = SequenceModel.forward

    def forward(*args, **options):
        made.append(1)
        return real(*args, **options)

    monkeypatch.setattr(SequenceModel, 'forward', forward)
    return made


@every_cell
@pytest.mark.parametrize('batch_size', [1, 3])
def test_derivatives(cell, nonlinearity, batch_size):
    model = small_model(cell, nonlinearity)
    check_derivatives(lambda: rnn_comp(model, batch_size=batch_size))


def test_derivatives_without_static_inputs_and_of_one_step():
    model = SequenceModel('u', 'y', hidden_size=3)
    check_derivatives(lambda: rnn_comp(model))
    check_derivatives(lambda: rnn_comp(model, seq_len=1))


def test_variables_have_the_units_of_the_signals():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', rnn_comp())
    problem.setup()
    problem.final_setup()
    found = problem.model.get_io_metadata(metadata_keys=['units', 'shape', 'desc'])
    variables = {
        name.removeprefix('comp.'): (entry['shape'], entry['units'])
        for name, entry in found.items()
        if name.startswith('comp.')
    }
    assert variables == {
        'speed': ((2, 5), 'rpm'),
        'valve': ((2, 5), None),
        'demand': ((2,), 'm**3/s'),
        'level': ((2, 5), 'm'),
        'power': ((2, 5), 'kW'),
    }
    assert found['comp.demand']['desc'] == 'drawn all day'
    np.testing.assert_array_equal(problem.get_val('comp.power'), np.full((2, 5), 50.0))


def test_outputs_are_the_models_predictions_in_converted_units():
    model = small_model()
    problem = problem_with(rnn_comp(model))
    problem.set_val('comp.demand', [500.0, 900.0], units='L/s')
    problem.run_model()
    expected = model.predict(
        {
            'speed': problem.get_val('comp.speed'),
            'valve': problem.get_val('comp.valve'),
            'demand': [0.5, 0.9],
        }
    )
    np.testing.assert_allclose(
        problem.get_val('comp.power', units='W'), 1000.0 * expected['power'], rtol=1e-13
    )
    np.testing.assert_allclose(problem.get_val('comp.level'), expected['level'], rtol=1e-13)


def test_model_is_read_from_a_file(tmp_path):
    small_model().save(tmp_path / 'model.safetensors')
    expected = totals(problem_with(rnn_comp()))
    for path in (tmp_path / 'model.safetensors', str(tmp_path / 'model.safetensors')):
        np.testing.assert_array_equal(totals(problem_with(rnn_comp(path))), expected)


def test_one_run_serves_a_point(runs):
    problem = problem_with(rnn_comp())
    totals(problem)
    totals(problem)
    assert len(runs) == 1
    problem.set_val('comp.demand', 1.7)
    problem.run_model()
    totals(problem)
    assert len(runs) == 2


def test_derivatives_follow_the_inputs_without_a_run():
    """Partials at inputs that `compute` has not seen are partials there."""
    problem = problem_with(rnn_comp())
    problem.set_val('comp.demand', 1.7)
    unseen = totals(problem)
    problem.run_model()
    np.testing.assert_array_equal(unseen, totals(problem))


def test_derivatives_and_outputs_follow_the_weights(runs):
    model = small_model()
    problem = problem_with(rnn_comp(model))
    before = problem.get_val('comp.level').copy()
    model.weights = small_model(seed=8).weights
    problem.run_model()
    assert len(runs) == 2
    expected = problem_with(rnn_comp(small_model(seed=8)))
    np.testing.assert_array_equal(problem.get_val('comp.level'), expected.get_val('comp.level'))
    np.testing.assert_array_equal(totals(problem), totals(expected))
    assert np.any(problem.get_val('comp.level') != before)


def test_failed_point_is_not_remembered():
    problem = problem_with(rnn_comp())
    before = problem.get_val('comp.level').copy()
    demand = problem.get_val('comp.demand').copy()
    problem.set_val('comp.demand', np.nan)
    for _ in range(2):
        with pytest.raises(om.AnalysisError):
            problem.run_model()
    problem.set_val('comp.demand', demand)
    problem.run_model()
    np.testing.assert_array_equal(problem.get_val('comp.level'), before)


def test_survives_copies_and_a_second_setup():
    problem = problem_with(rnn_comp())
    expected = totals(problem)
    values = {name: problem.get_val(f'comp.{name}') for name in ('speed', 'valve', 'demand')}
    copied = copy.deepcopy(problem.model.comp)
    pickled = pickle.loads(pickle.dumps(rnn_comp()))
    for other in (copied, pickled):
        np.testing.assert_array_equal(totals(problem_with(other, values)), expected)
    problem.model.comp.options['seq_len'] = 3
    problem.setup(force_alloc_complex=True)
    problem.run_model()
    assert problem.get_val('comp.level').shape == (2, 3)


def test_complex_step_across_the_model_agrees_with_exact_totals():
    def total_derivatives(approximated):
        problem = om.Problem(reports=False)
        model = problem.model
        model.add_subsystem('scale', om.ExecComp('y = x**2', shape=(2, 5)), promotes=['x'])
        model.add_subsystem('comp', rnn_comp(), promotes=['level', 'demand'])
        model.add_subsystem('last', om.ExecComp('z = a**3', shape=(2, 5)), promotes=['z'])
        model.connect('scale.y', 'comp.speed')
        model.connect('level', 'last.a')
        if approximated:
            model.approx_totals(method='cs')
        problem.setup(force_alloc_complex=True)
        problem.set_val('x', np.random.default_rng(0).uniform(0.5, 1.0, (2, 5)))
        problem.run_model()
        return problem.compute_totals(['z'], ['x', 'demand'], return_format='array')

    exact = total_derivatives(False)
    assert np.abs(total_derivatives(True) - exact).max() <= 1e-12 * np.abs(exact).max()


def test_products_under_complex_step():
    """The complex step of a reverse product is the derivative of that product."""
    problem = problem_with(rnn_comp())
    comp = problem.model.comp
    values = {name: problem.get_val(f'comp.{name}') for name in ('speed', 'valve', 'demand')}

    def product(demand):
        inputs = values | {'demand': demand}
        d_inputs = {'speed': np.zeros((2, 5), dtype=complex)}
        d_outputs = {'level': np.ones((2, 5), dtype=complex)}
        comp.compute_jacvec_product(inputs, d_inputs, d_outputs, 'rev')
        return d_inputs['speed']

    demand = values['demand']
    second = product(demand + 1e-30j).imag / 1e-30
    difference = (product(demand + 1e-4) - product(demand - 1e-4)).real / 2e-4
    np.testing.assert_allclose(second, difference, rtol=0, atol=1e-6 * np.abs(second).max())


def test_only_what_is_asked_for_is_added():
    """With one output and one input in play, the others' derivatives stay out of it."""
    problem = problem_with(rnn_comp())
    everything = totals(problem)
    for mode in ('fwd', 'rev'):
        other = om.Problem(reports=False)
        other.model.add_subsystem('comp', rnn_comp())
        other.setup(mode=mode)
        for name in ('speed', 'valve', 'demand'):
            other.set_val(f'comp.{name}', problem.get_val(f'comp.{name}'))
        other.run_model()
        part = other.compute_totals(['comp.power'], ['comp.valve'], return_format='array')
        np.testing.assert_allclose(part, everything[10:, 10:20], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ('name', 'index', 'value', 'message'),
    [
        ('speed', (1, 3), np.nan, r"'comp'.* input 'speed'\[1, 3\] = nan: must be finite"),
        ('demand', (0,), np.inf, r"'comp'.* input 'demand'\[0\] = inf: must be finite"),
    ],
)
def test_bad_input_is_an_analysis_error_that_names_it(name, index, value, message):
    problem = problem_with(rnn_comp())
    values = problem.get_val(f'comp.{name}').copy()
    values[index] = value
    problem.set_val(f'comp.{name}', values)
    with pytest.raises(om.AnalysisError, match=message):
        problem.run_model()


def test_wrong_shape_names_the_variable():
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', rnn_comp())
    problem.setup()
    problem.final_setup()
    with pytest.raises(ValueError, match=r'comp.speed'):
        problem.set_val('comp.speed', np.ones((2, 7)))


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'batch_size': 0}, ValueError, 'batch_size'),
        ({'seq_len': 0}, ValueError, 'seq_len'),
        ({'model': 7}, TypeError, 'model'),
        ({'model': 'nowhere.safetensors'}, FileNotFoundError, r'nowhere\.safetensors'),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        problem_with(rnn_comp(**options))


def test_missing_seq_len_is_an_error_that_names_it():
    with pytest.raises(RuntimeError, match="'seq_len'"):
        problem_with(RNNComp(model=small_model()))


def test_damaged_model_file_is_named(tmp_path):
    path = tmp_path / 'model.safetensors'
    small_model().save(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(WeightFileError, match=r'model\.safetensors: damaged'):
        problem_with(rnn_comp(path))


def test_options_can_be_recorded(tmp_path):
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', rnn_comp())
    problem.add_recorder(om.SqliteRecorder(str(tmp_path / 'cases.db')))
    problem.setup()
    problem.run_model()
    problem.record('end')
    problem.cleanup()
    reader = om.CaseReader(str(tmp_path / 'cases.db'))
    np.testing.assert_array_equal(
        reader.get_case('end')['comp.level'], problem.get_val('comp.level')
    )


def test_a_driver_keeps_a_tank_full_with_the_least_pumping():
    """SLSQP through a trained network; the tank's own equations judge the schedule."""
    model = tank_model(hidden_size=16)
    model.fit(*tank_data(count=120), epochs=120)
    seq_len, demand = 20, 0.4
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('tank', RNNComp(model=model, seq_len=seq_len), promotes=['*'])
    effort = om.ExecComp('effort = sum(pump**2)', pump=np.ones((1, seq_len)))
    problem.model.add_subsystem('effort', effort, promotes=['*'])
    problem.model.add_design_var('pump', lower=0.0, upper=1.0)
    problem.model.add_constraint('level', indices=om.slicer[0, -1], lower=5.0)
    problem.model.add_constraint('level', indices=om.slicer[0, :-1], lower=4.6, alias='on the way')
    problem.model.add_objective('effort')
    problem.driver = om.ScipyOptimizeDriver(optimizer='SLSQP', tol=1e-8, maxiter=100, disp=False)
    problem.setup()
    problem.set_val('pump', 0.8)
    problem.set_val('demand', demand)
    result = problem.run_driver()
    assert result.success
    pump = problem.get_val('pump')[0]
    level = 5.0
    for speed in pump:
        level += 0.8 * speed - demand - 0.05 * (level - 5.0)
    assert level == pytest.approx(5.0, abs=0.05)
    # Least squares under one linear constraint: late pumping leaks less, so it is worth more.
    late = 0.95 ** np.arange(seq_len - 1, -1, -1)
    best = late * (demand * late.sum()) / (0.8 * np.sum(late**2))
    assert np.sum(pump**2) < 1.1 * np.sum(best.clip(0.0, 1.0) ** 2)


def test_perturbations_ride_in_the_batch_axis(runs, monkeypatch):
    """A linearization is one run of the network; in chunks where that would take much memory."""

    class Differenced(PerOutputFD, RNNComp):
        def setup(self):
            super().setup()
            self.matrix_free = False
            self.declare_partials('*', '*', method='fd', form='central', step=1e-4)

    exact = problem_with(rnn_comp(batch_size=2))
    comp = rnn_comp(batch_size=2)
    comp.__class__ = Differenced
    problem = problem_with(comp)
    columns = len(comp._inputs)
    runs.clear()
    with count_calls(problem) as counts:
        differenced = partials_of(problem)
    assert len(runs) == counts.total_calls('comp') == 1
    assert counts.total('comp') == fd_cost(comp).total == 2 * columns
    for key, reference in partials_of(exact).items():
        np.testing.assert_allclose(differenced[key], reference, atol=1e-7, rtol=1e-6)
    monkeypatch.setattr('mdao_seq.components.rnn_comp.LARGEST_BATCH', 100)
    runs.clear()
    for key, in_chunks in partials_of(problem).items():
        np.testing.assert_allclose(in_chunks, differenced[key], rtol=1e-9, atol=1e-12)
    assert len(runs) > 1


STATES = {'initial_state': 'input', 'final_state': True}


@every_cell
def test_derivatives_of_and_by_states(cell, nonlinearity):
    model = small_model(cell, nonlinearity)
    check_derivatives(lambda: rnn_comp(model, batch_size=2, **STATES))
    check_derivatives(lambda: rnn_comp(model, batch_size=2, final_state=True))
    check_derivatives(lambda: rnn_comp(model, batch_size=2, initial_state='input'))


def whole_and_chained(model, at=4, seq_len=6):
    """Return a problem of one component, and one of two that are segments of the same sequence."""
    whole, chained = om.Problem(reports=False), om.Problem(reports=False)
    whole.model.add_subsystem('rnn', RNNComp(model=model, seq_len=seq_len))
    first = RNNComp(model=model, seq_len=at, final_state=True)
    second = RNNComp(model=model, seq_len=seq_len - at, initial_state='input')
    chained.model.add_subsystem('first', first)
    chained.model.add_subsystem('second', second)
    for state in model.state_names:
        chained.model.connect(f'first.{state}n', f'second.{state}0')
    rng = np.random.default_rng(0)
    speed = rng.standard_normal((1, seq_len))
    for problem in (whole, chained):
        problem.setup()
    whole.set_val('rnn.pump', speed)
    chained.set_val('first.pump', speed[:, :at])
    chained.set_val('second.pump', speed[:, at:])
    for problem in (whole, chained):
        problem.run_model()
    return whole, chained


@pytest.mark.parametrize('cell', ['gru', 'lstm'])
def test_chained_segments_are_the_whole_sequence(cell):
    whole, chained = whole_and_chained(tank_model(cell))
    found, expected = chained.get_val('second.level'), whole.get_val('rnn.level')[:, 4:]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    by_first = chained.compute_totals(['second.level'], ['first.pump'])
    by_whole = whole.compute_totals(['rnn.level'], ['rnn.pump'])['rnn.level', 'rnn.pump']
    np.testing.assert_allclose(by_first['second.level', 'first.pump'], by_whole[4:, :4], atol=1e-14)


def test_states_ride_in_the_batch_axis_too():
    class HeldRNN(PerOutputFD, RNNComp):
        def setup_partials(self):
            self.matrix_free = False
            self.declare_partials('*', '*', method='fd', form='central', step=1e-4)

    model = small_model('lstm', num_layers=2)
    options = {'model': model, 'batch_size': 2, 'seq_len': 3, **STATES}
    exact, differenced = (problem_with(cls(**options)) for cls in (RNNComp, HeldRNN))
    of, wrt = ['comp.level', 'comp.hn', 'comp.cn'], ['comp.h0', 'comp.c0', 'comp.speed']
    expected = exact.compute_totals(of, wrt)
    with count_calls(differenced) as counts:
        found = differenced.compute_totals(of, wrt)
    assert counts.total_calls('comp', 'fd', 'compute_batch') >= 1
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-6, atol=1e-6)
