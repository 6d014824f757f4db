"""What the example shows at its end: tables and a figure."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mdao_seq._files import replacing
from water.net3 import HOURS, PUMPS, TANKS

# Okabe and Ito's colours, told apart by every common kind of colour vision.
STYLES = {
    'before': {'color': '#767676', 'linewidth': 1.6, 'linestyle': (0, (4, 2))},
    'surrogate': {'color': '#E69F00', 'linewidth': 1.8},
    'after': {'color': '#0072B2', 'linewidth': 2.2},
}
NAMES = {
    'before': 'before: EPANET, constant speed',
    'surrogate': 'optimum of the LSTM, as the LSTM sees it',
    'after': 'after: improved in EPANET',
}


def error_table(errors):
    """Return held-out errors beside the baseline's, as lines of text."""
    lines = [f'{"output":<14} {"LSTM":>8} {"mean day":>9} {"ratio":>6}']
    for name, (model, naive) in errors.items():
        lines.append(f'{name:<14} {model:8.3f} {naive:9.3f} {model / naive:6.2f}')
    return '\n'.join(lines)


EXCESS = {
    'over exposure': 'exposure above its limit, per mille',
    'low pressure': 'pressure below its limit, m',
    'bounds': 'tank levels outside their bounds, m',
    'end': 'tank levels short of their start, m',
}


def outcome_table(columns, limits):
    """Return objective and constraint violations, a column for each design, as lines of text."""
    rows = [
        ('energy, kWh', 'energy', '.1f'),
        (f'exposure (limit {limits.exposure:.3f}), per mille', 'exposure', '.3f'),
        (f'lowest pressure (limit {limits.pressure:.2f}), m', 'pressure', '.2f'),
        *((title, key, '.4f') for key, title in EXCESS.items()),
    ]
    lines = [f'{"":<36}' + ''.join(f'{name:>22}' for name in columns)]
    for title, key, form in rows:
        lines.append(f'{title:<36}' + ''.join(f'{day[key]:>22{form}}' for day in columns.values()))
    return '\n'.join(lines)


def verdict(day, iterations):
    """Say which limits a design still exceeds after the iterations that it was given."""
    excess = [f'{title}: {day[key]:.4f}' for key, title in EXCESS.items() if day[key] > 5e-5]
    if not excess:
        return f'After {iterations} iterations every limit is kept.'
    return f'After {iterations} iterations these limits are not met yet: {"; ".join(excess)}.'


def cost_table(plan, counts, path):
    """Return predicted and measured evaluations by declaration, as lines of text."""
    measured, linearizations = counts.measured(path), counts.linearizations[path]
    lines = [f'{"declaration":<62} {"predicted":>9} {"measured":>9}']
    for declaration, cost in plan.by_declaration.items():
        predicted = cost.owned * linearizations
        lines.append(f'{declaration!s:<62} {predicted:9d} {measured.get(str(declaration), 0):9d}')
    total, made = plan.total * linearizations, sum(measured.values())
    title = f'{linearizations} linearizations, each {plan.total}'
    runs = counts.total(path, cause='run')
    return '\n'.join(
        [
            *lines,
            f'{title:<62} {total:9d} {made:9d}',
            f'{"runs of the model, the line search among them":<62} {"":>9} {runs:9d}',
        ]
    )


def save_figure(path, schedules, days, limits):
    """Draw schedules and tank levels, and write them whole.

    Parameters
    ----------
    path : pathlib.Path
        A PNG file.
    schedules : dict
        ``before``, ``surrogate``, ``after``: speeds (24,) by pump.
    days : dict
        The same keys: what `figures` returned.
    limits : Limits
        Bounds of the levels.
    """
    figure = Figure(figsize=(12, 7.2), layout='constrained')
    places = figure.subplot_mosaic([['P0'] * 3 + ['P1'] * 3, ['T0'] * 2 + ['T1'] * 2 + ['T2'] * 2])
    figure.suptitle(
        f'EPANET Net3: a day of {days["before"]["energy"]:,.0f} kWh becomes one of '
        f'{days["after"]["energy"]:,.0f} kWh',
        fontsize=14,
        fontweight='bold',
    )
    sources = {'10': 'lifts Lake water', '335': 'lifts River water'}
    for k, pump in enumerate(PUMPS):
        axes = places[f'P{k}']
        axes.set_title(f'Pump {pump} ({sources[pump]})', loc='left')
        axes.set_ylabel('speed / nominal speed')
        for name, style in STYLES.items():
            axes.stairs(schedules[name][pump], np.arange(HOURS + 1), baseline=None, **style)
    for k, tank in enumerate(TANKS):
        axes = places[f'T{k}']
        axes.set_title(f'Tank {tank}', loc='left')
        axes.set_ylabel('level, m')
        _draw_levels(axes, {name: days[name]['level'][k] for name in STYLES}, limits, k)
    for axes in places.values():
        axes.set_xlim(0, HOURS)
        axes.set_xticks(range(0, HOURS + 1, 4))
        axes.set_xlabel('hour of the day')
        axes.grid(alpha=0.25)
        axes.spines[['top', 'right']].set_visible(False)
    lines = [Line2D([], [], label=NAMES[name], **style) for name, style in STYLES.items()]
    marks = [
        Patch(facecolor='#D55E00', alpha=0.18, label='outside the bounds'),
        Line2D(
            [], [], color='black', marker='>', linestyle='none', label='start = least end level'
        ),
    ]
    figure.legend(handles=[*lines, *marks], loc='outside lower center', ncols=3, frameon=False)
    with replacing(path) as scratch:
        figure.savefig(scratch, dpi=150)


def _draw_levels(axes, levels, limits, k):
    start = limits.level_lower[k, -1]
    hours = np.arange(HOURS + 1)
    for name, level in levels.items():
        axes.plot(hours, [start, *level], **STYLES[name])
    axes.plot([0, HOURS], [start, start], 'k>', markersize=6, clip_on=False, zorder=5)
    lower, upper = limits.level_lower[k, 0], limits.level_upper[k, 0]
    low, high = min(map(np.min, levels.values())), max(map(np.max, levels.values()))
    margin = 0.15 * (high - low)
    axes.set_ylim(min(low, start) - margin, high + margin)
    bottom, top = axes.get_ylim()
    for a, b in ((bottom, lower), (upper, top)):
        if b > a:
            axes.axhspan(a, b, color='#D55E00', alpha=0.18, linewidth=0)
    axes.set_ylim(bottom, top)
