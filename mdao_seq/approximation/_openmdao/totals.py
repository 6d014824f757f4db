"""Totals and semi-totals of a group that is differenced as a whole, by `declare_totals`.

`Totals` answers for a group what `partials.Partials` does for a component. What is differentiated
depends on where the group stands: of the model, the responses by the design variables that a driver
or ``compute_totals`` asks for; of a group below, its outputs by its inputs.
"""

from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import networkx as nx
import numpy as np
from openmdao.approximation_schemes.approximation_scheme import ApproximationScheme
from openmdao.utils.general_utils import LocalRangeIterable
from openmdao.vectors.vector import _full_slice

from mdao_seq.approximation._openmdao.names import names_any, relative
from mdao_seq.approximation._openmdao.partials import Places
from mdao_seq.differences.declaration import Declaration


class Variable(NamedTuple):
    """A response, or a variable that is differentiated by.

    Attributes
    ----------
    name : str
        As it is shown: promoted, or an alias of a response.
    known_as : frozenset of str
        Names under which a declaration may mean it.
    source : str
        Absolute name of the output, or of a group's input.
    indices : ndarray of int or slice
        Which of its elements.
    """

    name: str
    known_as: frozenset
    source: str
    indices: np.ndarray | slice


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

    @property
    def _is_model(self):
        return not self._system.pathname

    # ---- what is declared

    @property
    def is_held(self):
        """Whether the group is differenced, by us.

        Not while it is checked; nor while a Newton solver of its own linearizes its components.
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
        return found

    def _options(self, of, wrt):
        for ofs, wrts, options in reversed(self._system._held_totals):
            if _is_named(of, ofs) and _is_named(wrt, wrts):
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
                for name in self._known_as(source, kind)
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
        if self._is_model:
            metas = self._asked()[0]
            return [self._of_model(name, meta) for name, meta in metas.items()]
        return [
            Variable(self._shown(of, 'output'), self._known_as(of, 'output'), of, slice(None))
            for of in self._system._owns_approx_of or ()
        ]

    @property
    def wrts(self) -> list[Variable]:
        """The design variables of the model; the inputs of a group below."""
        if self._is_model:
            metas = self._asked()[1]
            return [self._of_model(name, meta) for name, meta in metas.items()]
        return [
            Variable(self._shown(wrt, 'input'), self._known_as(wrt, 'input'), wrt, slice(None))
            for wrt in self._system._owns_approx_wrt or ()
        ]

    def _asked(self):
        system = self._system
        if self._context is not None:
            return self._context
        return system._owns_approx_of or {}, system._owns_approx_wrt or {}

    def _of_model(self, name, meta):
        indices = slice(None)
        if meta['indices'] is not None:
            indices = np.ravel(meta['indices'].shaped_array())
        known_as = {name} | self._known_as(meta['source'], 'output')
        return Variable(name, frozenset(known_as), meta['source'], indices)

    def _known_as(self, source, kind):
        promoted = self._system._resolver.abs2prom(source, kind)
        return frozenset({promoted, relative(self._system, source)})

    def _shown(self, source, kind):
        """Return the promoted name, unless several variables have it: each is perturbed alone."""
        resolver = self._system._resolver
        promoted = resolver.abs2prom(source, kind)
        alone = kind == 'output' or len(resolver.absnames(promoted, kind)) == 1
        return promoted if alone else relative(self._system, source)

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
        return _Columns(self, self._system, jac)


def wanted_of_model(model, ofs=('*',), wrts=('*',)):
    """Return OpenMDAO's metadata of responses and design variables, as compute_totals has it.

    Parameters
    ----------
    model : Group
        The model.
    ofs, wrts : tuple of str
        Names or glob patterns of those that the driver has; or names of other variables.

    Returns
    -------
    (dict, dict) or None
        None if there are none.
    """
    responses = model.get_responses(use_prom_ivc=True)
    # As a driver asks: objectives first; the derivatives of linear constraints it has once.
    known = [name for name, meta in responses.items() if not meta.get('linear')]
    known.sort(key=lambda name: responses[name]['type'] != 'obj')
    named = [_named(known, ofs), _named(model.get_design_vars(use_prom_ivc=True), wrts)]
    return model._get_totals_metadata(None, *named)[:2] if all(named) else None


def _named(known, patterns):
    found = [name for name in known if names_any(name, patterns)]
    return found or [pattern for pattern in patterns if not set(pattern) & set('*?[')]


class Kept:
    """What a group keeps from one linearization to the next; not in copies.

    Attributes
    ----------
    scatter : ApproximationScheme or None
        Takes outputs to a column of totals.
    column : ndarray or None
        Where it puts them.
    jacobian : ndarray or None
        The Jacobian by columns, shape (columns, rows): all methods write into it.
    """

    def __init__(self):
        self.scatter = self.column = self.jacobian = None

    def __reduce__(self):
        """Copy as one that has nothing."""
        return Kept, ()


class _Columns:
    """The columns of a group's Jacobian: OpenMDAO takes only whole ones."""

    def __init__(self, frame, system, jac):
        self._frame, self._system, self._jac = frame, system, jac
        self._rows, self._places = frame.rows(), frame._columns()
        kept = system._held_kept
        shape = tuple(
            max((place[2] for place in places), default=0)
            for places in (system._get_jac_wrts(), system._get_jac_ofs())
        )
        if kept.jacobian is None or kept.jacobian.shape != shape:
            kept.jacobian = np.zeros(shape)
        self._by_column = kept.jacobian

    def is_of(self, jac):
        """Whether these are still the columns of a Jacobian."""
        return self._jac is jac and self._by_column is self._system._held_kept.jacobian

    def __getitem__(self, of_wrt):
        """Return an object with ``set_col(column, values)``."""
        of, wrt = of_wrt
        _, start, end, *_ = self._places[wrt]
        return _Rows(self._by_column[start:end, self._rows[of]])

    def finish(self):
        """Let the Jacobian take the columns."""
        for number, column in enumerate(self._by_column):
            self._jac.set_col(self._system, number, column)


class _Rows(NamedTuple):
    """The rows of one response in the columns of one variable."""

    by_column: np.ndarray

    def set_col(self, column, values):
        """Write one column."""
        self.by_column[column] = values


def _is_named(variable, patterns):
    return any(names_any(name, patterns) for name in variable.known_as)
