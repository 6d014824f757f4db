"""From declarations to an evaluation plan: which points are one, and who owns them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mdao_seq.differences.declaration import Declaration
from mdao_seq.differences.plan import Block, EvaluationPlan, Part, Point, Use
from mdao_seq.differences.stencils import Stencil, weights_at

SAME_POINT = 1e-12

Key = tuple[str, int]  # a method, and the number of a distinct offset
Column = tuple[str, int]  # an input and a flat index into it


def build_plan(
    declarations: Sequence[Declaration],
    values: Mapping[str, ArrayLike],
    name: str = '',
    colors: Sequence[Sequence[Column]] = (),
    known: Sequence[Column] = (),
    bound: str = '',
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
    colors : sequence of sequences of (str, int)
        Columns (input, element) that share no rows and are perturbed at once.
    known : sequence of (str, int)
        Columns that a coloring knows. One that has no color changes no row: it is not perturbed.
        Every other column is perturbed alone.
    bound : str
        Why the evaluations may turn out to be fewer, for the table.

    Returns
    -------
    EvaluationPlan
        The plan.
    """
    by_input: dict[str, list[Declaration]] = {}
    for declaration in declarations:
        by_input.setdefault(declaration.wrt, []).append(declaration)
    steps = {
        wrt: np.array([d.steps(values[wrt]) for d in group]) for wrt, group in by_input.items()
    }
    stencils = {wrt: [d.stencils(values[wrt]) for d in group] for wrt, group in by_input.items()}
    colored: dict[str, NDArray[np.bool_]] = {
        wrt: np.zeros(of_input.shape[1], dtype=bool) for wrt, of_input in steps.items()
    }
    for wrt, element in known:
        if wrt in colored:
            colored[wrt][element] = True
    blocks = []
    for color in colors:
        of_input: dict[str, list[int]] = {}
        for wrt, element in color:
            if wrt in by_input:
                of_input.setdefault(wrt, []).append(element)
                colored[wrt][element] = True
        kinds = [
            kind
            for wrt, elements in of_input.items()
            for kind in _kinds(by_input[wrt], steps[wrt], stencils[wrt], np.array(elements))
        ]
        if kinds:
            blocks.append(_block(kinds, at_once=True))
    for wrt, group in by_input.items():
        alone = np.flatnonzero(~colored[wrt])
        blocks += [
            _block([kind], at_once=False)
            for kind in _kinds(group, steps[wrt], stencils[wrt], alone)
        ]
    kept = {wrt: np.array(values[wrt]) for wrt in by_input}
    return EvaluationPlan(
        tuple(declarations),
        tuple(blocks),
        name,
        bound,
        _planned_anew=partial(
            build_plan, values=kept, name=name, colors=colors, known=known, bound=bound
        ),
    )


class _Kind(NamedTuple):
    """Elements of one input whose declarations have the same steps."""

    declarations: list[Declaration]
    stencils: list[Stencil]
    steps: NDArray[np.float64]
    elements: NDArray[np.int64]


def _kinds(
    declarations: list[Declaration],
    steps: NDArray[np.float64],
    stencils: list[tuple[list[Stencil], NDArray[np.int64]]],
    elements: NDArray[np.int64],
) -> list[_Kind]:
    chosen = np.array([choice for _, choice in stencils])
    asked = np.vstack([steps, chosen])[:, elements]
    _, first, member = np.unique(asked, axis=1, return_index=True, return_inverse=True)
    member = member.ravel()
    # In the order of the elements, so that evaluations run through the input as OpenMDAO's do.
    return [
        _Kind(
            declarations,
            [each[k] for (each, _), k in zip(stencils, chosen[:, element], strict=True)],
            steps[:, element],
            elements[member == kind],
        )
        for kind, element in sorted(enumerate(elements[first]), key=lambda pair: first[pair[0]])
    ]


