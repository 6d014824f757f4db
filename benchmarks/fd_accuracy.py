"""How near tuned steps come to the best ones, and to what others find.

Components of four outputs, each a smooth function with a closed-form derivative, computed with
noise of 1e-14 to 1e-2, in single precision or by a solver that stops early, are tuned by
`tune_steps`, once for each form. The error of the tuned step, the median over 20 draws of the
noise, is compared with the least such median on a grid of 200 steps between 1e-9 and the span.

Of the peers, OpenMDAO's default and GEMSEO's optimal step (forward differences) cost as many
evaluations per derivative as our tuned forward step, to which they are compared. numdifftools and
scipy.differentiate give a value for tens of evaluations; it is compared with the value in the step
table, and the evaluations are printed. ``--components N`` sets how many (60). Run it alone:
``python benchmarks/fd_accuracy.py``.
"""

import argparse
import json
import platform

import numpy as np
import openmdao.api as om

from _noisy_functions import drawn
from mdao_seq import PerOutputFD, tune_steps
from mdao_seq._files import replacing
from mdao_seq._text_table import text_table
from mdao_seq.differences.stencils import stencil

FORMS = [
    ('forward', 1),
    ('forward', 2),
    ('forward', 3),
    ('central', 2),
    ('central', 4),
    ('central', 6),
]
DRAWS = 20
GRID = 200
CLOSE = 1.5  # errors within this many times each other
SPAN = 0.3


class Noisy(PerOutputFD, om.ExplicitComponent):
    """Outputs of `_noisy_functions` by one scaled input: each at its own point times x."""

    def initialize(self):
        """Declare what is computed."""
        self.options.declare('outputs', desc='list of Output')
        self.options.declare('form', desc='(form, order)')
        self.options.declare('rng', desc='of the noise')

    def setup(self):
        """Declare one partial for each output."""
        self.add_input('x', 1.0)
        form, order = self.options['form']
        for k in range(len(self.options['outputs'])):
            self.add_output(f'y{k}')
            self.declare_partials(f'y{k}', 'x', method='fd', form=form, order=order)

    def compute(self, inputs, outputs):
        """Evaluate all."""
        for k, output in enumerate(self.options['outputs']):
            outputs[f'y{k}'] = output(output.at * inputs['x'], self.options['rng'])


def drawn_noise(output, rng):
    """Return the 20 draws: points, all 1 or, where noise is not random, near it; and deviates."""
    at = np.ones(DRAWS) if output.is_random else 1 + 0.02 * rng.uniform(-1, 1, DRAWS)
    return at, output.deviates(rng, (7, DRAWS))


def median_error(output, form, steps, draws):
    """Return the median error of each of several steps over the same draws."""
    rule = stencil(*form)
    at, deviates = draws
    steps = np.asarray(steps)[:, None]
    total = np.zeros((len(steps), DRAWS))
    for k, (offset, weight) in enumerate(zip(rule.offsets, rule.weights, strict=True)):
        total += weight * output(output.at * (at + offset.real * steps), deviates=deviates[k])
    if rule.base_weight:
        total += rule.base_weight * output(output.at * at, deviates=deviates[-1])
    exact = output.at * output.slope(output.at * at)
    return np.median(np.abs(total / steps - exact), axis=1)


def tuned(outputs, form, rng):
    """Return the step table of a component."""
    problem = om.Problem(reports=False)
    problem.model.add_subsystem('comp', Noisy(outputs=outputs, form=form, rng=rng))
    problem.setup()
    problem.run_model()
    return tune_steps(problem, 'comp', span=SPAN, announce=lambda line: None)


def peers_by_value(rng):
    """Return functions that give (derivative, evaluations) of an output, by peer."""
    found = {}
    try:
        import numdifftools

        def by_numdifftools(output):
            calls = []

            def call(x):
                calls.append(np.size(x))
                return output(output.at * x, rng)

            return float(numdifftools.Derivative(call)(1.0)), sum(calls)

        found['numdifftools'] = by_numdifftools
    except ImportError:
        pass
    try:
        from scipy.differentiate import derivative

        def by_scipy(output):
            result = derivative(lambda x: output(output.at * x, rng), 1.0)
            return float(result.df), int(result.nfev)

        found['scipy.differentiate'] = by_scipy
    except ImportError:
        pass
    return found


def peers_by_step(rng):
    """Return functions that give the forward step of an output, by peer."""
    found = {'OpenMDAO default': lambda output: 1e-6}
    try:
        from gemseo.utils.derivatives.finite_differences import FirstOrderFD

        def by_gemseo(output):
            rule = FirstOrderFD(lambda x: output(output.at * x, rng))
            steps, _ = rule.compute_optimal_step(np.array([1.0]))
            return float(steps[0])

        found['GEMSEO'] = by_gemseo
    except ImportError:
        pass
    return found


