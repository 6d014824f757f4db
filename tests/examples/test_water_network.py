"""The water network example: EPANET's day, the exposure graph, and the whole story, quick."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import openmdao.api as om
import pytest

from mdao_seq import SequenceModel, fd_cost
from tests.derivative_checks import check_derivatives

wntr = pytest.importorskip('wntr')
EXAMPLES = Path(__file__).parents[2] / 'examples'
if str(EXAMPLES) not in sys.path:  # as `python examples/water_network.py` has it
    sys.path.insert(0, str(EXAMPLES))

import water_network  # noqa: E402
from water import design, experiments, exposure, net3  # noqa: E402

CONSTANT = {pump: np.full(net3.HOURS, 0.77) for pump in net3.PUMPS}


@pytest.fixture(scope='module')
def network():
    return net3.Net3(settled_by=CONSTANT, demand_multiplier=1.25)


@pytest.fixture(scope='module')
def day(network):
    return network.day(CONSTANT, 1.25)


@pytest.fixture(scope='module')
def flow_graph(network, day):
    return exposure.FlowGraph(network, day.demand)


@pytest.fixture(scope='module')
def story(tmp_path_factory):
    """Run it quick, from its command line, in an empty directory; return what it left there too."""
    here, out = tmp_path_factory.mktemp('here'), tmp_path_factory.mktemp('out')
    scratch = tmp_path_factory.mktemp('scratch')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(tempfile, 'tempdir', str(scratch))
        result = water_network.main(['--quick', '--out', str(out / 'new')])
    return result, [*here.iterdir(), *scratch.iterdir()], out / 'new'


class TestTheWholeStory:
    pytestmark = pytest.mark.slow

    def test_the_lstm_beats_the_mean_day_on_days_it_has_not_seen(self, story):
        result, _, _ = story
        assert {'level_tank_1', 'energy', 'pressure'} < set(result.errors)
        for name, (model, naive) in result.errors.items():
            assert model < 0.4 * naive, name
        for name in ('level_tank_1', 'level_tank_2', 'level_tank_3', 'energy'):
            model, naive = result.errors[name]
            assert model < 0.15 * naive, name

    def test_evaluations_were_predicted(self, story):
        result, _, _ = story
        linearizations = result.counts.linearizations['day']
        assert result.plan.total == 2 * 24 * (2 + 1 + 1)
        assert linearizations > 1
        assert result.counts.total('day', cause='fd') == result.plan.total * linearizations
        measured = result.counts.measured('day')
        for declaration, cost in result.plan.by_declaration.items():
            assert measured.get(str(declaration), 0) == cost.owned * linearizations

    def test_the_final_day_is_feasible_in_epanet_and_cheaper(self, story):
        result, _, _ = story
        before, after = result.days['before'], result.days['after']
        assert after['energy'] < 0.985 * before['energy']
        assert after['bounds'] <= 0.01
        assert after['end'] <= 0.01
        assert after['low pressure'] <= 0.01
        assert after['over exposure'] <= 0.005 * result.limits.exposure
        for speed in result.schedules['after'].values():
            assert np.abs(np.diff(speed)).max() <= design.RAMP + 1e-6

    def test_the_exposure_limit_binds(self, story):
        result, _, _ = story
        assert result.days['after']['exposure'] > 0.98 * result.limits.exposure

    def test_the_final_day_is_what_epanet_says_of_its_schedule(self, story):
        result, _, _ = story
        fresh = net3.Net3(settled_by=CONSTANT, demand_multiplier=1.25)
        again = fresh.day(result.schedules['after'], 1.25)
        assert again.energy.sum() == pytest.approx(result.days['after']['energy'], rel=1e-12)
        np.testing.assert_allclose(again.level.T, result.days['after']['level'], atol=1e-12)

    def test_the_files_are_there_and_nothing_else(self, story):
        result, litter, out = story
        assert litter == []
        assert sorted(path.name for path in out.iterdir()) == [
            'model.safetensors',
            'water_network.png',
        ]
        model = SequenceModel.load(out / 'model.safetensors')
        assert [signal.name for signal in model.outputs] == list(result.errors)
        assert (out / 'water_network.png').read_bytes().startswith(b'\x89PNG')


class TestNet3:
    def test_the_schedule_it_settled_to_ends_where_it_began(self, network, day):
        np.testing.assert_allclose(day.level[-1], network.start_level, atol=2e-3)

    def test_a_day_is_repeatable_and_has_no_rules(self, network, day):
        again = network.day(CONSTANT, 1.25)
        for one, other in zip(day, again, strict=True):
            np.testing.assert_array_equal(one, other)
        assert network.network.num_controls == 0

    def test_energy_is_wntrs(self, network, day):
        results = network._run(CONSTANT, 1.25)
        joule = wntr.metrics.pump_energy(
            results.link['flowrate'], results.node['head'], network.network
        )
        expected = joule[list(net3.PUMPS)].astype(float).sum(axis=1).to_numpy()[:24] / 3.6e6
        np.testing.assert_allclose(day.energy, expected, rtol=1e-5)

    @pytest.mark.parametrize('bad', [np.nan, -1.0, 0.0])
    def test_a_bad_speed_is_an_analysis_error_with_the_schedule(self, network, bad):
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('day', net3.EpanetDay(network=network))
        problem.setup()
        problem.set_val('day.pump_10_speed', np.r_[np.full(23, 0.7), bad])
        with pytest.raises(om.AnalysisError, match=rf"'day'.*0\.7, {bad}\]"):
            problem.run_model()

    def test_a_failure_of_epanet_is_an_analysis_error_with_the_schedule(self, network, monkeypatch):
        def fail(*args, **kwargs):
            raise RuntimeError('system unsolvable')

        monkeypatch.setattr(wntr.sim.EpanetSimulator, 'run_sim', fail)
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('day', net3.EpanetDay(network=network))
        problem.setup()
        with pytest.raises(om.AnalysisError, match=r'system unsolvable.*demand multiplier 1\.0'):
            problem.run_model()

    def test_declarations_cost_what_the_example_says(self, network):
        problem = om.Problem(reports=False)
        problem.model.add_subsystem('day', net3.EpanetDay(network=network))
        problem.setup()
        problem.final_setup()
        plan = fd_cost(problem.model.day, wrt='pump_*')
        own = {str(d).split(' ')[0]: cost.owned for d, cost in plan.by_declaration.items()}
        assert own['d(energy)/d(pump_10_speed)'] == 48
        assert own['d(level_tank_1)/d(pump_10_speed)'] == 24
        assert own['d(level_tank_3)/d(pump_10_speed)'] == 0
        assert own['d(pressure)/d(pump_335_speed)'] == 24
        assert own['d(flow)/d(pump_335_speed)'] == 0

    def test_steps_matter(self):
        """With Net3's own rules, a step of 1e-6 is wrong by 8x, 21x and 1.5x."""
        network = wntr.network.WaterNetworkModel('Net3')
        network.options.time.duration = 24 * 3600

        def outputs(multiplier):
            network.options.hydraulic.demand_multiplier = multiplier
            results = wntr.sim.EpanetSimulator(network).run_sim(version=2.2)
            pressure = results.node['pressure']
            joule = wntr.metrics.pump_energy(
                results.link['flowrate'], results.node['head'], network
            )
            return np.array(
                [
                    pressure[['1', '2', '3']].iloc[-1].astype(float).mean(),
                    pressure[network.junction_name_list].to_numpy(dtype=float).min(),
                    joule[['10', '335']].to_numpy(dtype=float).sum() / 1e9,
                ]
            )

        def slope(step):
            return (outputs(1 + step) - outputs(1 - step)) / (2 * step)

        np.testing.assert_allclose(slope(3e-3), [3.5, 1.29, 0.157], rtol=0.01)
        np.testing.assert_allclose(slope(1e-6), [27.9, 27.9, 0.245], rtol=0.01)


