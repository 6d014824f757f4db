"""How often a nonlinear solver passes through what is below it, for a number of iterations."""

from typing import NamedTuple

from openmdao.solvers.linesearch.backtracking import ArmijoGoldsteinLS, BoundsEnforceLS
from openmdao.solvers.nonlinear.newton import NewtonSolver
from openmdao.solvers.nonlinear.nonlinear_block_gs import NonlinearBlockGS
from openmdao.solvers.nonlinear.nonlinear_block_jac import NonlinearBlockJac
from openmdao.solvers.nonlinear.nonlinear_runonce import NonlinearRunOnce


class Passes(NamedTuple):
    """Passes of one solve.

    Attributes
    ----------
    solves : int
        Solves of each subsystem.
    residuals : int
        Evaluations of all residuals.
    in_linesearch : int
        More of these, in a line search.
    linearizations : int
        Linearizations.
    why : str
        On what the numbers depend; empty where they are exact.
    """

    solves: int
    residuals: int = 0
    in_linesearch: int = 0
    linearizations: int = 0
    why: str = ''


def passes_of(solver, iterations) -> Passes:
    """Return the passes of a solver.

    Parameters
    ----------
    solver : NonlinearSolver
        The solver.
    iterations : callable
        ``iterations()`` is asked of a solver that iterates.
    """
    if isinstance(solver, NonlinearRunOnce):
        return Passes(1)
    name = type(solver).__name__
    rule = _RULES.get(type(solver))
    if rule is None:
        return Passes(1, why=f'at least: {name} is none that can be predicted')
    count = iterations()
    why = f'for {count} iteration{"" if count == 1 else "s"} of {name}'
    passes = rule(solver, count)
    return passes._replace(why=f'{why}{passes.why}')


def _gauss_seidel(solver, count):
    if solver.options['use_apply_nonlinear']:
        return Passes(count, count + 1)
    # It runs instead of evaluating the first residual, which counts as an iteration.
    return Passes(count, residuals=1 if solver.options['maxiter'] < 2 else 0)


def _jacobi(solver, count):
    return Passes(count, count + 1)


def _newton(solver, count):
    subsolves = 0
    if solver.options['solve_subsystems']:
        subsolves = 1 + min(count, solver.options['max_sub_solves'])
    searching, why = _searching(solver, count)
    return Passes(subsolves, count + 1, searching, count, why)


def _searching(newton, count):
    search = newton.linesearch
    if search is None:
        return 0, ''
    if type(search) is BoundsEnforceLS:
        return 2 * count * newton._system()._has_bounds, ''
    if type(search) is ArmijoGoldsteinLS:
        return 2 * count, ', at least: whose line search may go back'
    return count, f', at least: with {type(search).__name__}'


_RULES = {
    NonlinearBlockGS: _gauss_seidel,
    NonlinearBlockJac: _jacobi,
    NewtonSolver: _newton,
}
