"""The one module that names private attributes of OpenMDAO; checked on 3.40.0 and 3.45.1.

`HeldComponent` overrides the hooks through which a component approximates its partials:

- ``_get_approx_scheme`` installs a `PlannedScheme` under the usual keys ``fd`` and ``cs``;
- ``_add_approximations`` plans for every (of, wrt), where OpenMDAO keeps the last of each wrt;
- ``_resolve_partials_patterns`` lets a later declaration replace an earlier one whole.

The functions at the end are what the rest of the package may ask of a system.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from openmdao.approximation_schemes.approximation_scheme import ApproximationScheme
from openmdao.approximation_schemes.complex_step import ComplexStep
from openmdao.approximation_schemes.finite_difference import FiniteDifference
from openmdao.core.component import Component
from openmdao.core.driver import Driver
from openmdao.core.problem import Problem
from openmdao.utils import hooks
from openmdao.utils.file_utils import _load_and_exec
from openmdao.utils.general_utils import LocalRangeIterable
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.approximation.asking import ASKED, Asked
from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import EvaluationPlan, build_plan

_STOCK = {'fd': FiniteDifference, 'cs': ComplexStep}

# The method that every linearization of a component passes through, whoever asks for it.
LINEARIZE = '_linearize'


class HeldComponent:
    """The private half of `PerOutputFD`: plans and runs what was declared."""

    _held_plan = None

    def _get_approx_scheme(self, method):
        if method not in _STOCK:
            return super()._get_approx_scheme(method)
        return self._approx_schemes.setdefault(method, PlannedScheme(method))

    def _add_approximations(self, use_relevance=True):
        self._approx_schemes = {}
        self._held_plan = plan_declared(self, use_relevance=use_relevance)
        for declaration in self._held_plan.declarations:
            scheme = self._get_approx_scheme(declaration.method)
            scheme.add_approximation(_absolute(self, declaration.wrt), self, declaration)

    def _resolve_partials_patterns(self, of, wrt, pattern_meta):
        for key in self._matching_key_iter(of, '*' if wrt is None else wrt):
            self._subjacs_info.pop(key, None)
        super()._resolve_partials_patterns(of, wrt, pattern_meta)

    def _setup_partials(self):
        super()._setup_partials()
        if self.matrix_free:
            for of, wrt in _approximated_keys(self):
                raise RuntimeError(
                    f'{self.msginfo}: d({_relative(self, of)})/d({_relative(self, wrt)}) is '
                    'declared as an approximation, but the component is matrix-free (it defines '
                    'compute_jacvec_product), so that it would never be computed. Set '
                    'matrix_free = False in setup, or drop the declaration.'
                )

    def _forget_declaration(self, of, wrt):
        """Drop an earlier declaration of the same names, which OpenMDAO would merge into."""
        key = tuple(n if isinstance(n, str) else tuple(n) for n in (of, wrt))
        self._declared_partials_patterns.pop(key, None)

    def _current_plan(self):
        """Return the plan at the present inputs; relative steps move with them."""
        if any(d.is_relative for d in self._held_plan.declarations):
            self._held_plan = _build(self, self._held_plan.declarations)
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
        rows = {of: slice(start, end) for of, start, end, _, _ in system._get_jac_ofs()}
        vectors = {wrt: vec for wrt, _, _, vec, _, _ in system._get_jac_wrts()}
        with _evaluations(system, method) as evaluate:
            at_base = system._residuals.asarray(copy=True).real
            for block in plan.blocks:
                points = [p for p in block.points if p.method == method]
                if not points:
                    continue
                place = {p: k for k, p in enumerate(points)}
                uses = [
                    (
                        (_absolute(system, use.declaration.of), _absolute(system, block.wrt)),
                        [place[block.points[k]] for k in use.points],
                        np.array(use.weights),
                        use.base_weight,
                    )
                    for use in block.uses
                    if use.declaration.method == method
                ]
                asked = [Asked(system.pathname, p) for p in points]
                wrt = _absolute(system, block.wrt)
                values = np.empty((len(points), at_base.size))
                for column, index in _local_columns(system, wrt, block.elements):
                    for k, who in enumerate(asked):
                        values[k] = evaluate(vectors[wrt], index, who)
                    if column is None:
                        continue
                    for key, used, weights, base_weight in uses:
                        of = rows[key[0]]
                        derivative = weights @ values[used, of]
                        if base_weight:
                            derivative += base_weight * at_base[of]
                        jac._subjacs[key].set_col(column, derivative)


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
        for vector, value in zip((inputs, outputs, residuals), start, strict=True):
            vector.set_val(value)

    def evaluate(vector, index, asked):
        offset = asked.point.offset
        if index is not None:
            vector.iadd(offset if complex_step else offset.real, index)
        token = ASKED.set(asked)
        try:
            system.run_apply_nonlinear()
            result = residuals.asarray()
            return (result.imag if complex_step else result.real).copy()
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
        'Nested complex step: partials declared with method="cs" are computed by forward '
        'differences with the default step while an outer complex step is active.',
        prefix=system.msginfo,
        category=DerivativesWarning,
    )
    return _build(system, [Declaration(d.of, d.wrt) for d in plan.declarations if not d.form])


def _local_columns(system, wrt, elements) -> Iterator[tuple[int | None, int | None]]:
    """Yield (column of the partial, index into the vector) of each element; None: another rank's.

    Every rank evaluates for every element of a distributed input, since compute is collective.
    """
    indices = list(LocalRangeIterable(system, wrt))
    columns = iter(range(len(indices)))
    column_of = [None if index is None else next(columns) for index in indices]
    for element in elements:
        yield column_of[element], indices[element]


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


def _approximated_keys(system) -> list[tuple[str, str]]:
    return [key for key, meta in system._subjacs_info.items() if meta.get('method') in _STOCK]


def _wanted_keys(system, use_relevance, keep):
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
        return [key for key in keys if all(map(relevance.is_relevant, key))]


def _build(system, declarations):
    values = {d.wrt: _value(system, _absolute(system, d.wrt)) for d in declarations}
    return build_plan(declarations, values, name=system.pathname)


def plan_declared(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what a held component declared, for the totals that are wanted at present."""
    keys = _wanted_keys(system, use_relevance, keep)
    options = ('method', 'step', 'form', 'order', 'step_calc', 'minimum_step')
    declarations = [
        Declaration(
            *(_relative(system, name) for name in key),
            **{name: system._subjacs_info[key].get(name) for name in options},
        )
        for key in keys
    ]
    return _build(system, declarations)


