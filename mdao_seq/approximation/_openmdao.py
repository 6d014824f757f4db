"""The one module that names private attributes of OpenMDAO; checked on 3.40.0 and 3.45.1.

`HeldComponent` overrides the hooks through which a component approximates its partials:

- ``_get_approx_scheme`` installs a `PlannedScheme` under the usual keys ``fd`` and ``cs``;
- ``_add_approximations`` plans for every (of, wrt), where OpenMDAO keeps the last of each wrt;
- ``_resolve_partials_patterns`` lets a later declaration replace an earlier one whole.

Declarations made from outside a component's setup and setup_partials come after its own.

The functions at the end are what the rest of the package may ask of a system.
"""

from collections.abc import Mapping, Set
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import openmdao
from openmdao.approximation_schemes.approximation_scheme import ApproximationScheme
from openmdao.approximation_schemes.complex_step import ComplexStep
from openmdao.approximation_schemes.finite_difference import FiniteDifference
from openmdao.core.analysis_error import AnalysisError
from openmdao.core.component import Component
from openmdao.core.constants import _SetupStatus
from openmdao.core.driver import Driver
from openmdao.core.problem import Problem
from openmdao.utils import coloring as coloring_mod
from openmdao.utils import hooks
from openmdao.utils.file_utils import _load_and_exec
from openmdao.utils.general_utils import LocalRangeIterable
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.approximation.asking import ASKED, Asked
from mdao_seq.approximation.combining import Combination, Failures
from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import EvaluationPlan, joined
from mdao_seq.differences.planning import build_plan

_STOCK = {'fd': FiniteDifference, 'cs': ComplexStep}

# Stands for all declarations of a component that is not held: OpenMDAO does not tell them apart.
UNDIVIDED = 'd(*)/d(*)'

# The method that every linearization of a component passes through, whoever asks for it.
LINEARIZE = '_linearize'

# Under OpenMDAO's own name, its schemes would refuse the orders that they do not have.
ORDER = 'held_order'

# Where an exact declaration keeps the approximation of the same names that it replaces.
REPLACED = 'held_replaced'

# Which named residual gave the partials of an output their options.
BY_RESIDUAL = 'held_by_residual'


