"""EPANET's Net3 as a day of 24 hours: `Net3`, and the OpenMDAO component `EpanetDay`."""

import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import openmdao.api as om
import wntr

from mdao_seq import PerOutputFD

HOURS = 24
PUMPS = ('10', '335')  # 10 lifts from the Lake, 335 from the River
TANKS = ('1', '2', '3')
PUMP_EFFICIENCY = 0.75  # EPANET's default, which Net3 does not change
SPECIFIC_WEIGHT = 9810.0  # water, N/m3
SETTLING_DAYS = 14


def speed_of(pump):
    """Return the name of the variable that is a pump's speed."""
    return f'pump_{pump}_speed'


def level_of(tank):
    """Return the name of the variable that is a tank's level."""
    return f'level_tank_{tank}'


class Day(NamedTuple):
    """What EPANET says about one day; rows are hours.

    Attributes
    ----------
    level : ndarray (24, 3)
        Level of each tank at the end of each hour, m.
    energy : ndarray (24,)
        Electrical energy of both pumps in each hour, kWh.
    pressure : ndarray (24,)
        Lowest pressure head at any junction that consumes, at the start of each hour, m.
    flow : ndarray (24, links)
        Signed flow of each link from the start of each hour, L/s.
    demand : ndarray (junctions,)
        Mean consumption of each junction, L/s.
    """

    level: np.ndarray
    energy: np.ndarray
    pressure: np.ndarray
    flow: np.ndarray
    demand: np.ndarray


class Net3:
    """Net3 with its rule controls replaced by one speed an hour for each pump.

    The tanks start at the levels to which a fortnight of a given schedule brings them, so that
    this schedule ends every day where it began.

    Parameters
    ----------
    settled_by : dict
        Speeds (24,) by pump: the schedule that the network has settled to.
    demand_multiplier : float
        Demand while it settles.
    """

    def __init__(self, settled_by, demand_multiplier):
        network = wntr.network.WaterNetworkModel('Net3')
        for name in list(network.control_name_list):
            network.remove_control(name)
        for name in PUMPS:
            pump = network.get_link(name)
            network.add_pattern(f'speed_{name}', [1.0] * HOURS)
            pump.speed_pattern_name = f'speed_{name}'
            pump.initial_status = 'Open'
        network.options.quality.parameter = 'NONE'  # only the hydraulics are wanted
        self.network = network
        self.links = tuple(network.link_name_list)
        self.junctions = tuple(network.junction_name_list)
        self._consumers = [n for n, junction in network.junctions() if junction.base_demand > 0]
        self.highest = np.array([network.get_node(name).max_level for name in TANKS])

        network.options.time.duration = SETTLING_DAYS * HOURS * 3600
        settled = self._run(settled_by, demand_multiplier).node['pressure'][list(TANKS)]
        self.start_level = settled.to_numpy(dtype=float)[-1]
        for name, level in zip(TANKS, self.start_level, strict=True):
            network.get_node(name).init_level = level
        network.options.time.duration = HOURS * 3600

    def day(self, speeds, demand_multiplier):
        """Simulate one day.

        Parameters
        ----------
        speeds : dict of str to array_like (24,)
            Relative speed of each pump in each hour.
        demand_multiplier : float
            Multiplies every junction's demand.

        Returns
        -------
        Day
            Levels, energy, pressure and flows.

        Raises
        ------
        RuntimeError
            If EPANET fails, or for speeds or demands that are not positive; the message has the
            schedule.
        """
        given = np.concatenate([*(speeds[name] for name in PUMPS), [demand_multiplier]])
        # EPANET reads a NaN without a word, and answers with others.
        if not np.all(np.isfinite(given) & (given > 0)):
            told = _told(speeds, demand_multiplier)
            raise RuntimeError(f'speeds and demands must be positive: {told}')
        results = self._run(speeds, demand_multiplier)
        head, pressure = results.node['head'], results.node['pressure']
        # There are 25 reports. EPANET holds flows over an hour: the first 24 are the hours' flows.
        flow = results.link['flowrate'].to_numpy(dtype=float)[:HOURS]
        watts = np.zeros(HOURS)
        for name in PUMPS:
            pump = self.network.get_link(name)
            gain = (head[pump.end_node_name] - head[pump.start_node_name]).to_numpy(dtype=float)
            pumped = flow[:, self.links.index(name)]
            watts += SPECIFIC_WEIGHT * gain[:HOURS] * pumped / PUMP_EFFICIENCY
        return Day(
            level=pressure[list(TANKS)].to_numpy(dtype=float)[1:],
            energy=watts / 1000.0,
            pressure=pressure[self._consumers].to_numpy(dtype=float).min(axis=1)[:HOURS],
            flow=1000.0 * flow,
            demand=1000.0
            * results.node['demand'][list(self.junctions)].to_numpy(float).mean(axis=0),
        )

    def _run(self, speeds, demand_multiplier):
        network = self.network
        for name in PUMPS:
            network.get_pattern(f'speed_{name}').multipliers = np.array(speeds[name], dtype=float)
        network.options.hydraulic.demand_multiplier = float(demand_multiplier)
        # EPANET writes its input, report and results beside each other.
        with tempfile.TemporaryDirectory(prefix='net3-') as scratch, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                return wntr.sim.EpanetSimulator(network).run_sim(
                    file_prefix=str(Path(scratch, 'day')), version=2.2, convergence_error=True
                )
            except Exception as error:
                raise RuntimeError(
                    f'EPANET failed ({error}) with {_told(speeds, demand_multiplier)}'
                ) from error


