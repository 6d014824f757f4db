"""Days to learn from: random schedules, run by the DOEDriver and read back from its record."""

from pathlib import Path

import numpy as np
import openmdao.api as om
from tqdm import tqdm

from water.design import SPEED_RANGE
from water.net3 import HOURS, PUMPS, TANKS, EpanetDay, level_of, speed_of

DEMANDS = (1.2, 1.3)
MEAN_SPEED = {'10': (0.64, 0.98), '335': (0.64, 0.82)}  # more keeps the big tank full all day


class Schedules(om.ListGenerator):
    """Random days: an even mixture of smooth and rough schedules, and of demands.

    A schedule is a mean, a wave of one or two periods a day, a trend, and steps that each hold for
    1 to 8 hours, clipped to the range of the speed: an optimizer tries all of these.

    Parameters
    ----------
    runs : int
        How many days.
    rng : numpy.random.Generator
        What draws them.
    """

    def __init__(self, runs, rng):
        super().__init__([self._case(rng) for _ in range(runs)])

    def _case(self, rng):
        case = [(speed_of(pump), _schedule(rng, MEAN_SPEED[pump])[None]) for pump in PUMPS]
        return [*case, ('demand_multiplier', np.array([rng.uniform(*DEMANDS)]))]

    def __call__(self, design_vars, model=None):
        """Yield the cases, with a progress bar on a terminal."""
        cases = super().__call__(design_vars, model)
        yield from tqdm(cases, 'EPANET days', total=len(self._data), disable=None, leave=False)


def _schedule(rng, mean_range):
    hour = np.arange(HOURS) / HOURS
    wave = np.sin(2 * np.pi * (rng.integers(1, 3) * hour + rng.uniform()))
    held = rng.choice([1, 2, 4, 8])
    steps = np.repeat(rng.standard_normal(HOURS // held), held)
    speed = (
        rng.uniform(*mean_range)
        + rng.uniform(0.0, 0.1) * wave
        + rng.uniform(-0.15, 0.15) * (hour - 0.5)
        + rng.uniform(0.0, 0.06) * steps
    )
    return np.clip(speed, *SPEED_RANGE)


def run_experiments(network, runs, seed, record):
    """Simulate random days with the DOEDriver and read their trajectories back.

    Parameters
    ----------
    network : Net3
        What is simulated.
    runs : int
        How many days.
    seed : int
        Of the schedules.
    record : path-like
        Where the SqliteRecorder writes.

    Returns
    -------
    dict of str to ndarray
        Speeds, levels, energy, pressure (runs, 24), demand_multiplier (runs,), flow (runs, 24,
        links); days on which EPANET failed are left out.
    """
    record = Path(record).resolve()  # OpenMDAO would put a relative one into a directory of its own
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('day', EpanetDay(network=network), promotes=['*'])
    inputs = [*(speed_of(pump) for pump in PUMPS), 'demand_multiplier']
    outputs = [*(level_of(tank) for tank in TANKS), 'energy', 'pressure', 'flow']
    for name in inputs:
        problem.model.add_design_var(name)
    problem.driver = om.DOEDriver(Schedules(runs, np.random.default_rng(seed)))
    problem.driver.add_recorder(om.SqliteRecorder(record, record_viewer_data=False))
    problem.driver.recording_options['includes'] = outputs
    problem.setup()
    problem.run_driver()
    problem.cleanup()

    reader = om.CaseReader(record)
    cases = [reader.get_case(case) for case in reader.list_cases('driver', out_stream=None)]
    cases = [case for case in cases if np.all(np.isfinite(case['energy']))]
    day = {name: np.array([case[name] for case in cases]) for name in inputs + outputs}
    # A component's variables are (1, 24) and (1,): one day at a time.
    return {name: value if name == 'flow' else value[:, 0] for name, value in day.items()}