def _block(kinds: list[_Kind], at_once: bool) -> Block:
    """Let the k-th evaluation of a method serve the k-th distinct offset of every kind."""
    offsets: dict[Key, dict[int, complex]] = {}
    # By identity: there may be very many, and comparing declarations takes long.
    users: dict[Key, dict[int, Declaration]] = {}
    uses = []
    for part, kind in enumerate(kinds):
        found: dict[str, list[complex]] = {'fd': [], 'cs': []}
        uses_of_part = []
        for declaration, stencil, step in zip(
            kind.declarations, kind.stencils, kind.steps, strict=True
        ):
            method = declaration.method
            asked = []
            for offset in stencil.offsets:
                key = method, _place(offset * step, found[method])
                offsets.setdefault(key, {})[part] = offset * step
                users.setdefault(key, {})[id(declaration)] = declaration
                asked.append(key)
            uses_of_part.append((declaration, asked, stencil, step))
        uses.append(uses_of_part)
    more = _extrapolated(offsets, users, uses)
    place = {key: k for k, key in enumerate(offsets)}
    points = tuple(
        Point(tuple(of_key.items()), *_owner_and_users(users[key]))
        for key, of_key in offsets.items()
    )
    parts = tuple(
        Part(
            kind.declarations[0].wrt,
            kind.elements,
            tuple(
                Use(declaration, tuple(place[key] for key in asked), *weights)
                for declaration, asked, weights in (
                    more.get((part, each[0])) or _as_declared(*each) for each in uses_of_part
                )
            ),
        )
        for part, (kind, uses_of_part) in enumerate(zip(kinds, uses, strict=True))
    )
    return Block(parts, points, at_once)


def _owner_and_users(users: dict[int, Declaration]) -> tuple[Declaration, tuple[Declaration, ...]]:
    every = tuple(users.values())
    return every[0], every


def _as_declared(
    declaration: Declaration, asked: list[Key], stencil: Stencil, step: float
) -> tuple[Declaration, list[Key], tuple]:
    weights = tuple(weight / step for weight in stencil.weights)
    return declaration, asked, (weights, stencil.base_weight / step)


def _extrapolated(
    offsets: dict[Key, dict[int, complex]],
    users: dict[Key, dict[int, Declaration]],
    uses: list[list[tuple[Declaration, list[Key], Stencil, float]]],
) -> dict[tuple[int, Declaration], tuple[Declaration, list[Key], tuple]]:
    """Let declarations that extrapolate use every point of their part that lies no nearer.

    The weights are those of the highest order that the points allow, which is Richardson's
    extrapolation for whatever ratios the steps have. Nearer points are left alone: they would
    bring more noise than they take truncation away.
    """
    found = {}
    for part, uses_of_part in enumerate(uses):
        for declaration, asked, _, _ in uses_of_part:
            if not declaration.extrapolate:
                continue
            at = {
                key: of_key[part].real
                for key, of_key in offsets.items()
                if key[0] == 'fd' and part in of_key
            }
            least = min(abs(at[key]) for key in asked) * (1.0 - SAME_POINT)
            used = [key for key in at if abs(at[key]) >= least]
            if len(used) == len(asked):
                continue
            farthest = max(abs(at[key]) for key in used) * (1.0 - SAME_POINT)
            fewer = [key for key in used if abs(at[key]) < farthest]
            fewer = fewer if len(fewer) >= len(asked) else asked
            weights, base_weight = weights_at([at[key] for key in used])
            below, base_below = weights_at([at[key] for key in fewer])
            kept = dict(zip(fewer, below, strict=True))
            estimate = tuple(w - kept.get(key, 0.0) for key, w in zip(used, weights, strict=True))
            for key in used:
                users[key][id(declaration)] = declaration
            combined = tuple(weights), base_weight, (estimate, base_weight - base_below)
            found[part, declaration] = declaration, used, combined
    return found


def _place(offset: complex, offsets: list[complex]) -> int:
    """Return where an offset stands in the list; append it if it is new."""
    for place, other in enumerate(offsets):
        if abs(offset - other) <= SAME_POINT * abs(offset):
            return place
    offsets.append(offset)
    return len(offsets) - 1
