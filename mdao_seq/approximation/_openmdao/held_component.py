"""`HeldComponent` overrides the hooks through which a component declares its partials.

- ``_add_approximations`` plans for every (of, wrt), where OpenMDAO keeps the last of each wrt;
- ``_resolve_partials_patterns`` lets a later declaration replace an earlier one whole.

Declarations made from outside a component's setup and setup_partials come after its own.
"""

from collections.abc import Set

from openmdao.core.constants import _SetupStatus
from openmdao.utils.om_warnings import DerivativesWarning, issue_warning

from mdao_seq.approximation._openmdao.coloring_search import finite_samples, found_coloring
from mdao_seq.approximation._openmdao.colorings import coloring_of, drop_stale_coloring
from mdao_seq.approximation._openmdao.filling import fills
from mdao_seq.approximation._openmdao.held_system import HeldSystem, declare_options
from mdao_seq.approximation._openmdao.names import (
    BY_RESIDUAL,
    OPTIONS,
    OURS,
    REPLACED,
    SPARSITY,
    STOCK,
    absolute,
    relative,
)
from mdao_seq.approximation._openmdao.plans import in_force, plan_declared


class HeldComponent(HeldSystem):
    """The half of `PerOutputFD` that only components need."""

    _inside_setup = False
    _inside_declare_coloring = False
    _declares_as_openmdao = False
    _held_from_configure: Set = frozenset()

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

    def _add_approximations(self, use_relevance=True):
        self._approx_schemes = {}
        drop_stale_coloring(self)
        self._held_plan = plan_declared(self, use_relevance=use_relevance)
        self._held_coloring = coloring_of(self)
        for declaration in self._held_plan.declarations:
            scheme = self._get_approx_scheme(declaration.method)
            scheme.add_approximation(absolute(self, declaration.wrt), self, declaration)

    def _resolve_partials_patterns(self, of, wrt, pattern_meta):
        if getattr(self, '_declared_residuals', None):
            super()._resolve_partials_patterns(of, wrt, pattern_meta)
            self._hold_by_residual(of, wrt, pattern_meta)
            return
        replaced = pattern_meta.get(REPLACED)
        keys = list(self._matching_key_iter(of, '*' if wrt is None else wrt))
        unfilled = [key for key in keys if not is_filled(self, pattern_meta, key)]
        if replaced is not None and unfilled:
            self._resolve_partials_patterns(of, wrt, replaced)
        earlier = {key: self._subjacs_info.pop(key, None) for key in keys}
        approximated = {k: m for k, m in earlier.items() if m and m.get('method') in STOCK}
        super()._resolve_partials_patterns(of, wrt, pattern_meta)
        if 'coloring' in pattern_meta:
            # declare_coloring approximates all that is not approximated yet; the rest holds.
            self._subjacs_info.update(approximated)
        elif pattern_meta['dependent'] and not approximated.keys().isdisjoint(unfilled):
            kept = {key: approximated[key] for key in unfilled if key in approximated}
            names = ', '.join(
                f'd({relative(self, of)})/d({relative(self, wrt)})' for of, wrt in kept
            )
            issue_warning(
                f'{names}: declared exact after an approximation, but without a value and without '
                'compute_partials or linearize to fill it: the approximation is kept.',
                prefix=self.msginfo,
                category=DerivativesWarning,
            )
            self._subjacs_info.update(kept)

    def _hold_by_residual(self, of, wrt, pattern_meta):
        """Give the outputs that a named residual lies over its options; OpenMDAO drops them."""
        if pattern_meta.get('method') not in STOCK:
            return
        options = {name: pattern_meta.get(name) for name in (*OPTIONS, OURS)}
        residuals = {
            name for _, names in self._find_of_matches(of, use_resname=True) for name in names
        }
        wrts = {name for _, names in self._find_wrt_matches(wrt) for name in names}
        for residual in residuals:
            for output, *_ in self._resid2out_subjac_map[residual]:
                for name in wrts:
                    meta = self._subjacs_info[absolute(self, output), absolute(self, name)]
                    other, earlier = meta.setdefault(BY_RESIDUAL, (residual, options))
                    if other != residual and earlier != options:
                        raise RuntimeError(
                            f'{self.msginfo}: d({residual})/d({name}) and d({other})/d({name}) are '
                            f"declared with different options, but lie over one output, '{output}'"
                        )
                    meta.update(options, **{BY_RESIDUAL: (residual, options)})

    def _check_fds_differ(self, *args, **kwargs):
        declared = self._declared_partials_patterns
        self._declared_partials_patterns = in_force(self)
        try:
            super()._check_fds_differ(*args, **kwargs)
        finally:
            self._declared_partials_patterns = declared

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
        declare()
        # An override of declare_partials may return nothing; the newest is the last.
        meta = next(reversed(self._declared_partials_patterns.values()))
        if self._declares_as_openmdao:
            # As in OpenMDAO: it may be all that makes the partial fit into memory.
            meta |= {k: earlier[k] for k in SPARSITY if k in earlier and meta.get(k) is None}
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

    def compute_fd_jac(self, jac, method='fd'):
        """Difference as OpenMDAO does; where a coloring is sought, only what is finite counts."""
        with finite_samples(self, jac):
            super().compute_fd_jac(jac, method)

    def _get_coloring(self):
        return found_coloring(self, super()._get_coloring)

    def declare_coloring(self, *args, **kwargs):
        """Declare a coloring as in OpenMDAO; what was declared before keeps its own options."""
        self._inside_declare_coloring = True
        try:
            super().declare_coloring(*args, **kwargs)
        finally:
            self._inside_declare_coloring = False


def is_filled(system, pattern_meta, key):
    """Whether something gives a declared partial its value, as far as can be told."""
    if 'method' in pattern_meta or pattern_meta.get('val') is not None:
        return True
    if system._declares_as_openmdao:
        # A class that was not written for us may count on an approximation that stays.
        return fills(system, *(relative(system, name) for name in key)) is not False
    return getattr(system, '_has_compute_partials' if system.is_explicit() else '_has_linearize')


def hold_from_here(component, held_class):
    """Make a component held in the middle of its setup; what it declares so far is outside."""
    component.__class__ = held_class
    declare_options(component)
    component._held_from_configure = set()
    component._declared_outside().update(component._declared_partials_patterns)
    component._inside_setup = True


def declares_as(component, kind):
    """Forget what a component declared in setups before, if it was of another kind.

    OpenMDAO keeps it; here what it is held by goes with it.
    """
    before = getattr(component, '_declared_kind', kind)
    component._declared_kind = kind
    if before == kind:
        return
    component._declared_partials_patterns = {}
    if '_held_from' in vars(type(component)):
        component.__class__ = type(component)._held_from
        for name in [name for name in vars(component) if name.startswith('_held')]:
            delattr(component, name)
