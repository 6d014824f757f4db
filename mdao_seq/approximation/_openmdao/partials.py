"""The partials of a component: what is declared, perturbed, run, read and written.

`Partials` and `totals.Totals` answer the same questions, the one about a component, the other about
a group that is differenced as a whole; plans, schemes and sampling ask no others.
"""

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from openmdao.utils.general_utils import LocalRangeIterable

from mdao_seq.approximation._openmdao.names import (
    DECLARED,
    OPTIONS,
    OURS,
    absolute,
    approximated_keys,
    declared,
    relative,
)
from mdao_seq.differences.declaration import Declaration

_AS_IT_IS = nullcontext()


class Places(NamedTuple):
    """Where the elements of a variable are perturbed, and which columns they fill.

    Attributes
    ----------
    vector : {'inputs', 'outputs'}
        The vector that holds them.
    indices : list of int or None
        By element: flat index into the vector; None where the element lives on another rank.
    columns : list of int or None
        By element: column of the partials; None where another rank fills it.
    """

    vector: str
    indices: list
    columns: list


class Partials:
    """Frame of a component.

    Parameters
    ----------
    system : PerOutputFD
        The component.
    """

    is_held = True

    def __init__(self, system):
        self._system = system

    @property
    def approximates(self):
        """Whether a linearization has anything to approximate."""
        return bool(approximated_keys(self._system)) and not self._system.matrix_free

    def declared(self, wanted=True, keep=None) -> list[Declaration]:
        """Return the declarations; `wanted`: only those that the totals need at present."""
        keys = wanted_keys(self._system, wanted, keep)
        return [_declaration(self._system, key) for key in keys]

    def completed(self, declarations, keep=None):
        """Add nothing: what is not declared is zero."""
        return declarations

    def resolve(self):
        """Let what was declared outside of setup speak last; refuse what would not be computed."""
        system = self._system
        for key, meta in system._declared_outside().items():
            system._declared_partials_patterns.pop(key, None)
            system._declared_partials_patterns[key] = meta
            system._resolve_partials_patterns(*key, meta)
        for meta in system._subjacs_info.values():
            meta[DECLARED] = {name: meta.get(name) for name in (*OPTIONS, OURS)}
        system._held_has_auto = any(
            'step' in (meta.get(OURS) or ()) for meta in system._subjacs_info.values()
        )
        if system.matrix_free:
            for of, wrt in approximated_keys(system):
                raise RuntimeError(
                    f'{system.msginfo}: d({relative(system, of)})/d({relative(system, wrt)}) is '
                    'declared as an approximation, but the component is matrix-free (it defines '
                    'compute_jacvec_product), so that it would never be computed. Set '
                    'matrix_free = False in setup, or drop the declaration.'
                )

    def prepare(self):
        """Let an implicit component be planned at its states, which are scaled from here on.

        Where other totals are wanted OpenMDAO plans anew by itself.
        """
        system, plan = self._system, self._system._held_plan
        if not system.is_explicit() and (plan is None or not plan.is_fixed):
            with self.unscaled_whole():
                system._get_jacobian()

    def stood_aside(self):
        """Nothing: a component's differences are always ours."""

    def unscaled(self):
        """Return a context in which residuals are not scaled.

        An implicit component is linearized with its residuals scaled, but a difference is taken
        from residuals that are not: an explicit one unscales them itself.
        """
        system = self._system
        if system.is_explicit():
            return _AS_IT_IS
        return system._unscaled_context(residuals=[system._residuals])

    def unscaled_whole(self):
        """Return a context, for a linearization, in which outputs and residuals are unscaled."""
        system = self._system
        return system._unscaled_context(outputs=[system._outputs], residuals=[system._residuals])

    def key(self, name):
        """Return the name under which OpenMDAO's schemes know a variable."""
        return absolute(self._system, name)

    def rows(self):
        """Return the rows of the residual that each output has, a dict of slices."""
        return {
            relative(self._system, of): slice(start, end)
            for of, start, end, _, _ in self._system._get_jac_ofs()
        }

    def columns_among(self, sources):
        """Return (name, elements) of the variables among some of OpenMDAO's names; None: of all."""
        variables = self._system._get_jac_wrts(sources)
        return [(relative(self._system, wrt), end - start) for wrt, start, end, *_ in variables]

    def rows_of_partial(self, of, wrt, element):
        """Return the rows of one partial that one element of an input may change."""
        mine = self.rows()[of]
        rows = np.arange(mine.start, mine.stop)
        meta = self._system._subjacs_info[self.key(of), self.key(wrt)]
        if meta.get('diagonal'):
            return rows[element : element + 1]
        if meta.get('rows') is not None:
            return rows[np.asarray(meta['rows'])[np.asarray(meta['cols']) == element]]
        return rows

    def places(self, wrt):
        """Return the `Places` of a variable."""
        name = self.key(wrt)
        vector = next(v for w, _, _, v, _, _ in self._system._get_jac_wrts() if w == name)
        indices = list(LocalRangeIterable(self._system, name))
        numbers = iter(range(len(indices)))
        columns = [None if index is None else next(numbers) for index in indices]
        return Places('inputs' if vector is self._system._inputs else 'outputs', indices, columns)

    def value(self, wrt):
        """Return the value of a variable, whole also when it is distributed."""
        system, wrt = self._system, self.key(wrt)
        vector = system._inputs if wrt in system._var_abs2meta['input'] else system._outputs
        meta = system._var_allprocs_abs2meta
        meta = meta['input'][wrt] if wrt in meta['input'] else meta['output'][wrt]
        if not meta['distributed']:
            return vector._abs_get_val(wrt)
        local = vector._abs_get_val(wrt) if wrt in vector._views else np.empty(0)
        return np.concatenate(system.comm.allgather(np.asarray(local)))

    @property
    def inputs(self):
        """The inputs by name."""
        return self._system._inputs

    def seeds(self, wrts):
        """Nothing is left out of an evaluation, whatever it is for."""

    def runner(self, method):
        """Return a function that evaluates a job and returns the residuals.

        The residual of an explicit component is ``outputs computed - outputs now``, so that
        residual differences are output differences; this is how OpenMDAO's own schemes evaluate.
        """
        run, residuals = self._system.run_apply_nonlinear, self._system._residuals

        def real(job):
            run()
            return residuals.asarray().real

        def imaginary(job):
            run()
            return residuals.asarray().imag

        return imaginary if method == 'cs' else real

    def at_base(self):
        """Return what `runner` would find at the present point."""
        return self._system._residuals.asarray(copy=True).real

    @property
    def finds_changes(self):
        """Whether evaluations are changes of the outputs; else they are what is differentiated."""
        return self._system.is_explicit()

    def outputs(self):
        """Return the present outputs (residuals of an implicit component)."""
        return self._system._outputs.asarray(copy=True) if self.finds_changes else self.at_base()

    def targets(self, jac):
        """Return where columns are written."""
        return _Subjacs(self, jac)


