"""What OpenMDAO may do to a declaration: the table of losses, and the line that mends each.

Whoever compares a declaration with what is really done says which option differs, and who decided
it (`COLUMN`, `COLORING`, …). `LOSSES` gives that a name and a mending line. A further kind of loss
is a further row.
"""

from collections.abc import Callable
from typing import NamedTuple

# Who decides, where it is not the declaration itself.
MATRIX_FREE = 'matrix-free'  # nobody: the component computes products, and nothing is approximated
COLUMN = 'column'  # the last declaration of another output by the same input
COLORING = 'coloring'  # one declaration for all columns that are perturbed together
EARLIER = 'earlier'  # an earlier declaration of the same pair, which it does not replace
RESIDUAL = 'residual'  # the name of a residual, under which no options are kept
SIGN = 'sign'  # the minimum step, which is greater than any negative number

ANY = ()

APPROXIMATE = ('fd', 'cs')


class Setting(NamedTuple):
    """How a partial is computed.

    Attributes
    ----------
    method : {'exact', 'fd', 'cs', 'none'}
        ``'none'``: not at all.
    step, minimum_step : float or None
        None where it has no meaning.
    form, step_calc : str or None
        None where it has no meaning.
    """

    method: str
    step: float | None = None
    form: str | None = None
    step_calc: str | None = None
    minimum_step: float | None = None

    @property
    def is_approximate(self):
        """Whether it costs evaluations."""
        return self.method in APPROXIMATE

    @property
    def is_relative(self):
        """Whether the step depends on the value of the input."""
        return self.step_calc not in (None, 'abs')

    def differs(self, other):
        """Return the options in which another setting differs, most important first."""
        if self.method != other.method:
            return ['method' if self.is_approximate else 'value']
        differing = [name for name in self._fields if getattr(self, name) != getattr(other, name)]
        if 'minimum_step' in differing and not (self.is_relative and other.is_relative):
            differing.remove('minimum_step')  # which only a relative step has
        return differing

    def options(self):
        """Return the keyword arguments that state it in ``declare_partials``."""
        given = {name: value for name, value in self._asdict().items() if value is not None}
        if not self.is_relative:
            given.pop('step_calc', None)
        return given

    def __str__(self):
        """Return it on one line, as in ``fd central, step 0.05``."""
        if not self.is_approximate:
            return self.method
        relative = f' ({self.step_calc})' if self.is_relative else ''
        return f'{self.method}{f" {self.form}" if self.form else ""}, step {self.step:g}{relative}'


class Lost(NamedTuple):
    """What a mending line is made of: one pair of a component, and how its class is named.

    Attributes
    ----------
    of, wrt : str
        Output and variable.
    declared : Setting
        As it was declared.
    class_line : str
        How its class would begin as one that holds; empty for a class of an installed package.
    """

    of: str
    wrt: str
    declared: Setting
    class_line: str


def hold(lost: Lost) -> str:
    """Hold the declarations: by the mixin, or from outside where the class is not the user's."""
    return lost.class_line or 'hold_declarations(problem)  # before problem.setup()'


def restate(lost: Lost) -> str:
    """State every option, so that none is taken from an earlier declaration."""
    options = ', '.join(f'{name}={value!r}' for name, value in lost.declared.options().items())
    return f'self.declare_partials({lost.of!r}, {lost.wrt!r}, {options})'


def let_it_be_approximated(lost: Lost) -> str:
    """Let the component be no matrix-free one."""
    return 'self.matrix_free = False  # in setup()'


class Loss(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    kind : str
        Its name; ``{option}`` is what differs, ``{declared}`` and ``{actual}`` are methods.
    decided_by : str
        Who decides in place of the declaration.
    options : tuple of str
        The options that it is about; `ANY`: however many differ, it is one loss.
    mend : callable
        Makes the mending line of a `Lost`.
    """

    kind: str
    decided_by: str
    options: tuple[str, ...]
    mend: Callable[[Lost], str]


OPTIONS = ('step', 'form', 'step_calc', 'minimum_step')

LOSSES = (
    Loss('matrix-free ignored', MATRIX_FREE, ANY, let_it_be_approximated),
    Loss('one step for a whole coloring', COLORING, ANY, hold),
    Loss('exact value overwritten', COLUMN, ('value',), hold),
    Loss('{declared} turned to {actual}', COLUMN, ('method',), hold),
    Loss('{option} dropped', COLUMN, OPTIONS, hold),
    Loss('exact stays {actual}', EARLIER, ('value',), hold),
    Loss('{declared} turned to {actual}', EARLIER, ('method',), hold),
    Loss('{option} inherited', EARLIER, OPTIONS, restate),
    Loss('{option} dropped', RESIDUAL, OPTIONS, hold),
    Loss('negative step vanishes', SIGN, ANY, restate),
)


def kinds_lost(decided_by, declared: Setting, actual: Setting, differing):
    """Yield the name and the row of every loss of one pair.

    Parameters
    ----------
    decided_by : str
        Who decides.
    declared, actual : Setting
        As declared, and as it is really done.
    differing : list of str
        The options that differ.
    """
    for loss in LOSSES:
        if loss.decided_by != decided_by:
            continue
        options = differing[:1] if loss.options == ANY else differing
        for option in options:
            if loss.options == ANY or option in loss.options:
                names = {'declared': declared.method, 'actual': actual.method, 'option': option}
                yield loss.kind.format(**names), loss