class HeldComponent:
    """The private half of `PerOutputFD`: plans and runs what was declared."""

    _held_plan = None
    _held_coloring = None
    _inside_setup = False
    _inside_declare_coloring = False
    _held_runs: Mapping = MappingProxyType({})
    _declares_as_openmdao = False
    _held_from_configure: Set = frozenset()

    def _get_approx_scheme(self, method):
        if method not in _STOCK:
            return super()._get_approx_scheme(method)
        return self._approx_schemes.setdefault(method, PlannedScheme(method))

    def _add_approximations(self, use_relevance=True):
        self._approx_schemes = {}
        _drop_stale_coloring(self)
        self._held_plan = plan_declared(self, use_relevance=use_relevance)
        self._held_coloring = _coloring(self)
        for declaration in self._held_plan.declarations:
            scheme = self._get_approx_scheme(declaration.method)
            scheme.add_approximation(_absolute(self, declaration.wrt), self, declaration)

    def _setup_procs(self, *args, **kwargs):
        self._inside_setup = True
        # configure() speaks again in every setup; who spoke outside of any is heard in all.
        for key in self._held_from_configure:
            self._declared_outside().pop(key, None)
        self._held_from_configure = set()
        super()._setup_procs(*args, **kwargs)

    def _setup_check(self):
        # The first thing after the component's own setup().
        self._inside_setup = False
        super()._setup_check()

    def _setup_partials(self):
        self._inside_setup = True
        try:
            super()._setup_partials()
        finally:
            self._inside_setup = False
        for key, meta in self._declared_outside().items():
            self._declared_partials_patterns.pop(key, None)
            self._declared_partials_patterns[key] = meta
            self._resolve_partials_patterns(*key, meta)
        if self.matrix_free:
            for of, wrt in _approximated_keys(self):
                raise RuntimeError(
                    f'{self.msginfo}: d({_relative(self, of)})/d({_relative(self, wrt)}) is '
                    'declared as an approximation, but the component is matrix-free (it defines '
                    'compute_jacvec_product), so that it would never be computed. Set '
                    'matrix_free = False in setup, or drop the declaration.'
                )

    def _linearize(self, *args, **kwargs):
        # By method declared: the plan of its points, and the method by which they were run.
        self._held_runs = {}
        # An implicit component is linearized with its residuals scaled, but a difference is taken
        # from residuals that are not: an explicit one unscales them itself.
        scaled = [] if self.is_explicit() else [self._residuals]
        with self._unscaled_context(residuals=scaled):
            super()._linearize(*args, **kwargs)
        if _approximated_keys(self) and not self.matrix_free:
            planned = {declaration.method for declaration in self._checked_plan().declarations}
            if planned != self._held_runs.keys():
                self._refuse_version()

    def _checked_plan(self):
        if self._held_plan is None:
            self._refuse_version()
        return self._held_plan

    def _refuse_version(self):
        # Else partials would be zero, or share one step, without a word (as on 3.36 to 3.39).
        raise RuntimeError(
            f'{self.msginfo}: OpenMDAO {openmdao.__version__} did not run the approximations that '
            'PerOutputFD holds; use a version that mdao_seq was checked on (3.40.0 to 3.45.1), or '
            'an mdao_seq that was checked on this one.'
        )

    def _resolve_partials_patterns(self, of, wrt, pattern_meta):
        if getattr(self, '_declared_residuals', None):
            super()._resolve_partials_patterns(of, wrt, pattern_meta)
            self._hold_by_residual(of, wrt, pattern_meta)
            return
        replaced = pattern_meta.get(REPLACED)
        if replaced is not None and not _is_filled(self, pattern_meta):
            self._resolve_partials_patterns(of, wrt, replaced)
        keys = list(self._matching_key_iter(of, '*' if wrt is None else wrt))
        earlier = {key: self._subjacs_info.pop(key, None) for key in keys}
        approximated = {k: m for k, m in earlier.items() if m and m.get('method') in _STOCK}
        super()._resolve_partials_patterns(of, wrt, pattern_meta)
        if 'coloring' in pattern_meta:
            # declare_coloring approximates all that is not approximated yet; the rest holds.
            self._subjacs_info.update(approximated)
        elif approximated and pattern_meta['dependent'] and not _is_filled(self, pattern_meta):
            names = ', '.join(
                f'd({_relative(self, of)})/d({_relative(self, wrt)})' for of, wrt in approximated
            )
            issue_warning(
                f'{names}: declared exact after an approximation, but without a value and without '
                'compute_partials or linearize to fill it: the approximation is kept.',
                prefix=self.msginfo,
                category=DerivativesWarning,
            )
            self._subjacs_info.update(approximated)

    def _hold_by_residual(self, of, wrt, pattern_meta):
        """Give the outputs that a named residual lies over its options; OpenMDAO drops them."""
        if pattern_meta.get('method') not in _STOCK:
            return
        options = {name: pattern_meta.get(name) for name in (*_OPTIONS, ORDER)}
        residuals = {
            name for _, names in self._find_of_matches(of, use_resname=True) for name in names
        }
        wrts = {name for _, names in self._find_wrt_matches(wrt) for name in names}
        for residual in residuals:
            for output, *_ in self._resid2out_subjac_map[residual]:
                for name in wrts:
                    meta = self._subjacs_info[_absolute(self, output), _absolute(self, name)]
                    other, earlier = meta.setdefault(BY_RESIDUAL, (residual, options))
                    if other != residual and earlier != options:
                        raise RuntimeError(
                            f'{self.msginfo}: d({residual})/d({name}) and d({other})/d({name}) are '
                            f"declared with different options, but lie over one output, '{output}'"
                        )
                    meta.update(options, **{BY_RESIDUAL: (residual, options)})

    @property
    def fd_fallbacks(self):
        """How often each `Declaration` fell back to the points that worked, a dict."""
        return vars(self).setdefault('_held_fallbacks', {})

    def _declared_outside(self):
        """Return what was declared from outside setup and setup_partials: it speaks last."""
        return vars(self).setdefault('_held_from_outside', {})

    def _replace_declaration(self, of, wrt, declare):
        """Declare anew, where OpenMDAO would merge into an earlier declaration of these names."""
        key = of, wrt
        if self._inside_declare_coloring and key in self._declared_partials_patterns:
            # The coloring adds to what was declared in the same words: put that in others.
            patterns = self._declared_partials_patterns
            patterns[tuple(n if isinstance(n, tuple) else (n,) for n in key)] = patterns.pop(key)
        earlier = self._declared_partials_patterns.pop(key, {})
        meta = declare()
        if 'method' not in meta:
            # In case nothing fills the exact partial; see _resolve_partials_patterns.
            meta[REPLACED] = earlier if 'method' in earlier else earlier.get(REPLACED)
        if not self._inside_setup:
            self._declared_outside()[key] = meta
            if self._is_being_configured():
                self._held_from_configure.add(key)
        return meta

    def _is_being_configured(self):
        meta = self._problem_meta
        return meta is not None and meta['setup_status'] < _SetupStatus.POST_SETUP

    def declare_coloring(self, *args, **kwargs):
        """Declare a coloring as in OpenMDAO; what was declared before keeps its own options."""
        self._inside_declare_coloring = True
        try:
            super().declare_coloring(*args, **kwargs)
        finally:
            self._inside_declare_coloring = False

    def _current_plan(self):
        """Return the plan at present: relative steps move, and a coloring may have been found."""
        coloring = _coloring(self)
        declarations = self._checked_plan().declarations
        if coloring is not self._held_coloring and coloring and not _fits(self, coloring):
            raise RuntimeError(
                f'{self.msginfo}: the coloring that its class shares was found for other sizes; '
                'set per_instance=True in declare_coloring'
            )
        if coloring is not self._held_coloring or any(d.is_relative for d in declarations):
            self._held_plan = _build(self, declarations)
            self._held_coloring = coloring
        return self._held_plan


