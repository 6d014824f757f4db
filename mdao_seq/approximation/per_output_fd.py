"""`PerOutputFD`: the mixin that makes every approximated derivative keep its own declaration."""

from openmdao.core.component import Component
from openmdao.core.group import Group

from mdao_seq.approximation._openmdao.held_component import HeldComponent
from mdao_seq.approximation._openmdao.held_group import HeldGroup
from mdao_seq.approximation._openmdao.names import OURS
from mdao_seq.differences.declaration import Declaration

# Of declare_partials, as in OpenMDAO.
DEFAULTS = {
    'dependent': True,
    'rows': None,
    'cols': None,
    'val': None,
    'method': 'exact',
    'step': None,
    'form': None,
    'step_calc': None,
    'minimum_step': None,
    'diagonal': None,
}


class PerOutputFD(HeldGroup, HeldComponent):
    """Hold every ``declare_partials(of, wrt, method='fd' or 'cs', …)`` of a component.

    A group with the mixin has `declare_totals`, which holds likewise.

    OpenMDAO 3.9 to 3.45 keep one approximation for each input: of several declarations on one
    `wrt` the last replaces the others, silently. Under this mixin each (of, wrt) keeps its method,
    step, form and order. All are computed from one set of distinct points, which an
    `EvaluationPlan` lists; `fd_cost` shows it before it is spent.

    ``declare_coloring`` works as in OpenMDAO, except that columns perturbed together keep each its
    own step; it approximates what is not yet approximated and leaves the other declarations alone.

    Where the component raises `AnalysisError` at a point, or an output there is not finite, the
    declarations that use it make do with their other points and the base point, at the highest
    order that these allow; a warning says so once, and the property ``fd_fallbacks`` counts. If
    no point is left, the `AnalysisError` names the declaration and the point.

    An explicit component that defines ``compute_batch(inputs, outputs)``, each array with a leading
    axis of points, is linearized by one call. The option ``fd_workers`` shares the points among
    processes, ``num_par_fd`` among ranks of MPI.

    A later declaration of the same (of, wrt) replaces the earlier one whole: nothing is inherited,
    and ``exact`` declared over ``fd`` costs nothing.

    Use it before the OpenMDAO class::

        class Comp(PerOutputFD, om.ExplicitComponent):
            def setup_partials(self):
                self.declare_partials('y1', 'x', method='fd', step=0.01, form='central')
                self.declare_partials('y2', 'x', method='fd', step=0.05, form='central')

    Raises
    ------
    TypeError
        If a class lists the mixin after the OpenMDAO class, where it could not act.
    RuntimeError
        At setup, if a matrix-free component declares an approximation.
    """

    def __init_subclass__(cls, **kwargs):
        """Refuse a class in which the mixin comes too late."""
        super().__init_subclass__(**kwargs)
        order = cls.__mro__
        for base, name in ((Component, 'ExplicitComponent'), (Group, 'Group')):
            if base in order and order.index(HeldComponent) > order.index(base):
                names = ', '.join(base.__name__ for base in cls.__bases__)
                raise TypeError(
                    f'{cls.__name__}({names}): PerOutputFD must stand before the OpenMDAO class, '
                    f'as in class {cls.__name__}(PerOutputFD, om.{name})'
                )

    def declare_partials(
        self,
        of,
        wrt,
        dependent=True,
        rows=None,
        cols=None,
        val=None,
        method='exact',
        step=None,
        form=None,
        step_calc=None,
        minimum_step=None,
        diagonal=None,
        order=None,
        bounds=None,
        extrapolate=False,
    ):
        """Declare partials as in OpenMDAO; each approximated (of, wrt) keeps what it declares.

        Parameters
        ----------
        of, wrt : str or iterable of str
            Names or glob patterns of outputs, and of the variables they are differentiated by.
        dependent : bool
            False: the partial is zero.
        rows, cols : ndarray of int or None
            Positions of the nonzeros of a sparse partial.
        val : float or ndarray or None
            Constant value, or initial value, of an exact partial.
        method : {'exact', 'fd', 'cs'}
            How it is computed.
        step : float, 'auto' or None
            Step, in the units of `wrt` or relative to it. None: 1e-6 (``fd``), 1e-40 (``cs``).
            'auto': found by the first linearization, as by `tune_steps`, and kept.
        form : {'forward', 'backward', 'central'} or None
            Form of the difference. None: forward.
        step_calc : {'abs', 'rel', 'rel_avg', 'rel_legacy', 'rel_element'} or None
            How the step is scaled by the value of `wrt`. None: absolute.
        minimum_step : float or None
            Least step of the relative kinds. None: 1e-12.
        diagonal : bool or None
            True: the partial is diagonal.
        order : int or None
            Order of convergence: 1, 2, 3 one-sided; 2, 4, 6 central. None: the lowest.
        bounds : (lower, upper) or None
            No element of `wrt` is perturbed beyond these (its units; numbers, arrays of its size,
            or None on a side). Where a point would be, the points of one side are taken, of the
            same order or the highest below it.
        extrapolate : bool
            True: the points that other declarations of `wrt` pay for are used as well, where they
            are no nearer than its own (Richardson). The property ``fd_errors`` has estimates.

        Returns
        -------
        dict
            OpenMDAO's metadata of the declaration.

        Raises
        ------
        ValueError
            For a step that is not positive, an unknown form, order, step_calc or method.
        """
        if isinstance(self, Group):
            raise TypeError(
                f'{self.msginfo}: declare_partials is for components; use declare_totals'
            )
        of, wrt = _names(of), _names(wrt)
        ours = {'order': order, 'bounds': bounds, 'extrapolate': extrapolate or None}
        ours = {name: value for name, value in ours.items() if value is not None}
        if method in ('fd', 'cs'):
            options = {'step': step, 'form': form, 'step_calc': step_calc, **ours}
            options |= {'method': method, 'minimum_step': minimum_step}
            self._check_declaration(of, wrt, options, 'declare_partials')
        elif ours:
            raise ValueError(
                f'{self.msginfo}: declare_partials({of!r}, {wrt!r}, '
                f'{", ".join(f"{name}={value!r}" for name, value in ours.items())}): '
                f'{" and ".join(ours)} {"has" if len(ours) == 1 else "have"} no meaning for method '
                f'{method!r}'
            )
        if method == 'fd' and isinstance(step, str) and step == 'auto':
            # OpenMDAO knows numbers only.
            ours['step'], step = step, None

        passed = {
            'dependent': dependent,
            'rows': rows,
            'cols': cols,
            'val': val,
            'method': method,
            'step': step,
            'form': form,
            'step_calc': step_calc,
            'minimum_step': minimum_step,
            'diagonal': diagonal,
        }
        # A class between may have other defaults, or fewer arguments.
        passed = {name: value for name, value in passed.items() if value is not DEFAULTS[name]}

        def declare():
            super(PerOutputFD, self).declare_partials(of, wrt, **passed)

        meta = self._replace_declaration(of, wrt, declare)
        if ours:
            meta[OURS] = ours
        return meta

    def declare_totals(
        self,
        of,
        wrt,
        method='fd',
        step=None,
        form=None,
        step_calc=None,
        minimum_step=None,
        order=None,
        bounds=None,
        extrapolate=False,
    ):
        """Approximate the derivatives of a group as a whole; each response keeps what it declares.

        It stands in place of ``approx_totals``, which has one step for all. The group is run at
        every distinct point, once, whatever its components declare. Of the model, the totals that a
        driver or ``compute_totals`` asks for are approximated; of a group below, its outputs by
        its inputs.

        A response that no call names uses the points of the first that is declared by the same
        variable, which costs nothing more; a variable that no call names has OpenMDAO's default, a
        forward difference of step 1e-6. `fd_cost` shows all.

        Parameters
        ----------
        of, wrt : str or iterable of str
            Names or glob patterns, promoted to the group: of outputs (also aliases of responses),
            and of inputs (of the model, also outputs that are design variables). A later call
            replaces an earlier one whole.
        method : {'fd', 'cs'}
            How it is computed.
        step, form, step_calc, minimum_step, order, bounds, extrapolate
            As in `declare_partials`.

        Raises
        ------
        TypeError
            If it is no group.
        ValueError
            For a step that is not positive, an unknown form, order, step_calc or method; at setup,
            for a name that the group does not have.

        Examples
        --------
        >>> class Model(PerOutputFD, om.Group):                  # doctest: +SKIP
        ...     def setup(self):
        ...         ...
        ...         self.declare_totals('drag', 'alpha', step=1e-3, form='central')
        ...         self.declare_totals('lift', 'alpha', step=5e-3, form='central')
        """
        if not isinstance(self, Group):
            raise TypeError(f'{self.msginfo}: declare_totals is for groups; use declare_partials')
        of, wrt = _names(of), _names(wrt)
        options = {'method': method, 'step': step, 'form': form, 'step_calc': step_calc}
        options |= {'minimum_step': minimum_step, 'order': order, 'bounds': bounds}
        options['extrapolate'] = extrapolate
        self._check_declaration(of, wrt, options, 'declare_totals')
        ofs, wrts = ((n,) if isinstance(n, str) else n for n in (of, wrt))
        self._hold_totals(ofs, wrts, options)

    @property
    def tuned_steps(self):
        """The `StepTable` of declarations with ``step='auto'``; None until they are tuned."""
        return vars(self).get('_tuned_steps')

    def _tuned(self, declared):
        """Return steps for declarations that leave theirs to be found."""
        from mdao_seq.approximation.tuning import tune  # which needs this module

        self._tuned_steps = tune(self, declared)
        return {row.declaration: row.step for row in self._tuned_steps.rows}

    def _check_declaration(self, of, wrt, options, function):
        """Refuse a bad declaration where it stands, not at the first linearization."""
        try:
            Declaration(str(of), str(wrt), **options)
        except ValueError as error:
            raise ValueError(
                f'{self.msginfo}: {function}({of!r}, {wrt!r}, method={options["method"]!r}): '
                f'{error}'
            ) from None


def _names(names):
    """Keep what an iterator yields: the names are read more than once."""
    return names if isinstance(names, str) or not hasattr(names, '__iter__') else tuple(names)
