"""Who asked for the evaluation that is running: set by `approximation`, read by `counting`.

Nothing else passes between the two.
"""

from contextvars import ContextVar
from typing import NamedTuple

from mdao_seq.differences.plan import Point


class Asked(NamedTuple):
    """The evaluation that a held declaration is paying for.

    Attributes
    ----------
    system : Component or Group
        Whose evaluation it is.
    points : tuple of Point
        The perturbation, or those of a batch; each knows its owner, its users and its method.
    cause : str
        ``'tune'`` while steps are tuned, which is beside the plan; empty for the plan's points.
    seconds : float or None
        How long it took, s, where it was made in another process.
    """

    system: object
    points: tuple[Point, ...]
    cause: str = ''
    seconds: float | None = None


ASKED: ContextVar[Asked | None] = ContextVar('mdao_seq_asked', default=None)