class PlannedScheme(ApproximationScheme):
    """Runs the points of one method of a component's evaluation plan.

    Parameters
    ----------
    method : {'fd', 'cs'}
        Which of the plan's points it runs.
    """

    def __init__(self, method):
        super().__init__()
        self._layout = None
        self.method = method
        self.DEFAULT_OPTIONS = _STOCK[method].DEFAULT_OPTIONS

    def add_approximation(self, wrt, system, kwargs, vector=None):
        """Note that `wrt` is approximated, which is what OpenMDAO asks a scheme about."""
        self._wrt_meta[wrt] = kwargs

    def compute_approximations(self, system, jac):
        """Evaluate the points and write each declaration's rows, and no others, into `jac`."""
        plan, method = system._current_plan(), self.method
        if method == 'cs' and system.under_complex_step:
            plan, method = _real_steps_instead(system, plan), 'fd'
        system._held_runs = {**system._held_runs, self.method: (plan, method)}
        # The layout is made once for a plan; only relative steps make a new plan each time.
        if self._layout is None or not (
            self._layout[0] is plan and self._layout[1] is jac._subjacs
        ):
            self._layout = plan, jac._subjacs, _layout(system, jac, plan, method)
        failures = Failures(system, system._inputs, system._outputs.asarray())
        with _evaluations(system, method) as evaluate:
            at_base = system._residuals.asarray(copy=True).real
            for sweep in self._layout[2]:
                values = np.empty((len(sweep.points), at_base.size))
                for lane in sweep.lanes:
                    for value, (asked, offsets) in zip(values, sweep.points, strict=True):
                        for part, offset in offsets:
                            vector, index, _ = lane[part]
                            if index is not None:
                                vector.iadd(offset, index)
                        try:
                            evaluate(asked, value)
                        except AnalysisError as error:
                            failures.at_point(value, error)
                    for (_, _, columns), combinations in zip(lane, sweep.parts, strict=True):
                        for combination in combinations:
                            combination.write(columns, values, at_base, failures)

    def _reset(self):
        super()._reset()
        self._layout = None


