"""The evaluation plan: every distinct point that a set of declarations needs, once.

For each element of each input the declarations ask for points; two points are one when their
offsets agree to 1e-12 of the step. The first declaration that asks for a point owns it, the others
share it, so that owned points sum to the total. The plan is executed, printed and compared with
what was measured: there is no second way to count. `planning.build_plan` makes it.

Elements of one input that have the same offsets form a `Part`. A `Block` perturbs either the
elements of one part one after another, or, where a coloring has found that they share no rows, all
elements of several parts at once: each by its own k-th offset in the k-th evaluation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdao_seq._text_table import text_table
from mdao_seq.differences.declaration import Declaration


class Use(NamedTuple):
    """How one declaration combines the evaluations of its block.

    The derivative is ``base_weight * f(x) + sum(weights[k] * f(points[k]))``, of the imaginary
    parts for complex step; the weights are already divided by the step. For an extrapolated one,
    the same sum with the weights of `estimate` is what it differs by from the extrapolation without
    the farthest points: an estimate of its error.
    """

    declaration: Declaration
    points: tuple[int, ...]
    weights: tuple[float, ...]
    base_weight: float
    estimate: tuple[tuple[float, ...], float] | None = None


@dataclass(frozen=True)
class Part:
    """Elements of one input that have the same offsets.

    Attributes
    ----------
    wrt : str
        The input.
    elements : ndarray of int, shape (m,)
        Flat indices into it.
    uses : tuple of Use
        What each declaration makes of the evaluations.
    """

    wrt: str
    elements: NDArray[np.int64]
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Point:
    """One evaluation.

    Attributes
    ----------
    offsets : tuple of (int, complex)
        What is added to which part's elements, in the units of its input; purely imaginary for
        complex step.
    owner : Declaration
        The first declaration that asks for the point; it pays for it.
    users : tuple of Declaration
        Every declaration that uses the point, the owner first.
    """

    offsets: tuple[tuple[int, complex], ...]
    owner: Declaration
    users: tuple[Declaration, ...]

    @property
    def method(self) -> str:
        """``'cs'`` for an imaginary perturbation, ``'fd'`` for a real one."""
        return self.owner.method


@dataclass(frozen=True)
class Block:
    """Elements that are perturbed by the same points, one after another or all at once.

    Attributes
    ----------
    parts : tuple of Part
        One part, or the parts of a color.
    points : tuple of Point
        Distinct points, evaluated for each lane in turn.
    at_once : bool
        True: the elements of all parts make one lane. False: each element is a lane.
    """

    parts: tuple[Part, ...]
    points: tuple[Point, ...]
    at_once: bool = False

    @property
    def lanes(self) -> list[tuple[NDArray[np.int64], ...]]:
        """Elements to perturb together, by part, of each lane."""
        if self.at_once:
            return [tuple(part.elements for part in self.parts)]
        return [(element,) for element in self.parts[0].elements[:, None]]

    @property
    def evaluations_of_a_point(self) -> int:
        """How often each point is evaluated."""
        return 1 if self.at_once else len(self.parts[0].elements)


class Cost(NamedTuple):
    """Evaluations per linearization of one declaration.

    Attributes
    ----------
    owned : int
        Points that it asked for first.
    shared : int
        Points that it uses and another declaration owns.
    """

    owned: int
    shared: int


@dataclass(frozen=True, repr=False)
class EvaluationPlan:
    """The distinct evaluations of one linearization.

    Attributes
    ----------
    declarations : tuple of Declaration
        In the order in which they own points.
    blocks : tuple of Block
        What is evaluated, in order.
    name : str
        The component's path, for the table.
    bound : str
        Why the evaluations may turn out to be fewer; empty where they are exact.
    seconds_each : float or None
        What one evaluation takes, s, where it is known.
    instead_of : EvaluationPlan or None
        The plan that this one is an alternative to.
    """

    declarations: tuple[Declaration, ...]
    blocks: tuple[Block, ...]
    name: str = ''
    bound: str = ''
    seconds_each: float | None = None
    instead_of: 'EvaluationPlan | None' = None
    _planned_anew: 'Callable[[Sequence[Declaration]], EvaluationPlan] | None' = None

    @property
    def is_upper_bound(self) -> bool:
        """Whether the evaluations may turn out to be fewer."""
        return bool(self.bound)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether the points are the same at every input."""
        return not any(declaration.moves for declaration in self.declarations)

    @cached_property
    def total(self) -> int:
        """Evaluations per linearization."""
        return sum(len(b.points) * b.evaluations_of_a_point for b in self.blocks)

    @property
    def seconds(self) -> float | None:
        """What a linearization takes, s; None where no evaluation was timed."""
        return None if self.seconds_each is None else self.total * self.seconds_each

    @cached_property
    def methods(self) -> frozenset[str]:
        """Methods that the declarations name."""
        return frozenset(declaration.method for declaration in self.declarations)

    @cached_property
    def by_declaration(self) -> dict[Declaration, Cost]:
        """Owned and shared evaluations of each declaration; the owned ones sum to `total`."""
        owned = dict.fromkeys(self.declarations, 0)
        used = dict.fromkeys(self.declarations, 0)
        for block in self.blocks:
            for point in block.points:
                owned[point.owner] += block.evaluations_of_a_point
                for user in point.users:
                    used[user] += block.evaluations_of_a_point
        return {d: Cost(owned[d], used[d] - owned[d]) for d in self.declarations}

    def evaluations(self, method: str, share: slice = slice(None)) -> dict[Declaration, int]:
        """Return the owned evaluations of one method by declaration, also where there are none.

        Parameters
        ----------
        method : {'fd', 'cs'}
            Which points.
        share : slice
            Of the method's evaluations in the order of the plan: those that one process makes.
        """
        key = method, share.start, share.step
        if key not in self._evaluations:
            asked = [
                point.owner
                for block in self.blocks
                for _ in range(block.evaluations_of_a_point)
                for point in block.points
                if point.method == method
            ]
            of_method = dict.fromkeys((d for d in self.declarations if d.method == method), 0)
            self._evaluations[key] = of_method | Counter(asked[share])
        return self._evaluations[key]

    @cached_property
    def _evaluations(self) -> dict[tuple, dict[Declaration, int]]:
        return {}

    def what_if(
        self, of: str | Iterable[str], wrt: str | Iterable[str], **options: Any
    ) -> 'EvaluationPlan':
        """Return the plan that there would be if something had been declared otherwise.

        Parameters
        ----------
        of, wrt : str or iterable of str
            Names or glob patterns of declarations of this plan.
        **options
            What would be other: ``method``, ``form``, ``order``, ``step`` (in the units of `wrt`,
            or relative to it), ``step_calc``, ``minimum_step``, ``bounds``, ``extrapolate``.
            Another form comes with its lowest order.

        Returns
        -------
        EvaluationPlan
            Its table says what it is instead of; it can be asked again.

        Raises
        ------
        ValueError
            If nothing of these names is in the plan, if no option is given, if one is unknown or
            has no meaning, or if this is no plan of declarations that hold.
        """
        if self._planned_anew is None:
            raise ValueError(
                f'{self.name}: what_if is answered for declarations that hold; OpenMDAO itself '
                'keeps one of each input (see PerOutputFD and hold_declarations)'
            )
        meant = [d for d in self.declarations if _matches(d.of, of) and _matches(d.wrt, wrt)]
        if not meant:
            known = ', '.join(f'd({d.of})/d({d.wrt})' for d in self.declarations) or 'nothing'
            raise ValueError(
                f'{self.name}: d({of})/d({wrt}) is not in this plan, since it is not declared '
                f'or not needed; it has {known}'
            )
        if not options:
            raise ValueError(f'{self.name}: what_if needs any of {sorted(_CHANGEABLE)}')
        unknown = sorted(set(options) - _CHANGEABLE)
        if unknown:
            raise ValueError(f'{self.name}: {unknown[0]!r} is none of {sorted(_CHANGEABLE)}')
        now = [d.changed(**options) if d in meant else d for d in self.declarations]
        before = self.instead_of or self
        return replace(self._planned_anew(now), seconds_each=self.seconds_each, instead_of=before)

    def __repr__(self) -> str:
        """Return the table: what a notebook shows."""
        return str(self)

    def __str__(self) -> str:
        """Return a table of declarations and what each costs."""
        header = ['of', 'wrt', 'form', 'order', 'step', 'step_calc', 'own', 'shared']
        rows = [
            [
                d.of,
                d.wrt,
                d.form or 'cs',
                d.order,
                'auto' if d.is_auto else d.step,
                d.step_calc,
                cost.owned,
                cost.shared,
            ]
            for d, cost in self.by_declaration.items()
        ]
        if self.seconds_each is not None:
            header.append('seconds')
            for row, cost in zip(rows, self.by_declaration.values(), strict=True):
                row.append(cost.owned * self.seconds_each)
        title = f'{self.name}: ' if self.name else ''
        title += self._what_it_costs()
        return f'{title}\n{text_table(header, rows)}' if rows else f'{title}: none is approximated'

    def _what_it_costs(self) -> str:
        said = 'at most ' if self.is_upper_bound else ''
        said += f'{self.total} evaluation{"" if self.total == 1 else "s"} per linearization'
        if self.seconds is not None:
            said += f', {self.seconds:.3g} s'
        if self.instead_of is not None:
            said += f', instead of {self.instead_of.total}'
            if self.instead_of.seconds is not None:
                said += f', {self.instead_of.seconds:.3g} s'
        return said + (f' ({self.bound})' if self.bound else '')


_CHANGEABLE = frozenset(f.name for f in fields(Declaration)) - {'of', 'wrt', 'is_auto'}


def _matches(name: str, patterns: str | Iterable[str]) -> bool:
    patterns = (patterns,) if isinstance(patterns, str) else patterns
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def joined(plans: Sequence[EvaluationPlan], name: str) -> EvaluationPlan:
    """Return the plan of several that are run one after another and share nothing."""
    return EvaluationPlan(
        tuple(dict.fromkeys(d for plan in plans for d in plan.declarations)),
        tuple(block for plan in plans for block in plan.blocks),
        name,
        next((plan.bound for plan in plans if plan.bound), ''),
    )
