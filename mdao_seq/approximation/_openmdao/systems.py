"""What the rest of the package may ask of a system, a problem or OpenMDAO itself."""

from collections import Counter
from contextlib import contextmanager

from openmdao.components.submodel_comp import SubmodelComp
from openmdao.core.component import Component
from openmdao.core.constants import _SetupStatus
from openmdao.core.driver import Driver
from openmdao.core.explicitcomponent import ExplicitComponent
from openmdao.core.group import Group
from openmdao.core.implicitcomponent import ImplicitComponent
from openmdao.core.problem import Problem
from openmdao.utils import hooks
from openmdao.utils.file_utils import _load_and_exec
from openmdao.utils.mpi import MPI

from mdao_seq.approximation._openmdao.dispatch import made_here, share
from mdao_seq.approximation._openmdao.held_group import declares_totals
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.names import (
    DERIVES_EXPLICIT,
    DERIVES_IMPLICIT,
    EVALUATES_EXPLICIT,
    EVALUATES_IMPLICIT,
    UNDIVIDED,
    absolute,
)
from mdao_seq.approximation._openmdao.stock_plans import plans_in_use


def planned_evaluations(system) -> dict[str, int] | None:
    """Return what the linearization just made should have cost, by declaration.

    A component that is not held is planned from what its schemes hold, which do not tell
    declarations apart. None where it has none, and where a group was linearized otherwise.
    """
    if isinstance(system, HeldSystem):
        if not system._held_frame.is_held or system._held_runs is None:
            return None
        evaluations = Counter(map(str, system._held_repeated))
        for plan, method in system._held_runs.values():
            for declaration, number in plan.evaluations(method, share(system)).items():
                evaluations[str(declaration)] += number
        return dict(evaluations)
    plans = plans_in_use(system)
    if plans is None:
        return None
    numbers = [
        number
        for plan in plans
        for method in plan.methods
        for _, number in made_here(system, plan, method, by_lane=True)
    ]
    return {UNDIVIDED: sum(numbers)}


def group_differenced_above(system) -> str | None:
    """Return the name of a group above that approximates its derivatives as a whole, if any."""
    for group in _lineage(system)[:-1]:
        if group._owns_approx_jac:
            return f"the group '{group.pathname}'" if group.pathname else 'the model'
    return None


def _lineage(system) -> list:
    """Return the systems from the model down to a system, itself included."""
    model = system._problem_meta['model_ref']()
    if model is None:
        return [system]  # all that is left of its problem
    found = [model]
    for name in system.pathname.split('.') if system.pathname else ():
        found.append(found[-1]._get_subsystem(name))
    return found


@contextmanager
def as_linearized(system):
    """See the relevance that a linearization of the whole model sees when it comes to a system."""
    solvers = [above.linear_solver for above in _lineage(system)[:-1]]
    with system._relevance.active(all(solver.use_relevance() for solver in solvers)):
        yield


def processes_of(system):
    """Return the communicator of the whole model that a system stands in."""
    model = _lineage(system)[0]
    return model.comm if model._full_comm is None else model._full_comm


def repeats(system) -> list:
    """Return the systems on or above one whose num_par_fd has this process repeat others' runs.

    While one of them differentiates, the processes share its points instead.
    """
    return [each for each in _lineage(system) if each._full_comm is not None and each._par_fd_id]


def speaks_for(system, repeating) -> bool:
    """Whether what a system evaluates now is counted on this process in a sum over all.

    Parameters
    ----------
    system : Component or Group
        The system.
    repeating : list
        What `repeats` returned for it.
    """
    return system.comm.rank == 0 and all(each.under_approx for each in repeating)


def is_final(system) -> bool:
    """Whether final_setup has resolved the component's declarations."""
    meta = system._problem_meta
    return (
        meta is not None
        and meta['setup_status'] >= _SetupStatus.POST_SETUP2
        and system._inputs is not None
    )


def is_distributed(system) -> bool:
    """Whether variables of a system are spread over several processes, or live on some only."""
    metas = system._var_allprocs_abs2meta
    return system.comm.size > 1 and any(
        (system._var_sizes[kind] == 0).any()
        or any(meta['distributed'] for meta in metas[kind].values())
        for kind in ('input', 'output')
    )


def is_finding_sparsity(system) -> bool:
    """Whether a component is being evaluated to find its coloring."""
    return bool(system._during_coloring)


def is_wanted(component, name) -> bool:
    """Whether the totals that are being computed depend on a component's variable."""
    return component._relevance.is_relevant(absolute(component, name))