class _Sweep(NamedTuple):
    """A block of the plan, laid out over a component's vectors and partials.

    Attributes
    ----------
    points : list of (Asked, [(part, offset), …])
        Evaluations of each lane.
    lanes : list of tuples of (vector, index, columns)
        By part: what is perturbed together, and the columns of the partials that it fills, as
        (column, mask of the rows that it may change; None: all). An index of None lives on another
        rank: every rank evaluates for every element of a distributed input, since compute is
        collective.
    parts : list of lists of Combination
        By part: what the declarations make of the evaluations.
    """

    points: list
    lanes: list
    parts: list


def _layout(system, jac, plan, method):
    """Lay the points of one method out over the vectors and partials of a component."""
    rows = {of: slice(start, end) for of, start, end, _, _ in system._get_jac_ofs()}
    vectors = {wrt: vector for wrt, _, _, vector, _, _ in system._get_jac_wrts()}
    color_rows = dict(_color_rows(system)) if any(b.at_once for b in plan.blocks) else {}
    indices, columns = {}, {}
    for wrt in {part.wrt for block in plan.blocks for part in block.parts}:
        indices[wrt] = list(LocalRangeIterable(system, _absolute(system, wrt)))
        numbers = iter(range(len(indices[wrt])))
        columns[wrt] = [None if index is None else next(numbers) for index in indices[wrt]]

    def target(part, elements, at_once):
        """Where the elements of one part in one lane are perturbed and written."""
        wrt = part.wrt
        local = [e for e in elements if indices[wrt][e] is not None]
        index = np.array([indices[wrt][e] for e in local]) if len(local) > 1 else None
        if len(local) == 1:
            index = indices[wrt][local[0]]
        own = [color_rows[wrt, e] if at_once else None for e in local]
        written = [(columns[wrt][e], o) for e, o in zip(local, own, strict=True)]
        return vectors[_absolute(system, wrt)], index, written

    sweeps = []
    for block in plan.blocks:
        chosen = [k for k, point in enumerate(block.points) if point.method == method]
        if not chosen:
            continue
        place = {k: position for position, k in enumerate(chosen)}
        real = method == 'fd'
        points = [
            (
                Asked(system, block.points[k]),
                [(part, o.real if real else o) for part, o in block.points[k].offsets],
            )
            for k in chosen
        ]
        lanes = [
            tuple(
                target(part, elements, block.at_once)
                for part, elements in zip(block.parts, lane, strict=True)
            )
            for lane in block.lanes
        ]
        parts = []
        for number, part in enumerate(block.parts):
            combined = {}
            for declaration, used, weights, base_weight in part.uses:
                if declaration.method == method:
                    places = tuple(place[k] for k in used)
                    offsets = tuple(dict(points[p][1])[number] for p in places)
                    key = places, offsets, weights, base_weight
                    of, wrt = (_absolute(system, n) for n in (declaration.of, part.wrt))
                    partial = rows[of], jac._subjacs[of, wrt], declaration
                    combined.setdefault(key, []).append(partial)
            parts.append(
                [
                    Combination.of(*combination, partials)
                    for combination, partials in combined.items()
                ]
            )
        sweeps.append(_Sweep(points, lanes, parts))
    return sweeps


