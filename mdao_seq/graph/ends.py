"""Ends of edges as node numbers: by label or number, checked."""

from collections.abc import Hashable, Iterable, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdao_seq.graph.errors import InputError

# Beyond so many, node numbers that hardly any edge has are taken for names.
_MANY_NODES = 10**8


def node_numbers(
    source: NDArray[Any],
    target: NDArray[Any],
    n: int | None,
    labels: Iterable[Hashable] | NDArray[Any] | str | None,
) -> tuple[NDArray[Any], NDArray[Any], int, tuple[Hashable, ...] | None]:
    """Return the ends as numbers below n, n, and the labels; see `Graph.from_edges`."""
    as_labels = isinstance(labels, str)
    if as_labels and labels != 'ends':
        raise InputError(f"labels = {labels!r}: must be one for each node, or 'ends'")
    if source.ndim != 1 or source.shape != target.shape:
        raise InputError(
            f'src has shape {source.shape} and dst {target.shape}: both must be (edges,)'
        )
    names = None if as_labels else checked_labels(labels)
    if source.size and (not _are_integers(source, target) or as_labels):
        source, target, names = _numbered(source, target, names)
    n = _node_count(source, target, n, names)
    _check_ends(source, target, n)
    return source, target, n, names


def ends_array(ends: Any) -> NDArray[Any]:
    """Return ends as an array, of objects where NumPy would make something else of labels."""
    if isinstance(ends, Set):
        raise InputError(f'ends are a set, {ends!r:.80}, which has no order: pass a list')
    if hasattr(ends, '__array__'):
        return np.asarray(ends)
    values = list(ends)
    try:
        array = np.asarray(values)
    except ValueError:  # tuples of several lengths
        array = np.empty((0, 0))
    is_text = array.dtype.kind == 'U' and not all(isinstance(value, str) for value in values)
    if array.ndim == 1 and array.dtype.kind != 'O' and not is_text:
        return array
    for value in values:
        if not isinstance(value, Hashable):
            raise InputError(f'an edge has the end {value!r:.80}, which is no label: not hashable')
    return np.fromiter(values, object, len(values))


def _are_integers(source: NDArray[Any], target: NDArray[Any]) -> bool:
    numbers = [ends.dtype.kind in 'iu' for ends in (source, target)]
    if numbers[0] != numbers[1] or source.dtype.kind in 'fcb' or target.dtype.kind in 'fcb':
        raise InputError(
            f'src is {source.dtype} and dst {target.dtype}: both must be integers (node numbers) '
            'or both labels'
        )
    return numbers[0]


def checked_labels(
    labels: Iterable[Hashable] | NDArray[Any] | None,
) -> tuple[Hashable, ...] | None:
    """Return labels as a tuple; an error says which of them occurs twice."""
    if labels is None:
        return None
    # tolist gives Python's own strings and numbers, which read well in messages.
    names = tuple(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            raise InputError(f'the label {name!r} is given to two nodes')
        seen.add(name)
    return names


def _numbered(
    source: NDArray[Any], target: NDArray[Any], names: tuple[Hashable, ...] | None
) -> tuple[NDArray[Any], NDArray[Any], tuple[Hashable, ...]]:
    """Return the ends of the edges as numbers, and the labels of the nodes."""
    ends = np.stack([source, target], axis=1).ravel().tolist()
    if names is None:
        names = tuple(dict.fromkeys(ends))
        for name in names:
            if name is None or name != name or name == '':
                raise InputError(
                    f'an edge has the end {name!r}, which is no label: is a field empty?'
                )
    number_of = {name: i for i, name in enumerate(names)}
    try:
        numbers = np.array([number_of[end] for end in ends]).reshape(-1, 2)
    except KeyError as error:
        edge = next(i for i, end in enumerate(ends) if end not in number_of) // 2
        raise InputError(
            f'unknown node {error.args[0]!r} in edge {edge} '
            f'({ends[2 * edge]!r} -> {ends[2 * edge + 1]!r}): it is not among the labels'
        ) from None
    return numbers[:, 0], numbers[:, 1], names


def _node_count(
    source: NDArray[Any], target: NDArray[Any], n: int | None, names: tuple[Hashable, ...] | None
) -> int:
    if names is not None:
        if n not in (None, len(names)):
            raise InputError(
                f'{len(names)} labels for n={n} nodes: with nodes without edges, pass labels'
            )
        n = len(names)
    elif n is None:
        n = int(max(source.max(), target.max())) + 1 if source.size else 0
        if n > max(_MANY_NODES, 1000 * source.size):
            raise InputError(
                f'node number {n - 1} with {source.size} edges: a graph of {n} nodes? If these '
                "are names, pass labels='ends'; else n"
            )
    if n < 1:
        raise InputError(f'a graph of n={n} nodes: at least one is needed')
    return n


def _check_ends(source: NDArray[Any], target: NDArray[Any], n: int) -> None:
    for name, ends in (('src', source), ('dst', target)):
        if ends.size and (ends.min() < 0 or ends.max() >= n):
            e = int(np.argmax((ends < 0) | (ends >= n)))
            raise InputError(
                f'{name}[{e}] = {ends[e]} (edge {source[e]} -> {target[e]}) points outside the '
                f'graph: its nodes are 0 to {n - 1} (integers are node numbers; to use them as '
                "labels, pass labels='ends')"
            )
