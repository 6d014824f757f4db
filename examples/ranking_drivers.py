"""Drivers that the examples about rankings are solved by."""

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