@contextmanager
def _evaluations(system, method):
    """Yield a function that evaluates the residuals at one point, and leave all as it was.

    The residual of an explicit component is ``outputs now - outputs computed``, so that residual
    differences are output differences; this is how OpenMDAO's own schemes evaluate.
    """
    inputs, outputs, residuals = system._inputs, system._outputs, system._residuals
    start = [vector.asarray(copy=True) for vector in (inputs, outputs, residuals)]
    was_under_fd = system.under_finite_difference
    complex_step = method == 'cs'
    if complex_step:
        system._set_complex_step_mode(True)
    else:
        system._set_finite_difference_mode(True)

    def restore():
        # set_val also clears what a complex step left in the imaginary part.
        inputs.set_val(start[0])
        outputs.set_val(start[1])
        residuals.set_val(start[2])

    def evaluate(asked, result):
        token = ASKED.set(asked)
        try:
            system.run_apply_nonlinear()
            found = residuals.asarray()
            result[:] = found.imag if complex_step else found.real
        finally:
            ASKED.reset(token)
            restore()

    try:
        if complex_step:
            restore()
        yield evaluate
    finally:
        if complex_step:
            system._set_complex_step_mode(False)
        else:
            system._set_finite_difference_mode(was_under_fd)


def _real_steps_instead(system, plan):
    """Complex step cannot nest: difference its declarations with OpenMDAO's default step."""
    issue_warning(
        'Nested complex step detected. Finite difference will be used.',
        prefix=system.pathname,
        category=DerivativesWarning,
    )
    return _build(system, [Declaration(d.of, d.wrt) for d in plan.declarations if not d.form])


def _value(system, wrt):
    """Return the value of a variable, whole also when it is distributed."""
    vector = system._inputs if wrt in system._var_abs2meta['input'] else system._outputs
    meta = system._var_allprocs_abs2meta
    meta = meta['input'][wrt] if wrt in meta['input'] else meta['output'][wrt]
    if not meta['distributed']:
        return vector._abs_get_val(wrt)
    local = vector._abs_get_val(wrt) if wrt in vector._views else np.empty(0)
    return np.concatenate(system.comm.allgather(np.asarray(local)))


def _absolute(system, name):
    return f'{system.pathname}.{name}' if system.pathname else name


def _relative(system, name):
    return name[len(system.pathname) + 1 :] if system.pathname else name


def _is_filled(system, pattern_meta):
    """Whether something gives a declared partial its value."""
    own = '_has_compute_partials' if system.is_explicit() else '_has_linearize'
    return 'method' in pattern_meta or pattern_meta.get('val') is not None or getattr(system, own)


def _approximated_keys(system) -> list[tuple[str, str]]:
    return [key for key, meta in system._subjacs_info.items() if meta.get('method') in _STOCK]


def _wanted_keys(system, use_relevance, keep, by_wrt_only=False):
    """Approximated (of, wrt) that the driver or compute_totals needs at present."""
    keys = [
        key
        for key in _approximated_keys(system)
        if keep is None or keep(*(_relative(system, name) for name in key))
    ]
    linear_solver = system.linear_solver
    if not use_relevance or not (linear_solver is None or linear_solver.use_relevance()):
        return keys
    relevance = system._relevance
    with relevance.all_seeds_active():
        first = 1 if by_wrt_only else 0
        return [key for key in keys if all(map(relevance.is_relevant, key[first:]))]


def _build(system, declarations, with_colors=True):
    values = {d.wrt: _value(system, _absolute(system, d.wrt)) for d in declarations}
    colors = _colors(system) if with_colors else []
    # The first linearization looks for a coloring, and may find none that is worth it.
    awaited = (
        _coloring(system) is None
        and system._first_call_to_linearize
        and system._coloring_info.dynamic
    )
    return build_plan(
        declarations,
        values,
        system.pathname,
        colors,
        known=_colored_columns(system) if with_colors else (),
        is_upper_bound=bool(awaited),
    )


def _coloring(system):
    """Return the partial coloring in use, or None."""
    if not coloring_mod._use_partial_sparsity:
        return None
    coloring = system._get_static_coloring()
    return coloring if coloring is not None and coloring._fwd is not None else None


def _fits(system, coloring):
    """Whether a coloring was found for the variables and sizes that a component has now."""
    rows = {_relative(system, of): end - start for of, start, end, _, _ in system._get_jac_ofs()}
    matches = system._coloring_info._update_wrt_matches(system)
    columns = {
        _relative(system, wrt): end - start
        for wrt, start, end, _, _, _ in system._get_jac_wrts(matches)
    }
    return rows == dict(
        zip(coloring._row_vars, coloring._row_var_sizes, strict=True)
    ) and columns == dict(zip(coloring._col_vars, coloring._col_var_sizes, strict=True))


