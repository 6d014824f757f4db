"""`HeldGroup` overrides the hooks through which a group is differenced as a whole.

- ``_setup_approx_derivs`` plans for every response, where OpenMDAO keeps one approximation of each
  variable;
- ``approx_totals`` is what OpenMDAO calls again before it differences, and what ``check_totals``
  uses to have the model differenced otherwise: then ours stands aside for one linearization.
"""

from openmdao.core.constants import _SetupStatus
from openmdao.utils.om_warnings import OMInvalidCheckDerivativesOptionsWarning, issue_warning

from mdao_seq.approximation._openmdao.colorings import coloring_of
from mdao_seq.approximation._openmdao.group_columns import Kept
from mdao_seq.approximation._openmdao.group_variables import wanted_of_model
from mdao_seq.approximation._openmdao.held_system import HeldSystem
from mdao_seq.approximation._openmdao.names import OF_GROUP, STOCK, names_any
from mdao_seq.approximation._openmdao.plans import plan_declared
from mdao_seq.approximation._openmdao.totals import Totals

# Equal to no step: OpenMDAO's check_totals compares its own with it, which ours cannot be told by.
NO_ONE_STEP = {'step': float('nan')}


class HeldGroup(HeldSystem):
    """The half of `PerOutputFD` that only groups need."""

    _held_relevance = None
    _held_is_checked = False
    _held_is_scaled = False
    _held_totals = ()

    @property
    def _held_kept(self):
        return vars(self).setdefault('_held_keeps', Kept())

    def _hold_totals(self, of, wrt, options):
        """Declare totals; what is declared inside of setup or configure ends with the next one."""
        meta = self._problem_meta
        inside = meta is not None and meta['setup_status'] < _SetupStatus.POST_SETUP
        self._held_totals = [*self._held_totals, (of, wrt, options)]
        if inside:
            self._held_inside = [*vars(self).get('_held_inside', ()), self._held_totals[-1]]
        self._held_plan = None
        self._install()

    def _install(self):
        """Let OpenMDAO know that the group is differenced, by our schemes."""
        self._has_approx = self._owns_approx_jac = True
        self._owns_approx_jac_meta = NO_ONE_STEP
        self._approx_schemes = {}
        for method in dict.fromkeys(options['method'] for *_, options in self._held_totals):
            self._get_approx_scheme(method)

    def _setup_procs(self, *args, **kwargs):
        inside = vars(self).pop('_held_inside', ())
        if inside:
            self._held_totals = [d for d in self._held_totals if not any(d is i for i in inside)]
        self._held_plan = None
        super()._setup_procs(*args, **kwargs)

    def approx_totals(self, method='fd', step=None, form=None, step_calc=None):
        """Approximate the group as OpenMDAO does; what `declare_totals` has declared ends here."""
        if self._held_totals:
            if self._approx_schemes and self._tot_jac is not None and not self._held_is_checked:
                return  # compute_totals, which asks anew for what there is
            if not self._approx_schemes:
                # check_totals, which has taken ours away.
                self._install()
                self._say_what_is_no_check(method, step, form, step_calc)
                self._held_is_checked = True
            elif self._tot_jac is None:
                self._held_totals = []
        super().approx_totals(method=method, step=step, form=form, step_calc=step_calc)

    def _say_what_is_no_check(self, method, step, form, step_calc):
        options = {**STOCK[method].DEFAULT_OPTIONS}
        given = {'step': step, 'form': form, 'step_calc': step_calc}
        options |= {name: value for name, value in given.items() if value is not None}
        plan = self._held_plan or plan_declared(self)
        same = [
            f'd({d.of})/d({d.wrt})'
            for d in plan.declarations
            if d.method == method
            and d.step == options['step']
            and (method == 'cs' or (d.form, d.step_calc) == (options['form'], options['step_calc']))
            and d.stencil.order == type(d)(d.of, d.wrt, method=d.method, form=d.form).stencil.order
        ]
        if same:
            issue_warning(
                f'{", ".join(same)}: declared with the method and options of this check_totals, '
                'which therefore tells nothing about their accuracy; check with another step or '
                'form.',
                prefix=self.msginfo,
                category=OMInvalidCheckDerivativesOptionsWarning,
            )

    def _setup_approx_derivs(self):
        if self._held_totals:
            self._part_from_components()
        super()._setup_approx_derivs()
        frame = self._held_frame
        if not frame.is_held:
            return
        for key in self._get_approx_subjac_keys():
            if key in self._subjacs_info:
                self._subjacs_info[key][OF_GROUP] = True
        self._held_keeps = Kept()
        self._held_plan = plan_declared(self)
        self._held_coloring = coloring_of(self)
        for scheme in self._approx_schemes.values():
            scheme._wrt_meta = {}
        for declaration in self._held_plan.declarations:
            scheme = self._get_approx_scheme(declaration.method)
            scheme.add_approximation(frame.key(declaration.wrt), self, declaration)

    def _part_from_components(self):
        """Have subjacobians of one's own, where OpenMDAO writes into those of the components.

        These would lose their methods, steps and values; and their sparsity is not the group's.
        """
        for key in self._get_approx_subjac_keys(initialize=True):
            meta = self._subjacs_info.get(key)
            if meta is not None and not meta.get(OF_GROUP):
                del self._subjacs_info[key]

    def _setup_approx_coloring(self):
        # OpenMDAO approximates anew by the options of the coloring.
        if self._held_totals and self._held_frame.is_held:
            self._setup_approx_derivs()
        else:
            super()._setup_approx_coloring()

    def _linearize(self, *args, **kwargs):
        if self._held_totals and self.pathname and not self._owns_approx_jac:
            # OpenMDAO keeps one Jacobian of a group, the differenced one.
            solver = type(self.nonlinear_solver).__name__
            raise RuntimeError(
                f'{self.msginfo}: declare_totals differences the group as a whole, which its own '
                f'{solver} cannot iterate on. Give the solver to a group inside of it: '
                "add_subsystem('solved', om.Group(), promotes=['*']) with the solver and what it "
                'solves.'
            )
        super()._linearize(*args, **kwargs)

    def run_linearize(self, *args, **kwargs):
        """Linearize as OpenMDAO does, which scales the vectors of the whole model for it."""
        self._held_is_scaled = True
        try:
            super().run_linearize(*args, **kwargs)
        finally:
            self._held_is_scaled = False

    def _check_first_linearize(self):
        # To find a coloring OpenMDAO linearizes, and forgets whose totals were wanted.
        total = self._tot_jac
        super()._check_first_linearize()
        self._tot_jac = total


def declares_totals(system) -> bool:
    """Whether a system is a group of which totals are declared."""
    return isinstance(system, HeldGroup) and bool(system._held_totals)


def plan_totals(group, ofs=('*',), wrts=('*',)):
    """Plan the totals of a model that a driver wants, or named ones; semi-totals of a group below.

    Parameters
    ----------
    group : PerOutputFD
        After final_setup.
    ofs, wrts : tuple of str
        Names or glob patterns.
    """

    def keep(of, wrt):
        return names_any(of, ofs) and names_any(wrt, wrts)

    if group.pathname:
        group._held_frame.prepare()
        return plan_declared(group, keep=keep)
    context = wanted_of_model(group, ofs, wrts)
    if context is None:
        raise RuntimeError(
            f'{group.msginfo}: what its totals cost depends on which: it has no responses or no '
            "design variables; name what you will ask for: fd_cost(model, of=['y'], wrt=['x'])"
        )
    return plan_declared(group, frame=Totals(group, context))
