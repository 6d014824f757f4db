"""What the examples about rankings share: drivers, and the picture of scores before and after."""

import numpy as np
import openmdao.api as om


def drivers(tol, maxiter):
    """Yield names and drivers: SLSQP, and IPOPT where pyOptSparse has it."""
    yield 'SLSQP', om.ScipyOptimizeDriver(optimizer='SLSQP', tol=tol, maxiter=maxiter, disp=False)
    try:
        from pyoptsparse import IPOPT

        IPOPT()
    except Exception:  # pyOptSparse raises its own where it was built without IPOPT
        return
    driver = om.pyOptSparseDriver(optimizer='IPOPT', print_results=False)
    driver.opt_settings.update(print_level=0, tol=1e-8)
    yield 'IPOPT', driver


def panels(size, ratios):
    """Return a figure, to be saved, and its two axes side by side."""
    from matplotlib.figure import Figure

    figure = Figure(size, layout='constrained')
    return figure, figure.subplots(1, 2, width_ratios=ratios)


def draw_change(axes, names, before, after, labels):
    """Draw scores before and after, the first on top."""
    places = np.arange(len(names))[::-1]
    axes.hlines(places, before, after, color='#c4ccd4', linewidth=2)
    axes.plot(before, places, 'o', color='#7a8ba3', label=labels[0])
    axes.plot(after, places, 'o', color='#0072B2', label=labels[1])
    axes.set_yticks(places, [str(name) for name in names])
    axes.set_xlabel('score')
    axes.legend(frameon=False, loc='lower right')
    axes.spines[['top', 'right']].set_visible(False)
