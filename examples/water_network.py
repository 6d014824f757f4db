"""Design a day of pumping on a real network, with a recurrent surrogate and with EPANET itself.

The network is Net3, an example that EPANET [1]_ brings along and that the package wntr [2]_ ships:
92 junctions, three tanks, and two pumps that lift water from a lake and a river. Net3 runs its
pumps by 18 rules ("below this level open, above that one close"), which make every output jump as
inputs change. Here one relative speed for each pump and hour replaces the rules: 48 design
variables, of which everything that EPANET reports is a continuous function.

1. EPANET simulates random schedules and demands, run by OpenMDAO's DOEDriver and recorded.
2. An LSTM learns from that record to predict tank levels, energy, the lowest pressure and the flows
   that decide the exposure; its error on days it has not seen stands beside that of the mean day.
3. PageRank on the graph of flows scores how exposed chosen junctions are to an injection into the
   lake. The LSTM predicts the flows to which that score is most sensitive; in the surrogate, the
   others stay at their mean over the random days. In EPANET all flows count.
4. A driver minimises the day's energy on the surrogate, with exact derivatives, so that tank levels
   stay within bounds and end no lower than they began, pressure and exposure keep their limits, and
   speeds change by no more than 0.05 an hour.
5. The optimum is checked in EPANET, where each output has a finite difference of its own, and a few
   iterations improve it there.

Writes ``water_network.png`` and ``model.safetensors``::

    python examples/water_network.py [--quick] [--out DIR]

References
----------
.. [1] L. A. Rossman, EPANET 2 Users Manual, EPA/600/R-00/057, U.S. EPA, 2000.
.. [2] K. A. Klise et al., Water Network Tool for Resilience (WNTR) User Manual, EPA/600/R-17/264,
   U.S. EPA, 2017.
"""

import argparse
import contextlib
import io
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from tqdm import tqdm
from water.design import DEMAND, Limits, design_problem, figures, schedule_of
from water.experiments import run_experiments
from water.exposure import FlowGraph, flows_that_matter
from water.net3 import HOURS, PUMPS, EpanetDay, Net3
from water.report import cost_table, error_table, outcome_table, save_figure, verdict
from water.surrogate import SurrogateDay, errors, train

from mdao_seq import CallCounts, EvaluationPlan, count_calls, fd_cost

CONSTANT_SPEED = 0.77  # both pumps, all day: the schedule that the network has settled to
HELD_OUT = 0.15
TRUST = 0.1  # how far EPANET's optimum may be from the surrogate's, in speed


class Effort(NamedTuple):
    """How much work is done."""

    days: int
    chosen_flows: int
    hidden_size: int
    epochs: int
    iterations: int


FULL = Effort(days=600, chosen_flows=12, hidden_size=64, epochs=300, iterations=10)
QUICK = Effort(days=250, chosen_flows=12, hidden_size=48, epochs=250, iterations=5)


class Result(NamedTuple):
    """What was found.

    Attributes
    ----------
    errors : dict
        Root mean square errors on held-out days by output: (LSTM, mean day).
    days : dict
        `figures` of ``before``, ``surrogate``, ``surrogate in EPANET`` and ``after``.
    schedules : dict
        Speeds by pump of ``before``, ``surrogate`` and ``after``.
    limits : Limits
        The constraints.
    plan : EvaluationPlan
        Predicted evaluations of one linearization in EPANET.
    counts : CallCounts
        Measured evaluations of the improvement in EPANET.
    seconds : dict
        Of each stage.
    files : tuple of pathlib.Path
        What was written.
    """

    errors: dict
    days: dict
    schedules: dict
    limits: Limits
    plan: EvaluationPlan
    counts: CallCounts
    seconds: dict
    files: tuple


