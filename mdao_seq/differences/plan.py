"""The evaluation plan: every distinct point that a set of declarations needs, once.

For each element of each input the declarations ask for points; two points are one when their
offsets agree to 1e-12 of the step. The first declaration that asks for a point owns it, the others
share it, so that owned points sum to the total. The plan is executed, printed and compared with
what was measured: there is no second way to count.

A plan holds `Block` objects: the elements of one input that have the same points. An absolute step
gives one block an input; ``rel_element`` gives one for each distinct magnitude.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq._text_table import text_table
from mdao_seq.differences.declaration import Declaration

SAME_POINT = 1e-12


@dataclass(frozen=True)
class Point:
    """A perturbation of one element of an input.

    Attributes
    ----------
    offset : complex
        What is added, in the units of the input; purely imaginary for complex step.
    owner : Declaration
        The first declaration that asks for the point; it pays for it.
    users : tuple of Declaration
        Every declaration that uses the point, the owner first.
    """

    offset: complex
    owner: Declaration
    users: tuple[Declaration, ...]

    @property
    def method(self) -> str:
        """``'cs'`` for an imaginary perturbation, ``'fd'`` for a real one."""
        return 'cs' if self.offset.imag else 'fd'


class Use(NamedTuple):
    """How one declaration combines the points of its block.

    The derivative is ``base_weight * f(x) + sum(weights[k] * f(x + points[k].offset))``, of the
    imaginary parts for complex step; the weights are already divided by the step.
    """

    declaration: Declaration
    points: tuple[int, ...]
    weights: tuple[float, ...]
    base_weight: float


@dataclass(frozen=True)
class Block:
    """Elements of one input that are perturbed by the same points.

    Attributes
    ----------
    wrt : str
        The input.
    elements : ndarray of int, shape (m,)
        Flat indices into it.
    points : tuple of Point
        Distinct points, evaluated for each element in turn.
    uses : tuple of Use
        What each declaration makes of them.
    """

    wrt: str
    elements: NDArray[np.int64]
    points: tuple[Point, ...]
    uses: tuple[Use, ...]

    @property
    def evaluations(self) -> int:
        """How many evaluations the block costs."""
        return len(self.elements) * len(self.points)


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


@dataclass(frozen=True)
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
    """

    declarations: tuple[Declaration, ...]
    blocks: tuple[Block, ...]
    name: str = ''

    @cached_property
    def total(self) -> int:
        """Evaluations per linearization."""
        return sum(block.evaluations for block in self.blocks)

    @cached_property
    def by_declaration(self) -> dict[Declaration, Cost]:
        """Owned and shared evaluations of each declaration; the owned ones sum to `total`."""
        owned = dict.fromkeys(self.declarations, 0)
        used = dict.fromkeys(self.declarations, 0)
        for block in self.blocks:
            for point in block.points:
                owned[point.owner] += len(block.elements)
                for user in point.users:
                    used[user] += len(block.elements)
        return {d: Cost(owned[d], used[d] - owned[d]) for d in self.declarations}

    def __str__(self) -> str:
        """Return a table of declarations and what each costs."""
        header = ('of', 'wrt', 'form', 'order', 'step', 'step_calc', 'own', 'shared')
        rows = [
            (d.of, d.wrt, d.form or 'cs', d.order, d.step, d.step_calc, cost.owned, cost.shared)
            for d, cost in self.by_declaration.items()
        ]
        title = f'{self.name}: ' if self.name else ''
        plural = '' if self.total == 1 else 's'
        return f'{title}{self.total} evaluation{plural} per linearization\n' + text_table(
            header, rows
        )


def build_plan(
    declarations: Sequence[Declaration], values: Mapping[str, ArrayLike], name: str = ''
) -> EvaluationPlan:
    """Find the distinct evaluations that the declarations need.

    Parameters
    ----------
    declarations : sequence of Declaration
        Each (of, wrt) at most once; the order decides who owns a shared point.
    values : mapping of str to array_like
        Present value of each input that is differentiated by; its size gives the number of
        columns, its magnitude the relative steps.
    name : str
        Path of the component, for the table.

    Returns
    -------
    EvaluationPlan
        The plan.
    """
    by_input: dict[str, list[Declaration]] = {}
    for declaration in declarations:
        by_input.setdefault(declaration.wrt, []).append(declaration)
    blocks = [
        block for wrt, group in by_input.items() for block in _blocks_of(wrt, group, values[wrt])
    ]
    return EvaluationPlan(tuple(declarations), tuple(blocks), name)


def _blocks_of(wrt: str, declarations: list[Declaration], value: ArrayLike) -> list[Block]:
    steps = np.array([d.steps(value) for d in declarations])
    _, first, member = np.unique(steps, axis=1, return_index=True, return_inverse=True)
    member = member.ravel()
    blocks = []
    # In the order of the elements, so that evaluations run through the input as OpenMDAO's do.
    for block in np.argsort(first):
        points, uses = _distinct_points(declarations, steps[:, first[block]])
        blocks.append(Block(wrt, np.flatnonzero(member == block), points, uses))
    return blocks


def _distinct_points(
    declarations: list[Declaration], steps: NDArray[np.float64]
) -> tuple[tuple[Point, ...], tuple[Use, ...]]:
    offsets: list[complex] = []
    users: list[list[Declaration]] = []
    uses = []
    for declaration, step in zip(declarations, steps, strict=True):
        stencil = declaration.stencil
        used = []
        for offset in stencil.offsets:
            place = _find(offset * step, offsets)
            if place is None:
                place = len(offsets)
                offsets.append(offset * step)
                users.append([])
            users[place].append(declaration)
            used.append(place)
        weights = tuple(weight / step for weight in stencil.weights)
        uses.append(Use(declaration, tuple(used), weights, stencil.base_weight / step))
    points = tuple(
        Point(offset, who[0], tuple(who)) for offset, who in zip(offsets, users, strict=True)
    )
    return points, tuple(uses)


def _find(offset: complex, offsets: list[complex]) -> int | None:
    for place, other in enumerate(offsets):
        if abs(offset - other) <= SAME_POINT * abs(offset):
            return place
    return None