class _Subjacs:
    """The partials of a component's Jacobian."""

    def __init__(self, frame, jac):
        self._frame = frame
        self._subjacs = jac._subjacs

    def is_of(self, jac):
        """Whether these are still the partials of a Jacobian."""
        return self._subjacs is jac._subjacs

    def __getitem__(self, of_wrt):
        """Return an object with ``set_col(column, values)``."""
        return self._subjacs[tuple(map(self._frame.key, of_wrt))]

    def finish(self):
        """Nothing: columns stand where they belong."""


def wanted_keys(system, use_relevance, keep, by_wrt_only=False):
    """Return the approximated (of, wrt) that the driver or compute_totals needs at present."""
    keys = [
        key
        for key in approximated_keys(system)
        if keep is None or keep(*(relative(system, name) for name in key))
    ]
    return relevant_keys(system, keys, by_wrt_only) if use_relevance else keys


def relevant_keys(system, keys, by_wrt_only=False):
    """Return those of some (of, wrt), absolute names, on which the totals wanted now depend."""
    linear_solver = system.linear_solver
    if not (linear_solver is None or linear_solver.use_relevance()):
        return keys
    relevance = system._relevance
    with relevance.all_seeds_active():
        first = 1 if by_wrt_only else 0
        return [key for key in keys if all(map(relevance.is_relevant, key[first:]))]


def _declaration(system, key):
    meta = declared(system._subjacs_info[key])
    replaces = system.options['derivs_method']
    if replaces == 'cs':
        # OpenMDAO's option stands above what was declared, whose steps are not meant for it.
        options = {'method': 'cs'}
    elif system._declares_as_openmdao or replaces:
        options = as_openmdao_means(meta)
    else:
        options = {name: meta.get(name) for name in OPTIONS}
    if options['method'] == 'fd':
        options |= meta.get(OURS) or {}
    try:
        return Declaration(*(relative(system, name) for name in key), **options)
    except ValueError as error:
        raise ValueError(f'{system.msginfo}: {error}') from None


def as_openmdao_means(meta):
    """Return the options of a declaration that was written for OpenMDAO alone.

    There a step of zero means the default, a negative one steps the other way, and no minimum step
    means that the step may vanish.
    """
    step = np.asarray(meta.get('step') or 0.0).item()
    if meta['method'] == 'cs':
        return {'method': 'cs', 'step': abs(step) or None}
    options = {name: meta.get(name) or None for name in OPTIONS} | {'step': abs(step) or None}
    if step < 0:
        form = options['form'] or 'forward'
        options['form'] = {'forward': 'backward', 'backward': 'forward'}.get(form, form)
    return options
