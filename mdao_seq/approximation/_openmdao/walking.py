"""Walk a model as OpenMDAO would run, check or linearize it, and evaluate nothing.

`Walk` passes through groups by their solvers (`solving.passes_of`), under the relevance that
OpenMDAO itself would use, and tells of each component that would be evaluated. What an
approximation evaluates comes from the evaluation plans.
"""

from collections import Counter
from contextlib import contextmanager, nullcontext

from openmdao.components.submodel_comp import SubmodelComp
from openmdao.core.component import Component, _get_fd_options
from openmdao.core.explicitcomponent import ExplicitComponent
from openmdao.core.group import Group
from openmdao.utils.general_utils import env_truthy, match_includes_excludes
from openmdao.utils.relevance import get_relevance

from mdao_seq.approximation._openmdao.dispatch import made_here, share
from mdao_seq.approximation._openmdao.held_group import declares_totals
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.names import UNDIVIDED, absolute
from mdao_seq.approximation._openmdao.partials import as_openmdao_means
from mdao_seq.approximation._openmdao.plans import plan_declared
from mdao_seq.approximation._openmdao.solving import passes_of
from mdao_seq.approximation._openmdao.stock_plans import (
    plan_group,
    plans_by_scheme,
    plans_of_component,
)
from mdao_seq.approximation._openmdao.totals import Totals
from mdao_seq.differences.declaration import Declaration

CHECKS_ALL = 'OPENMDAO_CHECK_ALL_PARTIALS'

RUN, RESIDUAL, WHOLE = 'run', 'residual', 'whole'


class Walk:
    """Passes through a model and tells what would be evaluated.

    Parameters
    ----------
    tell : callable
        ``tell(path, system, what, cause, declaration, times)``: `what` is RUN of a component,
        RESIDUAL of an implicit one, or WHOLE of a group whose totals are declared.
    bound : callable
        ``bound(path, why)``: why the number is not exact below a path.
    iterations : callable
        ``iterations(path)`` of a solver that iterates.
    inside : str
        Path of the component in whose problem this is.
    """

    def __init__(self, tell, bound, iterations, inside=''):
        self._tell = tell
        self._bound = bound
        self._iterations = iterations
        self._inside = inside

    def _path(self, system):
        return f'{self._inside}.{system.pathname}'.strip('.')

    # ---- runs

    def solve(self, system, times=1, cause='run'):
        """Pass as ``_solve_nonlinear`` does."""
        solver = system.nonlinear_solver
        if solver is None:
            self._evaluate(system, RUN, times, cause)
            return
        path = self._path(system)
        passes = passes_of(solver, lambda: self._iterations(path))
        if passes.why:
            self._bound(path, passes.why)
        with _relevance_of(system).active(solver.use_relevance()):
            for below in _subsystems(system):
                self.solve(below, times * passes.solves, cause)
            self.residual(system, times * passes.residuals, cause)
            self.residual(system, times * passes.in_linesearch, _searching(cause))
            self.linearize(system, times * passes.linearizations, whole=False)

    def residual(self, system, times, cause):
        """Pass as ``_apply_nonlinear`` does."""
        if isinstance(system, Group):
            for below in _subsystems(system):
                self.residual(below, times, cause)
        else:
            explicit = isinstance(system, ExplicitComponent)
            self._evaluate(system, RUN if explicit else RESIDUAL, times, cause)

    def _evaluate(self, component, what, times, cause, declaration=''):
        if not times:
            return
        self._tell(self._path(component), component, what, cause, declaration, times)
        if isinstance(component, SubmodelComp):
            if component._do_opt:
                self._bound(self._path(component), 'runs a driver inside, here counted as one run')
            self._within(component).solve(component.problem.model, times, cause)

    def _within(self, component):
        return Walk(self._tell, self._bound, self._iterations, self._path(component))

    # ---- linearizations

    def totals(self, problem, asked):
        """Pass as ``compute_totals`` does, with OpenMDAO's metadata of what is asked for."""
        with asking(problem.model, asked) as relevance:
            with relevance.active(problem.model.linear_solver.use_relevance()):
                with relevance.all_seeds_active():
                    self.linearize(problem.model)

    def linearize(self, system, times=1, whole=True):
        """Pass as ``_linearize`` does; `whole`: not in a solver, which sees no approx_totals."""
        if not times:
            return
        if not isinstance(system, Group):
            self._linearize_component(system, times)
        elif whole and system._owns_approx_jac:
            self._difference(system, times)
        else:
            relevance = _relevance_of(system)
            with relevance.active(system.linear_solver.use_relevance()):
                for below in list(relevance.filter(system._subsystems_myproc)):
                    self.linearize(below, times)

    def _linearize_component(self, component, times):
        what = RUN if isinstance(component, ExplicitComponent) else RESIDUAL
        is_held = isinstance(component, HeldSystem)
        planned = self._planned if is_held else self._planned_by_stock
        if component._first_call_to_linearize and finds_sparsity_first(component):
            self._bound(self._path(component), 'finds its sparsity in the first linearization')
        for method, declaration, number in planned(component):
            self._evaluate(component, what, times * number, method, declaration)
        if isinstance(component, SubmodelComp) and not component._do_opt:
            inner = component._totjacinfo
            self._within(component).totals(
                component.problem, (inner.output_meta['fwd'], inner.input_meta['fwd'])
            )

    def _planned(self, system, frame=None):
        """Yield (method, declaration, evaluations) of a held system."""
        plan = plan_declared(system, frame=frame)
        self._bound_by(plan, system)
        for method in sorted(plan.methods):
            for declaration, number in plan.evaluations(method, share(system)).items():
                yield method, str(declaration), number

    def _planned_by_stock(self, component):
        for plan in plans_of_component(component):
            self._bound_by(plan, component)
            for method in plan.methods:
                here = made_here(component, plan, method, by_lane=True)
                yield method, UNDIVIDED, sum(number for _, number in here)

    def _bound_by(self, plan, system):
        if plan.bound:
            self._bound(self._path(system), f'at most: {plan.bound}')

    def _difference(self, group, times):
        """Pass through a group as often as its approximation runs it."""
        is_held = declares_totals(group)
        if is_held:
            if group.pathname:
                group._held_frame.prepare()
            frame = Totals(group)
            plan = plan_declared(group, frame=frame)
            for method, declaration, number in self._planned(group, frame):
                self._tell(self._path(group), group, WHOLE, method, declaration, times * number)
        else:
            frame, plan = plan_group(group)
        relevance, runs = _relevance_of(group), Counter()
        for method in plan.methods:
            for block, number in made_here(group, plan, method, by_lane=not is_held):
                runs[frame.seeds(sorted({part.wrt for part in block.parts}))] += number
        for seeds, number in runs.items():
            with relevance.seeds_active(fwd_seeds=seeds) if seeds else nullcontext():
                self.solve(group, times * number, 'totals')

    # ---- checks

    def check(self, model, options):
        """Pass as ``check_partials`` does, with its options."""
        if not model.iter_count:
            # OpenMDAO runs a model that was not run before.
            self.solve(model, cause='check')
        chosen = {name: _patterns(options.get(name)) for name in ('includes', 'excludes')}
        for component in model.system_iter(typ=Component, include_self=True):
            metas = component._var_allprocs_abs2meta
            is_source = not metas['input'] and isinstance(component, ExplicitComponent)
            is_skipped = component._no_check_partials and not env_truthy(CHECKS_ALL)
            if is_source or is_skipped or not metas['output']:
                continue
            if match_includes_excludes(component.pathname, **chosen):
                self._check_component(component, options)

    def _check_component(self, component, options):
        steps = options.get('step')
        steps = [steps] if steps is None or isinstance(steps, int | float) else steps
        self.residual(component, 1 + len(steps), 'check')
        if not component.matrix_free:
            self.linearize(component)
        what = RUN if isinstance(component, ExplicitComponent) else RESIDUAL
        for step in steps:
            self._evaluate(component, what, _points_of_check(component, options, step), 'check')


