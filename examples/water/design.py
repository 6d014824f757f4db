"""The design problem, the same for EPANET and for its surrogate: `design_problem`, `figures`."""

from typing import NamedTuple

import numpy as np
import openmdao.api as om

from water.exposure import Exposure
from water.net3 import HOURS, PUMPS, TANKS, level_of, speed_of

DEMAND = 1.25  # multiplies Net3's demands: at 1 the tanks are soon full and nothing moves
SPEED_RANGE = (0.6, 1.0)
RAMP = 0.05  # how much a speed may change from one hour to the next: pumps and pipes wear
LEVEL_RANGE = (0.3, 0.95)  # of the height of the tank
LOWEST_PRESSURE = 22.9  # m, at any consumer and hour
EXPOSURE_LIMIT = 1.5  # times that of the schedule that Net3 starts from


class Limits(NamedTuple):
    """What a day must respect.

    Attributes
    ----------
    level_lower, level_upper : ndarray (3, 24)
        Bounds of each tank's level, m. The last hour's lower bound is the start level.
    pressure : float
        Lowest pressure, m.
    exposure : float
        Largest exposure, per mille.
    """

    level_lower: np.ndarray
    level_upper: np.ndarray
    pressure: float
    exposure: float

    @classmethod
    def of(cls, network, exposure_before):
        """Return the limits of a network whose present schedule has a certain exposure."""
        lower, upper = (
            np.repeat(part * network.highest[:, None], HOURS, axis=1) for part in LEVEL_RANGE
        )
        lower[:, -1] = np.maximum(lower[:, -1], network.start_level)
        return cls(lower, upper, LOWEST_PRESSURE, EXPOSURE_LIMIT * exposure_before)


def design_problem(day, flow_graph, limits, schedule, trust=None, iterations=100, tolerance=1e-5):
    """Return the problem of the least energy, with a driver.

    Parameters
    ----------
    day : System
        Has the variables of `EpanetDay`: EPANET or its surrogate.
    flow_graph : FlowGraph
        For the exposure.
    limits : Limits
        The constraints.
    schedule : dict
        Speeds (24,) by pump to start from.
    trust : float or None
        How far a speed may go from there. None: anywhere in its range.
    iterations, tolerance : int, float
        Of SLSQP.

    Returns
    -------
    om.Problem
        Set up, at `schedule`, not run.
    """
    problem = om.Problem(reports=False)
    model = problem.model
    model.add_subsystem('day', day, promotes=['*'])
    model.add_subsystem('along', Exposure(flow_graph=flow_graph), promotes=['*'])
    total = om.ExecComp(
        'daily_energy = sum(energy)',
        energy={'shape': (1, HOURS), 'units': 'kW*h'},
        daily_energy={'units': 'kW*h'},
    )
    model.add_subsystem('total', total, promotes=['*'])
    ramps = om.ExecComp(
        [f'pump_{pump}_ramp = diff({speed_of(pump)}[0])' for pump in PUMPS],
        **{speed_of(pump): np.ones((1, HOURS)) for pump in PUMPS},
        **{f'pump_{pump}_ramp': np.zeros(HOURS - 1) for pump in PUMPS},
    )
    model.add_subsystem('ramps', ramps, promotes=['*'])

    for pump in PUMPS:
        lower, upper = (np.full(HOURS, bound) for bound in SPEED_RANGE)
        if trust is not None:
            lower = np.maximum(lower, schedule[pump] - trust)
            upper = np.minimum(upper, schedule[pump] + trust)
        model.set_input_defaults(speed_of(pump), val=schedule[pump][None])
        model.add_design_var(speed_of(pump), lower=lower, upper=upper)
        model.add_constraint(f'pump_{pump}_ramp', lower=-RAMP, upper=RAMP, linear=True)
    model.add_objective('daily_energy', ref=1000.0)
    for tank, lower, upper in zip(TANKS, limits.level_lower, limits.level_upper, strict=True):
        model.add_constraint(level_of(tank), lower=lower, upper=upper)
    model.add_constraint('pressure', lower=limits.pressure)
    model.add_constraint('exposure', upper=limits.exposure)

    problem.driver = om.ScipyOptimizeDriver(
        optimizer='SLSQP', maxiter=iterations, tol=tolerance, disp=False
    )
    # 48 schedule variables against about 100 responses: forward is the shorter way.
    problem.setup(mode='fwd')
    problem.set_val('demand_multiplier', DEMAND)
    return problem


def schedule_of(problem):
    """Return the speeds (24,) by pump at which a problem is."""
    return {pump: problem.get_val(speed_of(pump)).ravel().copy() for pump in PUMPS}


def figures(problem, limits):
    """Return what a run problem says about its day.

    Returns
    -------
    dict
        ``energy`` (kWh), ``exposure`` (per mille), ``pressure`` (the lowest, m), ``level``
        (3, 24) (m), and how far each limit is exceeded: ``bounds`` and ``end`` (m), ``low
        pressure`` (m), ``over exposure`` (per mille); 0 where it is kept.
    """
    level = np.concatenate([problem.get_val(level_of(tank), units='m') for tank in TANKS])
    pressure = float(problem.get_val('pressure', units='m').min())
    exposure = float(problem.get_val('exposure')[0])
    below, above = limits.level_lower - level, level - limits.level_upper
    return {
        'energy': float(problem.get_val('daily_energy', units='kW*h')[0]),
        'exposure': exposure,
        'pressure': pressure,
        'level': level,
        'bounds': max(0.0, float(below[:, :-1].max()), float(above.max())),
        'end': max(0.0, float(below[:, -1].max())),
        'low pressure': max(0.0, limits.pressure - pressure),
        'over exposure': max(0.0, exposure - limits.exposure),
    }
