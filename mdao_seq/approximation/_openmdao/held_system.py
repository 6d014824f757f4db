"""`HeldSystem` overrides the hooks through which a component or group approximates its derivatives.

- ``_get_approx_scheme`` installs a `PlannedScheme` under the usual keys ``fd`` and ``cs``;
- ``_linearize`` sees to it that the plan is that of now, and that it was run.

`held_component` and `held_group` have what only those need.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

from openmdao.core.group import Group

from mdao_seq.approximation._openmdao.colorings import coloring_of, fits
from mdao_seq.approximation._openmdao.names import STOCK
from mdao_seq.approximation._openmdao.partials import Partials
from mdao_seq.approximation._openmdao.plans import (
    build,
    build_with_replaced_steps,
    plan_as_declared,
    untuned,
)
from mdao_seq.approximation._openmdao.scheme import PlannedScheme
from mdao_seq.approximation._openmdao.totals import Totals
from mdao_seq.approximation._openmdao.versions import refuse_others, refused


class HeldSystem:
    """What `PerOutputFD` does for components and groups alike; `_held_frame` knows the difference.

    Attributes
    ----------
    _held_plan : EvaluationPlan or None
        Of what is wanted at present.
    _held_runs : dict or None
        Of the last linearization, by method declared: the plan of its points, and the method by
        which they were run. None where a group was linearized otherwise.
    _held_repeated : list of Declaration
        Owners of points that a batch which failed has cost a second time.
    """

    _held_plan = None
    _held_coloring = None
    _held_has_auto = False
    _held_runs: Mapping | None = MappingProxyType({})
    _held_repeated: Sequence = ()
    _held_errors: dict | None = None

    def _declare_options(self):
        super()._declare_options()
        declare_options(self)

    @cached_property
    def _held_frame(self):
        return (Totals if isinstance(self, Group) else Partials)(self)

    def _setup_procs(self, *args, **kwargs):
        refuse_others(self)
        declare_options(self)  # of an instance whose class was changed since it was made
        super()._setup_procs(*args, **kwargs)

    def _setup_partials(self):
        super()._setup_partials()
        self._held_frame.resolve()

    def _get_approx_scheme(self, method):
        if method not in STOCK or not self._held_frame.is_held:
            return super()._get_approx_scheme(method)
        return self._approx_schemes.setdefault(method, PlannedScheme(method))

    def _linearize(self, *args, **kwargs):
        frame = self._held_frame
        if not frame.is_held:
            try:
                super()._linearize(*args, **kwargs)
            finally:
                frame.stood_aside()
            return
        self._held_runs, self._held_repeated = {}, []
        frame.prepare()
        if self._held_has_auto:
            self._tune_what_is_auto()
        if self._held_errors:
            self._held_errors.clear()
        with frame.unscaled():
            super()._linearize(*args, **kwargs)
        plan = self._held_plan
        if plan is None or plan.methods != self._held_runs.keys():
            if frame.approximates:
                raise refused(self)

    def _tune_what_is_auto(self):
        # Under an outer complex step a stand-in does: the component cannot be sampled.
        declared = [] if self.under_complex_step else untuned(self)
        if declared:
            with self._held_frame.unscaled_whole():
                self.replace_steps(self._tuned(declared))

    def _current_plan(self):
        """Return the plan at present: relative steps move, and a coloring may have been found."""
        if self._held_plan is None:
            raise refused(self)
        coloring = coloring_of(self)
        if coloring is not self._held_coloring and coloring and not fits(self, coloring):
            raise RuntimeError(
                f'{self.msginfo}: the coloring that its class shares was found for other sizes; '
                'set per_instance=True in declare_coloring'
            )
        if coloring is not self._held_coloring or not self._held_plan.is_fixed:
            self._held_plan = build(self, self._held_plan.declarations)
            self._held_coloring = coloring
        return self._held_plan

    @property
    def fd_fallbacks(self):
        """How often each `Declaration` fell back to the points that worked, a dict."""
        return vars(self).setdefault('_held_fallbacks', {})

    @property
    def fd_errors(self):
        """Estimated errors of what is extrapolated, arrays (of, wrt) by `Declaration`."""
        if self._held_errors is None:
            self._held_errors = {}
        return self._held_errors

    @property
    def replaced_steps(self):
        """Steps that stand in for those of declarations, a dict by `Declaration`."""
        return vars(self).setdefault('_held_steps', {})

    def restore_steps(self):
        """Take the steps that were declared again; what is 'auto' is tuned anew."""
        self.replaced_steps.clear()
        if self._held_plan is not None:
            self._held_plan = build_with_replaced_steps(
                self, self._held_frame.declared(wanted=True)
            )

    def replace_steps(self, steps):
        """Take other steps than declared, from now on and after every later setup.

        Parameters
        ----------
        steps : dict of Declaration to float
            By declaration, as it was made; one that is changed later speaks for itself again.

        Raises
        ------
        RuntimeError
            Before ``final_setup``.
        ValueError
            If the component does not declare one of them.
        """
        if self._inputs is None:
            raise RuntimeError(f'{self.msginfo}: call final_setup() before its steps are replaced')
        declared = plan_as_declared(self).declarations
        unknown = [declaration for declaration in steps if declaration not in declared]
        if unknown:
            raise ValueError(
                f'{self.msginfo}: steps for declarations that it does not make: '
                f'{"; ".join(map(str, unknown))}'
            )
        self.replaced_steps.update(steps)
        if self._held_plan is not None:
            planned = {(d.of, d.wrt) for d in self._held_plan.declarations}
            declared = [d for d in declared if (d.of, d.wrt) in planned]
            self._held_plan = build_with_replaced_steps(self, declared)


def declare_options(component):
    if 'fd_workers' in component.options:
        return
    component.options.declare(
        'fd_workers',
        types=int,
        default=1,
        lower=1,
        desc='Processes among which the points of its finite differences and complex steps are '
        'shared; 1: this one.',
    )