def _patterns(names):
    return [names] if isinstance(names, str) else names


def _points_of_check(component, options, step):
    """Return how many points one step of a check perturbs a component to."""
    given = component._get_check_partial_options()
    metas, directional = {}, 0
    for wrt in component._get_partials_wrts():
        setting = _get_fd_options(
            wrt,
            options.get('method', 'fd'),
            given,
            step,
            options.get('form'),
            options.get('step_calc', 'abs'),
            component._outputs._alloc_complex,
            options.get('minimum_step'),
        )
        if setting['directional']:
            directional += len(Declaration('*', wrt, **as_openmdao_means(setting)).stencil.offsets)
        else:
            metas.setdefault(setting['method'], {})[absolute(component, wrt)] = setting
    return directional + sum(plan.total for plan in plans_by_scheme(component, metas))


@contextmanager
def asking(model, asked):
    """Let a model be as ``compute_totals`` has it for responses and design variables.

    Parameters
    ----------
    model : Group
        The model.
    asked : (dict, dict)
        OpenMDAO's metadata.

    Yields
    ------
    Relevance
        What the totals depend on.
    """
    meta = model._problem_meta
    before = meta['relevance'], model._owns_approx_of, model._owns_approx_wrt
    meta['relevance'] = relevance = get_relevance(model, *asked)
    model._owns_approx_of, model._owns_approx_wrt = asked
    model._clear_jac_caches()
    try:
        yield relevance
    finally:
        meta['relevance'], model._owns_approx_of, model._owns_approx_wrt = before
        model._clear_jac_caches()


def totals_of(problem, of=None, wrt=None):
    """Return OpenMDAO's metadata of what ``compute_totals`` is asked for, or its driver wants."""
    return problem.model._get_totals_metadata(problem.driver, of, wrt)[:2]


def finds_sparsity_first(component):
    """Whether a component's class does more at the first linearization than to look for colors."""
    if isinstance(component, HeldSystem):
        return False
    return type(component)._check_first_linearize is not Component._check_first_linearize


def _relevance_of(system):
    return system._problem_meta['relevance']


def _subsystems(system):
    if not isinstance(system, Group):
        return []
    return list(_relevance_of(system).filter(system._subsystems_myproc))


def _searching(cause):
    return 'linesearch' if cause == 'run' else cause
