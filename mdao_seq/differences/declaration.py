"""What a user declares for one (of, wrt): method, form, order, step and how the step is scaled."""

from copy import copy
from dataclasses import dataclass, fields
from functools import cached_property
from math import inf
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.differences.stencils import COMPLEX_STEP, Stencil, stencil

STEP_CALCS = ('abs', 'rel', 'rel_legacy', 'rel_avg', 'rel_element')
Bound = float | tuple[float, ...]

DEFAULT_STEP = {'fd': 1e-6, 'cs': 1e-40}


SIDES = ('forward', 'backward')


@dataclass(frozen=True)
class Declaration:
    """One approximated partial derivative.

    Parameters
    ----------
    of, wrt : str
        Output (or residual) and the variable it is differentiated by.
    method : {'fd', 'cs'}
        Finite differences or complex step.
    step : float, 'auto' or None
        Step in the units of `wrt`, or relative to it (`step_calc`). None: 1e-6 for ``fd``, 1e-40
        for ``cs``, as in OpenMDAO. 'auto': to be found by tuning; 1e-6 until then.
    form : {'forward', 'backward', 'central'} or None
        None: forward. Complex step has no form.
    order : int or None
        Order of convergence; None: the lowest that the form has.
    step_calc : {'abs', 'rel', 'rel_avg', 'rel_legacy', 'rel_element'} or None
        None: absolute. The others multiply the step by the mean magnitude of `wrt` (``rel``,
        ``rel_avg``), its 2-norm (``rel_legacy``) or each element's magnitude.
    minimum_step : float or None
        Least step of the relative kinds, in the units of `wrt`. None: 1e-12.
    bounds : (lower, upper) or None
        What no element of `wrt` is perturbed beyond, in its units; each a number, an array of its
        size, or None.
    extrapolate : bool
        Whether points that other declarations pay for, no nearer than its own, are used as well.
    is_auto : bool
        Whether the step is still to be found; 'auto' sets it.

    Raises
    ------
    ValueError
        For an unknown option, or a step that is not positive and finite.
    """

    of: str
    wrt: str
    method: str = 'fd'
    step: float | str | None = None
    form: str | None = None
    order: int | None = None
    step_calc: str | None = None
    minimum_step: float | None = None
    bounds: tuple[Bound, Bound] | None = None
    extrapolate: bool = False
    is_auto: bool = False

    def __post_init__(self) -> None:
        """Fill in the defaults and refuse what has no meaning."""
        if self.method not in DEFAULT_STEP:
            raise ValueError(f"method {self.method!r} is not one of 'fd', 'cs'")
        fill = object.__setattr__
        if isinstance(self.step, str) and self.step == 'auto' and self.method == 'fd':
            fill(self, 'is_auto', True)
            fill(self, 'step', None)
        if self.step is None:
            fill(self, 'step', DEFAULT_STEP[self.method])
        if self.method == 'cs':
            self._refuse_fd_options()
            fill(self, 'step_calc', 'abs')
        else:
            fill(self, 'form', self.form or 'forward')
            fill(self, 'order', stencil(self.form or 'forward', self.order).order)
            fill(self, 'step_calc', self.step_calc or 'abs')
        if self.minimum_step is None:
            fill(self, 'minimum_step', 1e-12)
        if self.step_calc not in STEP_CALCS:
            # In the words of OpenMDAO, whose users may look for them.
            raise ValueError(
                f'{self.step_calc!r} is not a valid setting for step_calc; must be one of '
                f'{list(STEP_CALCS)}.'
            )
        if self.bounds is not None:
            fill(self, 'bounds', _checked_bounds(self.bounds))
        for name in ('step', 'minimum_step'):
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.size == 1:
                value = value.item()
            if not (isinstance(value, Real) and 0 < float(value) < inf):
                raise ValueError(f'{name} {value!r} is not a positive finite number')
            fill(self, name, float(value))

    def _refuse_fd_options(self) -> None:
        for name in ('form', 'order', 'step_calc', 'minimum_step', 'bounds', 'extrapolate'):
            if getattr(self, name) not in (None, False):
                raise ValueError(f'{name} {getattr(self, name)!r} has no meaning for complex step')

    def changed(self, **options: Any) -> 'Declaration':
        """Return the same declaration with other options; another form has its lowest order.

        Parameters
        ----------
        **options
            As of a declaration. Where the method is another, none of the present ones is kept.
        """
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        if options.get('method', self.method) != self.method or self.method == 'cs':
            kept = {name: kept[name] for name in ('of', 'wrt', 'method', 'step')}
            if options.get('method', self.method) != self.method:
                kept['step'] = None
        elif options.get('form', self.form) != self.form:
            kept['order'] = None
        if 'step' in options:
            kept['is_auto'] = False
        return Declaration(**(kept | options))

    def for_output(self, of: str) -> 'Declaration':
        """Return the same declaration of another output."""
        other = copy(self)
        object.__setattr__(other, 'of', of)
        vars(other).pop('_name', None)
        return other

    @property
    def stencil(self) -> Stencil:
        """The points and weights that this declaration asks for."""
        return COMPLEX_STEP if self.method == 'cs' else stencil(self.form, self.order)

    @property
    def moves(self) -> bool:
        """Whether the points depend on the value of `wrt` other than by shifting with it."""
        return self.is_relative or self.bounds is not None

    def stencils(self, value: ArrayLike) -> tuple[list[Stencil], NDArray[np.int64]]:
        """Return the stencils that keep to the bounds, and which of them each element takes.

        Parameters
        ----------
        value : array_like
            Present value of `wrt`, any shape, ``n`` elements.

        Returns
        -------
        list of Stencil
            The declared one first.
        ndarray of int, shape (n,)
            Indices into the list.

        Raises
        ------
        ValueError
            If an element has no stencil left, or the bounds are not of its size.
        """
        x = np.ravel(np.asarray(value).real).astype(float)
        if self.bounds is None:
            return [self.stencil], np.zeros(x.size, dtype=int)
        lower, upper = self._bounds_of(x.size)
        candidates, found = self._within(x, self.steps(value), lower, upper)
        if (found < 0).any():
            e = int(np.argmin(found))
            raise ValueError(
                f'{self}: no point within the bounds [{lower[e]:g}, {upper[e]:g}] at '
                f'{self.wrt}[{e}] = {x[e]:g}; widen them or choose a smaller step'
            )
        return candidates, found

    def stencils_by_step(
        self, value: ArrayLike, element: int, steps: ArrayLike
    ) -> tuple[list[Stencil], NDArray[np.int64]]:
        """Return the stencils that one element would take with other steps.

        Parameters
        ----------
        value : array_like
            Present value of `wrt`, any shape, ``n`` elements.
        element : int
            Which of them.
        steps : array_like, shape (m,)
            Its steps, in the units of `wrt`.

        Returns
        -------
        list of Stencil
            The declared one first.
        ndarray of int, shape (m,)
            Indices into the list; -1 where no stencil is left.
        """
        x, steps = np.ravel(np.asarray(value).real), np.asarray(steps, dtype=float)
        lower, upper = (bound[element] for bound in self._bounds_of(x.size))
        return self._within(x[element], steps, lower, upper)

    def _bounds_of(self, size: int) -> list[NDArray[np.float64]]:
        bounds = (-inf, inf) if self.bounds is None else self.bounds
        try:
            return [np.broadcast_to(bound, size) for bound in bounds]
        except ValueError:
            raise ValueError(f'{self}: bounds {self.bounds} are not of size {size}') from None

    def _within(self, x, steps, lower, upper):
        """Return the candidates, and for each step the first that keeps to the bounds, or -1."""
        highest = min(cast(int, self.order), 3)
        sides = [stencil(side, o) for o in range(highest, 0, -1) for side in SIDES]
        candidates = [self.stencil, *sides]
        found = np.full(steps.size, -1)
        for k, candidate in enumerate(candidates):
            points = x + np.outer([offset.real for offset in candidate.offsets], steps)
            inside = ((points >= lower) & (points <= upper)).all(axis=0)
            found[(found < 0) & inside] = k
        return candidates, found

    @property
    def is_relative(self) -> bool:
        """Whether the step depends on the value of `wrt`."""
        return self.step_calc != 'abs'

    def steps(self, value: ArrayLike) -> NDArray[np.float64]:
        """Return the step of every element of `wrt`, in its units.

        Parameters
        ----------
        value : array_like
            Present value of `wrt`, any shape, ``n`` elements.

        Returns
        -------
        ndarray, shape (n,)
            Steps.
        """
        steps = cast(float, self.step) * self.scales(value)  # __post_init__ has filled it in
        return np.maximum(steps, cast(float, self.minimum_step)) if self.is_relative else steps

    def scales(self, value: ArrayLike) -> NDArray[np.float64]:
        """Return by what the step is multiplied for every element of `wrt`.

        Parameters
        ----------
        value : array_like
            Present value of `wrt`, any shape, ``n`` elements.

        Returns
        -------
        ndarray, shape (n,)
            In the units of `wrt` for a relative step, 1 for an absolute one.
        """
        magnitude = np.abs(np.asarray(value)).ravel()
        if not self.is_relative:
            return np.ones(magnitude.size)
        if self.step_calc == 'rel_element':
            return magnitude
        if self.step_calc == 'rel_legacy':
            return np.full(magnitude.size, np.linalg.norm(magnitude))
        return np.full(magnitude.size, magnitude.mean() if magnitude.size else 0.0)

    def __str__(self) -> str:
        """Name the partial and how it is approximated, on one line."""
        return self._name

    @cached_property
    def _name(self) -> str:
        how = 'cs' if self.method == 'cs' else f'{self.form} order {self.order}'
        relative = f' ({self.step_calc})' if self.is_relative else ''
        step = 'auto' if self.is_auto else f'{self.step:g}'
        more = ', extrapolated' if self.extrapolate else ''
        return f'd({self.of})/d({self.wrt}) {how}, step {step}{relative}{more}'


def _checked_bounds(bounds: Any) -> tuple[Bound, Bound]:
    """Return bounds that can be compared and hashed."""
    try:
        lower, upper = (
            np.array(side if given is None else given, dtype=float)
            for side, given in zip((-inf, inf), bounds, strict=True)
        )
        ordered = bool(np.all(lower < upper))
    except (TypeError, ValueError):
        ordered = False
    if not ordered:
        raise ValueError(f'bounds {bounds!r} are not (lower, upper) with lower < upper')
    return _hashable(lower), _hashable(upper)


def _hashable(bound: NDArray[np.float64]) -> Bound:
    return tuple(bound.ravel().tolist()) if bound.ndim else float(bound)
