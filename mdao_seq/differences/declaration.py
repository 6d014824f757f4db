"""What a user declares for one (of, wrt): method, form, order, step and how the step is scaled."""

from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.differences.stencils import COMPLEX_STEP, Stencil, stencil

STEP_CALCS = ('abs', 'rel', 'rel_legacy', 'rel_avg', 'rel_element')
DEFAULT_STEP = {'fd': 1e-6, 'cs': 1e-40}


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
        for name in ('step', 'minimum_step'):
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.size == 1:
                value = value.item()
            if not (isinstance(value, Real) and 0 < float(value) < inf):
                raise ValueError(f'{name} {value!r} is not a positive finite number')
            fill(self, name, float(value))

    def _refuse_fd_options(self) -> None:
        for name in ('form', 'order', 'step_calc', 'minimum_step'):
            if getattr(self, name) is not None:
                raise ValueError(f'{name} {getattr(self, name)!r} has no meaning for complex step')

    @property
    def stencil(self) -> Stencil:
        """The points and weights that this declaration asks for."""
        return COMPLEX_STEP if self.method == 'cs' else stencil(self.form, self.order)

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
        how = 'cs' if self.method == 'cs' else f'{self.form} order {self.order}'
        relative = f' ({self.step_calc})' if self.is_relative else ''
        step = 'auto' if self.is_auto else f'{self.step:g}'
        return f'd({self.of})/d({self.wrt}) {how}, step {step}{relative}'
