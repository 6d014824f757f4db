"""Totals and semi-totals of a group that is differenced as a whole, by `declare_totals`.

`Totals` answers for a group what `partials.Partials` does for a component. What is differentiated
depends on where the group stands: of the model, the responses by the design variables that a driver
or ``compute_totals`` asks for; of a group below, its outputs by its inputs.
"""

from contextlib import contextmanager, nullcontext
from functools import partial

import networkx as nx
import numpy as np
from openmdao.approximation_schemes.approximation_scheme import ApproximationScheme
from openmdao.utils.general_utils import LocalRangeIterable
from openmdao.vectors.vector import _full_slice

from mdao_seq.approximation._openmdao.group_columns import Columns
from mdao_seq.approximation._openmdao.group_variables import (
    Variable,
    known_as,
    variables_below,
    variables_of_model,
    wanted_of_model,
)
from mdao_seq.approximation._openmdao.names import names_any
from mdao_seq.approximation._openmdao.partials import Places
from mdao_seq.differences.declaration import Declaration


class Totals:
    """Frame of a group.

    Parameters
    ----------
    system : PerOutputFD
        The group.
    context : (dict, dict) or None
        OpenMDAO's metadata of the responses and design variables of a model, where they are others
        than those that it was asked for last.
    """

    finds_changes = True

    def __init__(self, system, context=None):
        self._system = system
        self._context = context
        self._known = {}

    @property
    def _is_model(self):
        return not self._system.pathname

    # ---- what is declared

    @property
    def is_held(self):
        """Whether the group is differenced, by us.

        Not while it is checked; nor while a Newton solver of the model linearizes its components.
        """
        system = self._system
        differenced = bool(system._held_totals) and system._owns_approx_jac
        return differenced and not system._held_is_checked

    @property
    def approximates(self):
        """Whether a linearization has anything to approximate."""
        return bool(self.completed([]))

    def declared(self, wanted=True, keep=None) -> list[Declaration]:
        """Return a declaration for each response and variable that `declare_totals` names."""
        found = []
        for of, wrt in self._connected(keep):
            options = self._options(of, wrt)
            if options is not None:
                found.append(Declaration(of.name, wrt.name, **options))
        return found

    def completed(self, declarations, keep=None):
        """Add what nobody declared: from the points of another response, or OpenMDAO's default."""
        given = {(d.of, d.wrt): d for d in declarations}
        first = {}
        for declaration in declarations:
            first.setdefault(declaration.wrt, declaration)
        found = []
        for of, wrt in self._connected(keep):
            like = given.get((of.name, wrt.name)) or first.get(wrt.name)
            found.append(like.for_output(of.name) if like else Declaration(of.name, wrt.name))
        # What was declared pays for its points.
        return sorted(found, key=lambda d: (d.of, d.wrt) not in given)

    def _options(self, of, wrt):
        for ofs, wrts, options in reversed(self._system._held_totals):
            if of.is_named(ofs) and wrt.is_named(wrts):
                return options
        return None

    def resolve(self):
        """Refuse names that the group does not have."""
        system = self._system
        system._held_has_auto = any(o['step'] == 'auto' for *_, o in system._held_totals)
        known = {
            kind: {
                name
                for source in system._var_allprocs_abs2meta[kind]
                for name in known_as(system, source, kind)
            }
            for kind in ('output', 'input')
        }
        responses = known['output'] | set(
            system.get_responses(recurse=True, get_sizes=False, use_prom_ivc=True)
        )
        by = known['output'] | known['input'] if self._is_model else known['input']
        for ofs, wrts, _ in system._held_totals:
            for what, patterns, names in (('of', ofs, responses), ('wrt', wrts, by)):
                for pattern in patterns:
                    if not any(names_any(name, (pattern,)) for name in names):
                        raise ValueError(
                            f'{system.msginfo}: declare_totals({what}={pattern!r}) names no '
                            f'{"output" if what == "of" else "input"} of it'
                        )

    # ---- what is differentiated

    @property
    def ofs(self) -> list[Variable]:
        """The responses of the model; the outputs of a group below, on whatever rank."""
        return self._variables(0, self._system._owns_approx_of, 'output')

    @property
    def wrts(self) -> list[Variable]:
        """The design variables of the model; the inputs of a group below."""
        return self._variables(1, self._system._owns_approx_wrt, 'input')

    def _variables(self, place, asked, kind):
        metas = self._context[place] if self._context else asked or {}
        known_of, known = self._known.get(kind, (None, None))
        if known_of is not metas:
            make = variables_of_model if self._is_model else partial(variables_below, kind=kind)
            known = make(self._system, metas)
            self._known[kind] = metas, known
        return known

    def _connected(self, keep):
        """Yield each response and variable that it may depend on, by variable."""
        graph = self._system._problem_meta['dataflow_graph']
        ofs = self.ofs
        for wrt in self.wrts:
            reached = {wrt.source}
            if wrt.source in graph:
                reached |= nx.descendants(graph, wrt.source)
            for of in ofs:
                if of.source in reached and (keep is None or keep(of.name, wrt.name)):
                    yield of, wrt

    def reaching(self) -> list[Variable]:
        """Return the variables on which any response may depend."""
        return list({wrt.name: wrt for _, wrt in self._connected(None)}.values())

    def _wrt(self, name):
        return next(wrt for wrt in self.wrts if wrt.name == name)

    def value(self, wrt):
        """Return the value of a variable, as far as it is differentiated by; alike on all ranks."""
        system, variable = self._system, self._wrt(wrt)
        source, kind = variable.source, 'output' if self._is_model else 'input'
        vector = system._outputs if self._is_model else system._inputs
        value = vector._abs_get_val(source) if vector._contains_abs(source) else np.empty(0)
        sizes = system._var_sizes[kind][:, system._var_allprocs_abs2idx[source]]
        if system._var_allprocs_abs2meta[kind][source]['distributed']:
            value = np.concatenate(system.comm.allgather(value))
        elif (sizes == 0).any():
            value = system.comm.bcast(value, root=int(sizes.argmax()))
        return np.ravel(value)[variable.indices]

    @property
    def inputs(self):
        """What is differentiated by, values by name."""
        return {wrt.name: self.value(wrt.name) for wrt in self.wrts}

    # ---- where it stands

    def prepare(self):
        """Let the approximation be of what is wanted now."""
        system = self._system
        total = system._tot_jac
        if total is not None:
            # Another compute_totals may have asked for other things since.
            asked = total.output_meta['fwd'], total.input_meta['fwd']
        else:
            asked = wanted_of_model(system) if self._is_model else None
        if asked is not None:
            before = system._owns_approx_of, system._owns_approx_wrt
            if any(one is not other for one, other in zip(asked, before, strict=True)):
                system._owns_approx_of, system._owns_approx_wrt = asked
                system._clear_jac_caches()
                system._held_plan = None
        relevance = system._relevance
        if system._held_plan is None or system._held_relevance is not relevance:
            system._held_relevance = relevance
            if not self._is_model:
                # OpenMDAO itself would go on with the variables of before.
                system._clear_jac_caches()
                system._jacobian = None
            system._setup_approx_derivs()

    @contextmanager
    def unscaled(self):
        """Let outputs be unscaled, and those of the present inputs.

        OpenMDAO computes totals of an unscaled model, and unscales a group below by itself; but
        ``run_linearize`` finds the model scaled, and the search for a coloring has run it as if it
        were.
        """
        system = self._system
        if not (self._is_model and system._held_is_scaled):
            yield
            return
        with system._unscaled_context([system._outputs], [system._residuals]):
            if system._during_coloring:
                system.run_solve_nonlinear()
            yield

    def stood_aside(self):
        """Take the group back after the linearization by which it was checked."""
        system = self._system
        # A Newton solver that linearizes the model's components meanwhile is not the check.
        if system._held_is_checked and system._owns_approx_jac:
            system._held_is_checked = False
            system._held_plan = system._held_runs = None
            system._install()

    def unscaled_whole(self):
        """Return a context, for a linearization, in which outputs are unscaled."""
        if self._is_model:
            return self.unscaled()
        return self._system._unscaled_context([self._system._outputs])

    def key(self, name):
        """Return the name under which OpenMDAO's schemes know a variable."""
        return self._wrt(name).source

    def rows(self):
        """Return the rows of the Jacobian that each response has here, a dict of slices."""
        here = self._system._var_abs2meta['output']
        ofs = [of for of in self.ofs if self._is_model or of.source in here]
        places = self._system._get_jac_ofs()
        return {
            of.name: slice(start, end)
            for of, (_, start, end, _, _) in zip(ofs, places, strict=True)
        }

    def columns_among(self, sources):
        """Return (name, elements) of the variables among some of OpenMDAO's names; None: of all."""
        return [
            (name, end - start)
            for name, (source, start, end, *_) in self._columns().items()
            if sources is None or source in sources
        ]

    def rows_of_partial(self, of, wrt, element):
        """Return the rows of a response: any may change."""
        mine = self.rows()[of]
        return np.arange(mine.start, mine.stop)

    def _columns(self):
        """Return OpenMDAO's (source, start, end, vector, indices, sizes) by variable."""
        return {
            wrt.name: place
            for wrt, place in zip(self.wrts, self._system._get_jac_wrts(), strict=True)
        }

    def places(self, wrt):
        """Return the `Places` of a variable."""
        source, start, end, vector, chosen, _ = self._columns()[wrt]
        if chosen is _full_slice:
            indices = list(LocalRangeIterable(self._system, source))
        elif vector is None:
            indices = [None] * (end - start)
        else:
            indices = (np.asarray(chosen) + vector.get_range(source)[0]).tolist()
        # Every rank has every column.
        columns = list(range(end - start))
        return Places('outputs' if self._is_model else 'inputs', indices, columns)

    def seeds(self, wrts):
        """Return the variables outside of whose reach nothing needs to be run."""
        return tuple(self.key(wrt) for wrt in wrts) if self._is_model else None

    # ---- evaluations

    def runner(self, method):
        """Return a function that runs the group for a job.

        It returns ``responses found - responses now``, from every rank: rows of the Jacobian.
        Differences are taken of these, so that what does not change has a derivative of zero, not
        of rounding errors, in which a coloring would find no sparsity.
        """
        system = self._system
        outputs, relevance = system._outputs, system._relevance
        now = self.outputs()

        def at(job):
            with relevance.seeds_active(job.seeds) if job.seeds else nullcontext():
                system.run_solve_nonlinear()
            found = outputs.asarray()
            if method == 'cs':
                return self._responses(found.imag)
            return self._responses(found.real) - now

        return at

    def _responses(self, outputs):
        if not self._is_model:
            return outputs
        kept = self._system._held_kept
        if kept.scatter is None:
            # OpenMDAO's own way from outputs to a column of totals; it has no approximations.
            kept.scatter = ApproximationScheme()
            kept.scatter._init_approximations(self._system)
            kept.column = np.zeros(self._system._get_jac_ofs()[-1][2])
        return kept.scatter._get_total_result(outputs, kept.column)

    def at_base(self):
        """Return what `runner` would find at the present point."""
        return np.zeros_like(self.outputs())

    def outputs(self):
        """Return the present responses."""
        return self._responses(self._system._outputs.asarray().real).copy()

    def targets(self, jac):
        """Return where columns are written."""
        return Columns(self, self._system, jac)