def run(quick=False, out='.', seed=0):
    """Do all of it, print as it goes, and return the numbers.

    Parameters
    ----------
    quick : bool
        Fewer days, epochs and iterations.
    out : path-like
        Directory of the two files; it is made if need be.
    seed : int
        Of the random days and of the LSTM.

    Returns
    -------
    Result
        Designs, errors, counts and seconds.
    """
    effort = QUICK if quick else FULL
    out = Path(out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    # OpenMDAO puts records and reports into the current directory: let that be one that vanishes.
    with tempfile.TemporaryDirectory(prefix='water-network-') as scratch, contextlib.chdir(scratch):
        return _run(effort, out, seed)


def _run(effort, out, seed):
    clock = Clock()
    before = {pump: np.full(HOURS, CONSTANT_SPEED) for pump in PUMPS}
    network = Net3(settled_by=before, demand_multiplier=DEMAND)
    flow_graph = FlowGraph(network, network.day(before, DEMAND).demand)

    days = run_experiments(network, effort.days, seed, 'days.sql')
    chosen = flows_that_matter(network, flow_graph, days['flow'], effort.chosen_flows)
    for link in chosen:
        days[f'flow_{link}'] = days['flow'][:, :, network.links.index(link)]
    mean_flow = days['flow'].mean(axis=0)
    clock.lap(f'{len(days["energy"])} random days in EPANET')

    first_held_out = round((1 - HELD_OUT) * len(days['energy']))
    seen = {name: value[:first_held_out] for name, value in days.items()}
    held_out = {name: value[first_held_out:] for name, value in days.items()}
    model = train(seen, chosen, effort.hidden_size, effort.epochs, patience=50, seed=seed)
    model.save(out / 'model.safetensors')
    error = errors(model, seen, held_out)
    clock.lap(f'LSTM trained on {first_held_out} of them')
    print(f'\nRoot mean square errors on {len(held_out["energy"])} held-out days (m, kWh, L/s)')
    print(error_table(error), end='\n\n')

    # What the present schedule costs, and how exposed it is: the exposure limit follows from that.
    unlimited = Limits.of(network, exposure_before=np.inf)
    today = design_problem(EpanetDay(network=network), flow_graph, unlimited, before)
    today.run_model()
    limits = Limits.of(network, figures(today, unlimited)['exposure'])
    outcome = {'before': figures(today, limits)}

    surrogate = SurrogateDay(model=model, links=network.links, chosen=chosen, mean_flow=mean_flow)
    problem = design_problem(surrogate, flow_graph, limits, before)
    _drive(problem)
    outcome['surrogate'] = figures(problem, limits)
    schedules = {'before': before, 'surrogate': schedule_of(problem)}
    clock.lap('least energy on the LSTM')

    problem = design_problem(
        EpanetDay(network=network),
        flow_graph,
        limits,
        schedules['surrogate'],
        trust=TRUST,
        iterations=effort.iterations,
    )
    problem.run_model()
    outcome['surrogate in EPANET'] = figures(problem, limits)
    plan = fd_cost(problem.model.day)
    print(
        f'At most {effort.iterations} iterations in EPANET; a linearization is {plan.total} days …'
    )
    with count_calls(problem) as counts, tqdm(desc='EPANET days', disable=None, leave=False) as bar:
        problem.model.day.options['bar'] = bar
        _drive(problem)
    counts.verify()  # raises if what was measured is not what was predicted
    outcome['after'] = figures(problem, limits)
    schedules['after'] = schedule_of(problem)
    clock.lap(f'{counts.total("day")} days in EPANET to improve it')

    picture = out / 'water_network.png'
    save_figure(picture, schedules, outcome, limits)
    clock.lap('figure')
    print('\n' + outcome_table(outcome, limits))
    print(verdict(outcome['after'], effort.iterations))
    print('\n' + cost_table(plan, counts, 'day'))
    print('\n' + clock.table())
    files = (picture, out / 'model.safetensors')
    print('\nWrote ' + ' and '.join(map(str, files)))
    return Result(error, outcome, schedules, limits, plan, counts, clock.seconds, files)


def _drive(problem):
    """Run the driver; that it stops at the number of iterations it was given is no failure."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        result = problem.run_driver()
    if not result.success and 'Iteration limit' not in told.getvalue():
        print(told.getvalue())


class Clock:
    """Seconds of each stage, told as it ends."""

    def __init__(self):
        self.seconds = {}
        self._last = perf_counter()

    def lap(self, stage):
        """End a stage."""
        now = perf_counter()
        self.seconds[stage] = now - self._last
        print(f'{self.seconds[stage]:7.1f} s  {stage}', flush=True)
        self._last = now

    def table(self):
        """Return the stages and their total, as lines of text."""
        rows = [*self.seconds.items(), ('total', sum(self.seconds.values()))]
        return '\n'.join(f'{seconds:7.1f} s  {stage}' for stage, seconds in rows)


def main(argv=None):
    """Read the command line, run, and return the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='less of everything, within a minute')
    parser.add_argument('--out', default='.', metavar='DIR', help='where the two files go')
    arguments = parser.parse_args(argv)
    return run(quick=arguments.quick, out=arguments.out)


if __name__ == '__main__':
    main()