def _told(speeds, demand_multiplier):
    schedule = {name: np.round(speeds[name], 4).tolist() for name in PUMPS}
    return f'demand multiplier {demand_multiplier} and speeds {schedule}'


class EpanetDay(PerOutputFD, om.ExplicitComponent):
    """A day of Net3 in EPANET; variables have the names and shapes of the surrogate's.

    Each output has a finite difference of its own. Relative errors (2-norm over all 48 speeds, at
    the schedule that the example starts from) against central differences at 1e-2, which those at
    3e-3 confirm to 0.1 %, flows to 0.5 %:

    ========  ============  ============  ============  ============================
    output    forward 1e-2  forward 5e-3  forward 2e-3  forward 1e-6 (the default)
    ========  ============  ============  ============  ============================
    level     0.7 %         0.4 %         0.3 %         279 %
    energy    1.2 %         0.6 %         0.2 %         8 %
    pressure  1.9 %         1.0 %         0.5 %         238 %
    flow      0.9 %         0.7 %         1.0 %         21 %
    ========  ============  ============  ============  ============================

    The default drowns in float32 results and in EPANET's own tolerance. Energy is the objective
    and is cubic in the speed: it gets the central difference.

    Inputs
    ------
    pump_10_speed, pump_335_speed : (1, 24)
        Relative speeds.
    demand_multiplier : (1,)
        Multiplies every demand.

    Outputs
    -------
    level_tank_1, level_tank_2, level_tank_3 : (1, 24)
        At the end of each hour, m.
    energy : (1, 24)
        Of both pumps in each hour, kWh.
    pressure : (1, 24)
        Lowest at any consumer, m.
    flow : (24, links)
        Signed, L/s.
    """

    def initialize(self):
        """Declare the options."""
        self.options.declare('network', types=Net3, recordable=False, desc='What is simulated.')
        self.options.declare(
            'bar', default=None, recordable=False, desc='tqdm bar that advances with each day.'
        )

    def setup(self):
        """Declare inputs and outputs."""
        for pump in PUMPS:
            self.add_input(speed_of(pump), val=1.0, shape=(1, HOURS), desc='relative speed')
        self.add_input('demand_multiplier', val=1.0, shape=1)
        for tank in TANKS:
            self.add_output(level_of(tank), shape=(1, HOURS), units='m')
        self.add_output('energy', shape=(1, HOURS), units='kW*h')
        self.add_output('pressure', shape=(1, HOURS), units='m')
        self.add_output('flow', shape=(HOURS, len(self.options['network'].links)), units='L/s')

    def setup_partials(self):
        """Give each output the difference that serves it (see the class docstring)."""
        self.declare_partials('energy', '*', method='fd', form='central', step=1e-2)
        self.declare_partials('level_tank_*', '*', method='fd', form='forward', step=5e-3)
        self.declare_partials('pressure', '*', method='fd', form='forward', step=2e-3)
        # The same points as the levels': it costs nothing more.
        self.declare_partials('flow', '*', method='fd', form='forward', step=5e-3)

    def compute(self, inputs, outputs):
        """Run EPANET."""
        speeds = {pump: inputs[speed_of(pump)][0] for pump in PUMPS}
        try:
            day = self.options['network'].day(speeds, inputs['demand_multiplier'][0])
        except RuntimeError as error:
            # A DOEDriver goes on, and (OpenMDAO 3.45) records the day as a success with what was
            # here before: let it be known by NaN.
            for name in outputs:
                outputs[name] = np.nan
            raise om.AnalysisError(f"'{self.pathname}': {error}") from error
        if self.options['bar'] is not None:
            self.options['bar'].update()
        for tank, level in zip(TANKS, day.level.T, strict=True):
            outputs[level_of(tank)] = level
        outputs['energy'] = day.energy
        outputs['pressure'] = day.pressure
        outputs['flow'] = day.flow
