"""Pictures of the documentation and of README: matplotlib, in colours that all can tell apart."""

import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's palette.
BLUE, VERMILION, GREEN, ORANGE, GREY = '#0072B2', '#D55E00', '#009E73', '#E69F00', '#666666'

STYLE = {
    'font.size': 11,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'grid.color': '#e4e4e4',
    'axes.axisbelow': True,
    'figure.facecolor': 'white',
    'legend.frameon': False,
    'lines.linewidth': 2,
}


def error_against_step(curves, shared_step=None, xlabel='step', title=None):
    """Draw the error of each derivative against the step of its difference.

    Parameters
    ----------
    curves : list of (name, steps, errors, declared step)
        One for each output; errors in per cent.
    shared_step : float or None
        The step that plain OpenMDAO uses for all.
    xlabel : str
        What the step is, and its unit.
    title : str or None
        What the picture says.

    Returns
    -------
    matplotlib.figure.Figure
        The picture.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 4.4), layout='constrained')
        for (name, steps, errors, declared), colour, dash in zip(
            curves, (BLUE, VERMILION), ('-', '--'), strict=True
        ):
            axes.loglog(steps, errors, dash, color=colour, label=name)
            error = np.interp(declared, steps, errors)
            axes.plot(declared, error, 'o', color=colour, markersize=10, zorder=5)
            axes.annotate(
                f'declared step {declared:g}\nwrong by {error:.1f} %',
                (declared, error),
                (0, -14),
                textcoords='offset points',
                ha='center',
                va='top',
                color=colour,
                fontsize=10,
            )
            if shared_step is not None and shared_step != declared:
                error = np.interp(shared_step, steps, errors)
                axes.plot(
                    shared_step, error, 'X', color=colour, markersize=11, mec='white', zorder=6
                )
                axes.annotate(
                    f'the one step that plain\nOpenMDAO uses: {error:.0f} %',
                    (shared_step, error),
                    (-12, 4),
                    textcoords='offset points',
                    ha='right',
                    va='bottom',
                    color=colour,
                    fontsize=10,
                )
        if title is not None:
            axes.set_title(title, loc='left', fontweight='bold')
        axes.set_xlabel(xlabel)
        axes.set_ylabel('largest error of the derivative, %')
        axes.set_ylim(bottom=0.1)
        axes.yaxis.set_major_formatter('{x:g}')
        axes.legend(loc='upper center', title='central difference of')
    return figure


def points_on_axis(plan, xlabel):
    """Draw the evaluation points of a plan of one input, a line for each declaration.

    Parameters
    ----------
    plan : EvaluationPlan
        Of a single scalar input, without complex steps.
    xlabel : str
        What the offset is, and its unit.

    Returns
    -------
    matplotlib.figure.Figure
        Filled points are evaluated for the declaration that owns them, open ones are used by it
        and paid for by another.
    """
    (block,) = plan.blocks
    with plt.rc_context(STYLE):
        height = 1.1 + 0.75 * len(plan.declarations)
        figure, axes = plt.subplots(figsize=(8, height), layout='constrained')
        for row, (declaration, colour) in enumerate(
            zip(plan.declarations, (BLUE, VERMILION, GREEN), strict=False)
        ):
            axes.axhline(-row, color='#cccccc', linewidth=1, zorder=1)
            for point in block.points:
                if declaration not in point.users:
                    continue
                ((_, offset),) = point.offsets
                own = point.owner == declaration
                axes.plot(
                    offset.real,
                    -row,
                    'o',
                    markersize=13,
                    color=colour,
                    markerfacecolor=colour if own else 'white',
                    markeredgewidth=2,
                    zorder=3,
                )
                if not own:
                    above = plan.declarations.index(point.owner)
                    axes.plot(
                        [offset.real] * 2, [-above, -row], ':', color=GREY, linewidth=1.5, zorder=2
                    )
        axes.axvline(0, color=GREY, linewidth=1)
        rows = range(len(plan.declarations))
        axes.set_yticks(
            [-row for row in rows],
            [f'{d.of}: {d.form} {d.step:g}' for d in plan.declarations],
        )
        axes.set_ylim(-len(plan.declarations) + 0.4, 0.6)
        axes.grid(visible=False, axis='y')
        axes.spines['left'].set_visible(False)
        axes.tick_params(axis='y', length=0)
        axes.set_xlabel(xlabel)
    return figure


def causal_jacobian(jacobian, block, states):
    """Draw a Jacobian over time, cut into blocks, and the singular values of one of them.

    Parameters
    ----------
    jacobian : ndarray (seq_len, seq_len)
        Of one output by one input.
    block : int
        Time steps of a block.
    states : int
        States of the network: the largest rank of a block below the diagonal.

    Returns
    -------
    matplotlib.figure.Figure
        The picture.
    """
    seq_len = len(jacobian)
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout='constrained')
        largest = np.abs(jacobian).max()
        image = left.imshow(
            np.where(jacobian == 0.0, np.nan, jacobian), cmap='RdBu_r', vmin=-largest, vmax=largest
        )
        for edge in range(block, seq_len, block):
            left.axhline(edge - 0.5, color='0.7', linewidth=0.6)
            left.axvline(edge - 0.5, color='0.7', linewidth=0.6)
        left.grid(visible=False)
        left.set_xlabel('time step of the input')
        left.set_ylabel('time step of the output')
        figure.colorbar(image, ax=left, shrink=0.8, label='d level / d speed')
        below = jacobian[-block:, : seq_len - block]
        for matrix, name, colour in (
            (jacobian, 'the whole matrix', BLUE),
            (below, 'left of the last block', VERMILION),
        ):
            values = np.linalg.svd(matrix, compute_uv=False)
            right.semilogy(
                np.arange(1, len(values) + 1), values / values[0], '.-', color=colour, label=name
            )
        right.axvline(states, color=GREY, linestyle=':', linewidth=1.2)
        right.annotate(
            f'{states} states', (states, 1e-8), (6, 0), textcoords='offset points', color=GREY
        )
        right.set_ylim(1e-18, 3.0)
        right.set_xlabel('number')
        right.set_ylabel('singular value, relative')
        right.legend()
    plt.close(figure)
    return figure


def truncation(num_steps, curves):
    """Draw how far truncated derivatives are off.

    Parameters
    ----------
    num_steps : ndarray of int
        Time steps that they look back.
    curves : dict of str to list of float
        Relative errors, by what is derived.

    Returns
    -------
    matplotlib.figure.Figure
        The picture.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 4), layout='constrained')
        for (name, errors), colour, dash in zip(
            curves.items(), (BLUE, VERMILION, GREEN), ('-', '--', '-.'), strict=False
        ):
            axes.loglog(num_steps, np.maximum(errors, 1e-17), dash, color=colour, label=name)
        axes.set_ylim(1e-4, 2.0)
        axes.set_xlabel('num_steps')
        axes.set_ylabel('relative error')
        axes.legend(loc='lower left')
    plt.close(figure)
    return figure