def plan_stock(system, use_relevance=True, keep=None) -> EvaluationPlan:
    """Plan what OpenMDAO itself does with the declarations of a component that is not held.

    Of each input only the last declaration counts, whatever the others say.
    """
    last = {}
    for of, wrt in _wanted_keys(system, use_relevance, keep):
        last[wrt] = system._subjacs_info[of, wrt]
    return _plan_by_input(system, last)


def _plan_by_input(system, metas):
    declarations = []
    for wrt, meta in metas.items():
        names = ('step',) if meta['method'] == 'cs' else ('step', 'step_calc', 'form')
        options = {name: meta.get(name) for name in names}
        # A negative step is legal there, and costs the same.
        options['step'] = abs(options['step']) if options['step'] else None
        declarations.append(Declaration('*', _relative(system, wrt), meta['method'], **options))
    return _build(system, declarations)


def executed_plan(system) -> EvaluationPlan | None:
    """Return the plan of the linearization just made; None where none is known.

    A component that is not held is planned from what its schemes hold: one entry an input.
    """
    if isinstance(system, HeldComponent):
        return system._held_plan
    if not system._approx_schemes or is_colored(system):
        return None
    metas = {
        wrt: {'method': method, **meta}
        for method, scheme in system._approx_schemes.items()
        for wrt, meta in scheme._wrt_meta.items()
    }
    return _plan_by_input(system, metas)


def has_subjacs(system) -> bool:
    """Whether final_setup has resolved the component's declarations."""
    return bool(system._subjacs_info) and system._inputs is not None


def is_set_up(system) -> bool:
    """Whether a system knows its subsystems and its pathname."""
    return system._problem_meta is not None


def is_colored(system) -> bool:
    """Whether a partial coloring decides what the component's approximation costs."""
    return system._coloring_info.coloring is not None


def problem_of(requester) -> Problem | None:
    """Return the problem behind a recorder's requester; None where that is a system."""
    if isinstance(requester, Driver):
        return requester._problem()
    return requester if isinstance(requester, Problem) else None


def components_below(system) -> list[Component]:
    """Return the components of a set-up system that live on this process, itself included."""
    every = system.system_iter(include_self=True, recurse=True)
    return [s for s in every if isinstance(s, Component)]


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