def _drop_stale_coloring(system):
    """Forget a coloring that an earlier setup found for other sizes; OpenMDAO checks given ones."""
    coloring, info = _coloring(system), system._coloring_info
    if coloring is not None and info.dynamic and not _fits(system, coloring):
        info.coloring = None
        system._first_call_to_linearize = True  # which finds it anew


def _colored_columns(system):
    """Return (input, element) of every column that the coloring knows, in its order."""
    if _coloring(system) is None:
        return []
    info = system._coloring_info
    info._update_wrt_matches(system)
    return [
        (_relative(system, wrt), element)
        for wrt, start, end, _, _, _ in system._get_jac_wrts(info.wrt_matches)
        for element in range(end - start)
    ]


def _colors(system):
    """Return the columns of each color, as (input, element)."""
    coloring = _coloring(system)
    if coloring is None:
        return []
    columns = _colored_columns(system)
    return [[columns[c] for c in color] for color in coloring.color_iter('fwd')]


def _color_rows(system):
    """Yield each colored column and a mask of the rows of the residual that it may change."""
    coloring = _coloring(system)
    columns = _colored_columns(system)
    starts = {of: start for of, start, _, _, _ in system._get_jac_ofs()}
    rows = np.concatenate(
        [
            np.arange(size) + starts[_absolute(system, of)]
            for of, size in zip(coloring._row_vars, coloring._row_var_sizes, strict=True)
        ]
    )
    for color, nonzeros in coloring.color_nonzero_iter('fwd'):
        for column, nonzero in zip(color, nonzeros, strict=True):
            own = np.zeros(len(system._residuals), dtype=bool)
            own[rows[nonzero]] = True
            yield columns[column], own


