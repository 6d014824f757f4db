"""From a recorded design of experiments to a component."""

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import RNNComp, SequenceModel, Signal, trajectories_from_cases
from mdao_seq.sequence.errors import InputError

HOURS = 12


class Tank(om.ExplicitComponent):
    """A tank that a pump fills and a demand empties; it runs over at 3 m."""

    def initialize(self):
        self.options.declare('days', default=None)

    def setup(self):
        days = self.options['days']
        self.add_input('pump', np.ones(HOURS if days is None else (days, HOURS)))
        self.add_input('demand', 0.1 if days is None else np.full(days, 0.1), units='m')
        self.add_output('level', np.ones(HOURS if days is None else (days, HOURS)), units='m')

    def compute(self, inputs, outputs):
        pump = np.atleast_2d(inputs['pump'])
        if np.any(pump > 0.95):
            raise om.AnalysisError('the pump runs hot')
        level, levels = np.full(len(pump), 2.0), []
        for hour in range(HOURS):
            level = np.minimum(0.9 * level + 0.5 * pump[:, hour] - inputs['demand'], 3.0)
            levels.append(level)
        outputs['level'] = np.stack(levels, axis=1).reshape(outputs['level'].shape)


def recorded(tmp_path, cases=40, highest=0.9, days=None):
    """Return the reader of a design of experiments on a tank."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('site', om.Group()).add_subsystem('tank', Tank(days=days))
    problem.model.add_design_var('site.tank.pump', lower=0.0, upper=highest)
    problem.model.add_design_var('site.tank.demand', lower=0.05, upper=0.2)
    problem.model.add_objective('site.tank.level', index=0, flat_indices=True)
    problem.driver = om.DOEDriver(om.UniformGenerator(num_samples=cases, seed=1))
    problem.driver.recording_options['includes'] = ['*level']
    problem.driver.add_recorder(om.SqliteRecorder(str(tmp_path / 'doe.sql')))
    problem.setup()
    problem.run_driver()
    problem.cleanup()
    (found,) = tmp_path.rglob('doe.sql')
    return om.CaseReader(str(found))


INPUTS = {'pump': 'site.tank.pump', Signal('demand', units='cm'): 'site.tank.demand'}
OUTPUTS = {Signal('level', units='m'): 'site.tank.level'}


def test_a_recorded_experiment_becomes_a_component(tmp_path):
    reader = recorded(tmp_path, cases=60)
    inputs, outputs = trajectories_from_cases(reader, INPUTS, OUTPUTS)
    assert inputs['pump'].shape == outputs['level'].shape == (60, HOURS)
    assert inputs['demand'].shape == (60,)
    case = reader.get_case(reader.list_cases('driver', out_stream=None)[7])
    np.testing.assert_array_equal(inputs['pump'][7], case['site.tank.pump'])
    assert inputs['demand'][7] == pytest.approx(100.0 * case['site.tank.demand'][0])

    model = SequenceModel(
        'pump', Signal('level', units='m'), Signal('demand', units='cm'), cell='gru', hidden_size=8
    )
    model.fit(inputs, outputs, epochs=80, optimizer='lbfgs')
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('network', RNNComp(model=model, seq_len=HOURS), promotes=['*'])
    problem.model.add_subsystem('tank', Tank(), promotes_inputs=[])
    problem.setup()
    pump = np.random.default_rng(9).uniform(0.0, 0.9, HOURS)
    problem.set_val('pump', pump[np.newaxis])
    problem.set_val('tank.pump', pump)
    for name in ('demand', 'tank.demand'):
        problem.set_val(name, 12.0, units='cm')
    problem.run_model()
    np.testing.assert_allclose(problem.get_val('level')[0], problem.get_val('tank.level'), atol=0.1)


def test_cases_that_failed_are_left_out(tmp_path):
    """OpenMDAO 3.45 records them as good ones, with the outputs of the case before."""
    reader = recorded(tmp_path, highest=1.0)
    with pytest.warns(UserWarning, match=r'\d+ of 40 recorded cases failed') as told:
        inputs, outputs = trajectories_from_cases(reader, INPUTS, OUTPUTS)
    failed = int(str(told[0].message).split()[0])
    assert 0 < failed == 40 - len(inputs['pump'])
    assert inputs['pump'].max() <= 0.95
    assert len(outputs['level']) == 40 - failed


def test_sequences_side_by_side_are_trajectories_each(tmp_path):
    reader = recorded(tmp_path, cases=3, days=4)
    inputs, outputs = trajectories_from_cases(reader, INPUTS, OUTPUTS)
    assert inputs['pump'].shape == outputs['level'].shape == (12, HOURS)
    assert inputs['demand'].shape == (12,)
    second = reader.get_case(reader.list_cases('driver', out_stream=None)[1])
    np.testing.assert_array_equal(outputs['level'][4:8], second['site.tank.level'])


def test_what_is_missing_is_named(tmp_path):
    reader = recorded(tmp_path, cases=3)
    with pytest.raises(InputError, match=r"'site.tank.volume' was not recorded.*site.tank.level"):
        trajectories_from_cases(reader, INPUTS, {'volume': 'site.tank.volume'})
    with pytest.raises(InputError, match="'problem' has 0 recorded case"):
        trajectories_from_cases(reader, INPUTS, OUTPUTS, source='problem')
    with pytest.raises(ValueError, match=r"signal name 'site\.tank\.pump' is not an identifier"):
        trajectories_from_cases(reader, 'site.tank.pump', OUTPUTS)