def times(error, other):
    """Return how many times another error one is; equal ones are once, also where both are 0."""
    return 1.0 if error == other else error / other if other > 0 else np.inf


def measure(components, seed=0):
    """Return ratios by form and shares by noise and peer, evaluations, and the worst pairs."""
    rng = np.random.default_rng(seed)
    by_form = {form: [] for form in FORMS}
    by_kind = {}
    by_value, by_step = peers_by_value(rng), peers_by_step(rng)
    against = {name: [] for name in (*by_step, *by_value)}
    spent, theirs = [], {name: [] for name in by_value}
    worst = []
    for outputs in drawn(rng, components):
        for form in FORMS:
            table = tuned(outputs, form, rng)
            spent.append(table.spent)
            reach = max(abs(offset) for offset in stencil(*form).offsets)
            grid = np.geomspace(1e-9, SPAN / reach, GRID)
            for output, row in zip(outputs, table.rows, strict=True):
                draws = drawn_noise(output, rng)
                least = np.nanmin(median_error(output, form, grid, draws))
                mine = median_error(output, form, [row.step], draws)[0]
                by_form[form].append(mine / least if least > 0 else float(mine > 0) * np.inf + 1)
                by_kind.setdefault(output.kind, []).append(by_form[form][-1])
                worst.append((by_form[form][-1], f'{output}, {form[0]} {form[1]}'))
                if form == ('forward', 1):
                    for name, step_of in by_step.items():
                        other = median_error(output, form, [step_of(output)], draws)[0]
                        against[name].append(times(mine, other))
        tables = [tuned(outputs, ('central', 2), rng) for _ in range(5)]
        for k, output in enumerate(outputs):
            exact = abs(output.at * output.slope(output.at))
            mine = np.median([abs(table.rows[k].value - exact) for table in tables])
            for name, value_of in by_value.items():
                found = [value_of(output) for _ in range(5)]
                errors = [abs(abs(value) - exact) for value, _ in found]
                theirs[name].append(np.median([calls for _, calls in found]))
                other = np.nan_to_num(np.median(errors), nan=np.inf)
                against[name].append(times(mine, other))
    kinds = {kind: (float(np.mean(np.array(r) <= 3)), len(r)) for kind, r in by_kind.items()}
    return by_form, kinds, against, spent, theirs, sorted(worst, reverse=True)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--components', type=int, default=60)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', metavar='PATH', help='write the rows there')
    arguments = parser.parse_args()
    what = f'{arguments.components} components, seed {arguments.seed}'
    print(f'{__doc__.splitlines()[0]}\n{platform.machine()}, {what}\n')
    by_form, kinds, against, spent, theirs, worst = measure(arguments.components, arguments.seed)
    every = np.concatenate([by_form[form] for form in FORMS])
    rows = [
        (f'{form} {order}', np.mean(np.array(r) <= 3), float(np.median(r)), len(r))
        for (form, order), r in by_form.items()
    ]
    rows.append(('all', np.mean(every <= 3), float(np.median(every)), len(every)))
    print(text_table(('form', 'at most 3x the best', 'median ratio', 'pairs'), rows), end='\n\n')
    shares = [(kind, share, number) for kind, (share, number) in sorted(kinds.items())]
    print(text_table(('noise', 'at most 3x the best', 'pairs'), shares), end='\n\n')
    ours = float(np.median(spent))
    peers = [
        (
            name,
            float(np.mean(np.array(ratios) <= 1)),
            float(np.mean(np.abs(np.log(np.maximum(ratios, 1e-300))) <= np.log(CLOSE))),
            len(ratios),
            1.0 if name not in theirs else float(np.median(theirs[name])),
            1.0 if name not in theirs else ours / 4,
        )
        for name, ratios in against.items()
    ]
    header = (
        'peer',
        'ours not worse',
        'within 1.5x',
        'pairs',
        'evaluations per derivative',
        'ours',
    )
    print(text_table(header, peers))
    print('\nfarthest from the best: ' + '; '.join(f'{r:.0f}x {name}' for r, name in worst[:8]))
    if arguments.json:
        data = [
            {
                'case': name,
                'what': 'within3x',
                'ours': float(share),
                'peer': 'best of grid',
                'peer_value': 1.0,
                'unit': 'share',
                'ratio': float(share),
            }
            for name, share, _, _ in rows
        ] + [
            {
                'case': 'all',
                'what': 'wins',
                'ours': share,
                'peer': name,
                'peer_value': 1 - share,
                'unit': 'share',
                'ratio': share / max(1 - share, 1e-9),
            }
            for name, share, *_ in peers
        ]
        with replacing(arguments.json) as scratch:
            scratch.write_text(json.dumps(data, indent=1))


if __name__ == '__main__':
    main()