def plan_declared(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what a held component declared, for the totals that are wanted at present."""
    keys = _wanted_keys(system, use_relevance, keep)
    return _build(system, [_declaration(system, key) for key in keys])


def _declaration(system, key):
    meta = system._subjacs_info[key]
    replaces = system.options['derivs_method']
    if replaces == 'cs':
        # OpenMDAO's option stands above what was declared, whose steps are not meant for it.
        options = {'method': 'cs'}
    elif system._declares_as_openmdao or replaces:
        options = _as_openmdao_means(meta)
    else:
        options = {name: meta.get(name) for name in _OPTIONS}
    if options['method'] == 'fd':
        options['order'] = meta.get(ORDER)
    try:
        return Declaration(*(_relative(system, name) for name in key), **options)
    except ValueError as error:
        raise ValueError(f'{system.msginfo}: {error}') from None


_OPTIONS = ('method', 'step', 'form', 'step_calc', 'minimum_step')


def _as_openmdao_means(meta):
    """Return the options of a declaration that was written for OpenMDAO alone.

    There a step of zero means the default, a negative one steps the other way, and no minimum step
    means that the step may vanish.
    """
    step = np.asarray(meta.get('step') or 0.0).item()
    if meta['method'] == 'cs':
        return {'method': 'cs', 'step': abs(step) or None}
    options = {name: meta.get(name) or None for name in _OPTIONS} | {'step': abs(step) or None}
    if step < 0:
        form = options['form'] or 'forward'
        options['form'] = {'forward': 'backward', 'backward': 'forward'}.get(form, form)
    return options


def plan_stock(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what OpenMDAO itself does with the declarations of a component that is not held.

    Of each input only the last declaration counts, whatever the others say.
    """
    metas = {}
    # OpenMDAO looks at the inputs' relevance only, and fills its schemes from the end.
    for of, wrt in reversed(_wanted_keys(system, use_relevance, keep, by_wrt_only=True)):
        meta = system._subjacs_info[of, wrt]
        if not any(wrt in of_method for of_method in metas.values()):
            metas.setdefault(meta['method'], {})[wrt] = meta
    return _plan_by_scheme(system, metas)


def _plan_by_scheme(system, metas):
    """Plan from what OpenMDAO's schemes hold: by method, options by input."""
    plans = []
    colored = {_absolute(system, wrt) for wrt, _ in _colored_columns(system)}
    for method, of_method in metas.items():
        in_colors = [wrt for wrt in of_method if wrt in colored]
        if in_colors:
            # Each scheme runs every color, with the options of the first input that it finds.
            options = {**of_method[in_colors[0]], 'method': method}
            plans.append(_build(system, _undivided(system, dict.fromkeys(colored, options))))
        alone = {
            wrt: {**meta, 'method': method}
            for wrt, meta in of_method.items()
            if not (colored and 'coloring' in meta)
        }
        plans.append(_build(system, _undivided(system, alone), with_colors=False))
    return joined(plans, system.pathname)


def _undivided(system, metas):
    return [
        Declaration('*', _relative(system, wrt), **_as_openmdao_means(meta))
        for wrt, meta in metas.items()
    ]


def planned_evaluations(system) -> dict[str, int] | None:
    """Return what the linearization just made should have cost, by declaration.

    A component that is not held is planned from what its schemes hold, which do not tell
    declarations apart; None where it has none.
    """
    if isinstance(system, HeldComponent):
        return {
            str(declaration): cost.owned
            for plan, method in system._held_runs.values()
            for declaration, cost in plan.by_declaration.items()
            if declaration.method == method
        }
    if not system._approx_schemes:
        return None
    metas = {method: scheme._wrt_meta for method, scheme in system._approx_schemes.items()}
    return {UNDIVIDED: _plan_by_scheme(system, metas).total}


def group_differenced_above(component) -> str | None:
    """Return the name of a group above that approximates its derivatives as a whole, if any."""
    group = component._problem_meta['model_ref']()
    for name in component.pathname.split('.') if group is not None else ():
        if group._owns_approx_jac:
            return f"the group '{group.pathname}'" if group.pathname else 'the model'
        group = group._get_subsystem(name)
    return None


def is_final(system) -> bool:
    """Whether final_setup has resolved the component's declarations."""
    meta = system._problem_meta
    return (
        meta is not None
        and meta['setup_status'] >= _SetupStatus.POST_SETUP2
        and system._inputs is not None
    )


def is_finding_sparsity(system) -> bool:
    """Whether a component is being evaluated to find its coloring."""
    return bool(system._during_coloring)


def is_wanted(component, name) -> bool:
    """Whether the totals that are being computed depend on a component's variable."""
    return component._relevance.is_relevant(_absolute(component, name))


def is_set_up(system) -> bool:
    """Whether a system knows its subsystems and its pathname."""
    return system._problem_meta is not None


def problem_of(requester) -> Problem | None:
    """Return the problem behind a recorder's requester; None where that is a system."""
    if isinstance(requester, Driver):
        return requester._problem()
    return requester if isinstance(requester, Problem) else None


def components_below(system) -> list[Component]:
    """Return the components of a set-up system that live on this process, itself included."""
    every = system.system_iter(include_self=True, recurse=True)
    return [s for s in every if isinstance(s, Component)]


_on_component_setup: list = []
_stock_setup_procs = Component._setup_procs


def _setup_procs(self, *args, **kwargs):
    for act in dict.fromkeys(_on_component_setup):
        act(self)
    return _stock_setup_procs(self, *args, **kwargs)


def hold_from_here(component, held_class):
    """Make a component held in the middle of its setup; what it declares so far is outside."""
    component.__class__ = held_class
    component._held_from_configure = set()
    component._declared_outside().update(component._declared_partials_patterns)
    component._inside_setup = True


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


def run_script(path, arguments):
    """Run a script as ``python path arguments`` would, in this process."""
    _load_and_exec(path, arguments)


def problem_name(problem) -> str:
    """Return the name under which OpenMDAO files a problem's outputs."""
    return problem._get_inst_id()