def is_set_up(system) -> bool:
    """Whether a system knows its subsystems and its pathname."""
    return system._problem_meta is not None


def problem_of(requester) -> Problem | None:
    """Return the problem behind a recorder's requester; None where that is a system."""
    if isinstance(requester, Driver):
        return requester._problem()
    return requester if isinstance(requester, Problem) else None


def recorders_of(problem) -> list:
    """Return the recorders that were added to a problem or to its driver."""
    return [r for each in (problem, problem.driver) for r in each._rec_mgr]


def components_below(system) -> list[Component]:
    """Return the components of a set-up system that live on this process, itself included."""
    every = system.system_iter(include_self=True, recurse=True)
    return [s for s in every if isinstance(s, Component)]


def defines(component, name) -> bool:
    """Whether a component's class, or the instance itself, defines an evaluation."""
    bases = (ExplicitComponent, ImplicitComponent)
    defined = getattr(component, name, None)
    if defined is None:
        return False
    if name == 'compute' and getattr(component, 'compute_primal', None) is not None:
        return True
    function = getattr(defined, '__func__', defined)
    return not any(function is vars(base).get(name) for base in bases)


def evaluating(component) -> list[str]:
    """Return the names of the methods by which OpenMDAO evaluates a component.

    A method of the user's that only has such a name, as ``compute`` of an implicit component, is
    none of them.
    """
    explicit = isinstance(component, ExplicitComponent)
    names = EVALUATES_EXPLICIT if explicit else EVALUATES_IMPLICIT
    return [name for name in names if defines(component, name)]


def deriving(component) -> list[str]:
    """Return the names of the methods by which OpenMDAO differentiates a component."""
    explicit = isinstance(component, ExplicitComponent)
    names = DERIVES_EXPLICIT if explicit else DERIVES_IMPLICIT
    return [name for name in names if defines(component, name)]


def problem_inside(component) -> Problem | None:
    """Return the problem that a component runs as its own, if it is a `SubmodelComp`."""
    return component.problem if isinstance(component, SubmodelComp) else None


def linesearches_below(system) -> list:
    """Return the line searches of the nonlinear solvers of a set-up system."""
    solvers = [each.nonlinear_solver for each in system.system_iter(include_self=True)]
    found = [getattr(solver, 'linesearch', None) for solver in solvers]
    return [linesearch for linesearch in found if linesearch is not None]


def is_below(component, group) -> bool:
    """Whether a component stands in a group of the same problem."""
    path = f'{group.pathname}.' if group.pathname else ''
    same_problem = component._problem_meta is group._problem_meta
    return same_problem and component is not group and component.pathname.startswith(path)


def groups_below(system) -> list[Group]:
    """Return the groups of a set-up system that live on this process, itself included."""
    return list(system.system_iter(include_self=True, typ=Group))


def groups_with_totals_below(system) -> list[Group]:
    """Return those of `groups_below` whose totals are declared."""
    return [each for each in groups_below(system) if declares_totals(each)]


_on_component_setup: list = []


_stock_setup_procs = Component._setup_procs


def _setup_procs(self, *args, **kwargs):
    for act in dict.fromkeys(_on_component_setup):
        act(self)
    return _stock_setup_procs(self, *args, **kwargs)


def on_component_setup(act):
    """Call ``act(component)`` before the setup of every component from now on."""
    _on_component_setup.append(act)
    Component._setup_procs = _setup_procs


def stop_on_component_setup(act):
    """Undo one call of `on_component_setup`; OpenMDAO is as it was after the last."""
    _on_component_setup.remove(act)
    if not _on_component_setup:
        Component._setup_procs = _stock_setup_procs


def on_every_final_setup(act):
    """Call ``act(problem)`` after every final_setup of every problem from now on."""
    hooks.use_hooks = True
    hooks._register_hook('final_setup', 'Problem', post=act)


def of_all_processes(own) -> list:
    """Return what each of the processes that run a script has; all of them ask together."""
    return [own] if MPI is None else MPI.COMM_WORLD.allgather(own)


def is_first_process() -> bool:
    """Whether this process is the one that prints."""
    return MPI is None or MPI.COMM_WORLD.rank == 0


def run_script(path, arguments):
    """Run a script as ``python path arguments`` would, in this process."""
    _load_and_exec(path, arguments)


def problem_name(problem) -> str:
    """Return the name under which OpenMDAO files a problem's outputs."""
    return problem._get_inst_id()