class TestExposure:
    def test_weights_are_what_flows_along_less_what_flows_against(self, flow_graph, day):
        problem = om.Problem(reports=False)
        edges = exposure.EdgeWeightsComp(flow_graph=flow_graph)
        problem.model.add_subsystem('edges', edges, promotes=['*'])
        problem.setup()
        problem.set_val('flow', day.flow)
        problem.run_model()
        weights = problem.get_val('weights')
        assert weights.min() >= 0.0
        net = weights[flow_graph.along] - weights[flow_graph.against]
        np.testing.assert_allclose(net, day.flow.mean(axis=0), atol=1e-9)

    def test_derivatives(self, flow_graph, day):
        few = {'flow': day.flow}
        check_derivatives(
            lambda: exposure.EdgeWeightsComp(flow_graph=flow_graph, width=5.0), few, fd_rtol=1e-5
        )
        check_derivatives(
            lambda: exposure.FlowFieldComp(
                links=('a', 'b', 'c'), chosen=['c', 'a'], mean=np.ones((net3.HOURS, 3))
            )
        )

    def test_more_lake_water_exposes_more(self, network, flow_graph):
        problem = om.Problem(exposure.Exposure(flow_graph=flow_graph), reports=False)
        problem.setup()
        scores = []
        for lake, river in ((0.65, 0.80), (0.95, 0.70)):
            speeds = {'10': np.full(24, lake), '335': np.full(24, river)}
            problem.set_val('flow', network.day(speeds, 1.25).flow)
            problem.run_model()
            scores.append(problem.get_val('exposure')[0])
        assert scores[1] > 1.5 * scores[0]


class TestExperiments:
    def test_schedules_are_seeded_and_within_the_range(self):
        one, same, other = (
            experiments.Schedules(20, np.random.default_rng(seed))._data for seed in (0, 0, 1)
        )
        for case, again in zip(one, same, strict=True):
            for (name, value), (_, repeated) in zip(case, again, strict=True):
                np.testing.assert_array_equal(value, repeated)
                low, high = design.SPEED_RANGE if name != 'demand_multiplier' else (1.2, 1.3)
                assert np.all((value >= low) & (value <= high))
        assert not np.array_equal(one[0][0][1], other[0][0][1])

    def test_the_record_gives_back_what_epanet_said(self, network, tmp_path):
        days = experiments.run_experiments(network, 3, 0, tmp_path / 'days.sql')
        assert days['level_tank_2'].shape == (3, 24)
        assert days['demand_multiplier'].shape == (3,)
        speeds = {pump: days[net3.speed_of(pump)][2] for pump in net3.PUMPS}
        again = network.day(speeds, days['demand_multiplier'][2])
        np.testing.assert_array_equal(days['flow'][2], again.flow)
        np.testing.assert_array_equal(days['level_tank_2'][2], again.level[:, 1])

    def test_a_day_on_which_epanet_fails_is_left_out(self, network, tmp_path, monkeypatch):
        simulate, calls = network.day, []

        def sometimes(*args):
            calls.append(args)
            if len(calls) == 2:
                raise RuntimeError('unbalanced')
            return simulate(*args)

        monkeypatch.setattr(network, 'day', sometimes)
        days = experiments.run_experiments(network, 3, 0, tmp_path / 'days.sql')
        assert len(calls) == 3
        assert days['energy'].shape == (2, 24)
