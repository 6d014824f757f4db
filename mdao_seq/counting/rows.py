"""What counts are kept by: component, method, cause and declaration."""

from typing import NamedTuple

from mdao_seq.approximation._openmdao.names import DERIVES, EVALUATES, EVALUATES_WHOLE

CAUSES = ('run', 'linesearch', 'fd', 'cs', 'totals', 'coloring', 'check', 'tune')

METHODS = (*EVALUATES, EVALUATES_WHOLE, *DERIVES)


class Key(NamedTuple):
    """What one row of the counts is about.

    Attributes
    ----------
    path : str
        Path of the component, or of a group whose totals are declared (empty for the model).
    method : str
        Which method was called: ``compute``, ``compute_batch``, ``apply_nonlinear`` or
        ``solve_nonlinear``; of a group, ``run_solve_nonlinear``; or one of `DERIVES`, which makes
        no evaluation.
    cause : str
        Why, one of `CAUSES`: a run of the model, a line search in it, an approximation of this
        component (``fd``, ``cs``) or of a group above it (``totals``), the search for a coloring's
        sparsity, a derivative check, or `tune_steps`.
    declaration : str
        The declaration that owns the evaluation; ``'d(*)/d(*)'`` for a component's own
        approximation by OpenMDAO; empty where no declaration of the component asked.
    """

    path: str
    method: str
    cause: str
    declaration: str


class Counted:
    """What the calls of one key have cost.

    Attributes
    ----------
    evaluations : int
        Points at which something was evaluated.
    calls : int
        Calls of the method: fewer where it takes batches of points.
    seconds : float
        Time spent in them, s.
    """

    __slots__ = ('calls', 'evaluations', 'seconds')

    def __init__(self):
        self.evaluations = self.calls = 0
        self.seconds = 0.0


class Row(NamedTuple):
    """A row of the table: what a `Key` cost."""

    path: str
    method: str
    cause: str
    declaration: str
    calls: int
    evaluations: int
    predicted: int | None
    seconds: float
