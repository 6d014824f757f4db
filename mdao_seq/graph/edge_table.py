"""Edges from a table in a text file."""

from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
from numpy.lib.npyio import DataSource
from numpy.typing import NDArray

from mdao_seq.graph.errors import InputError

Column = str | int


def read_edges(
    path: str | PathLike[str],
    columns: tuple[Column, Column, Column | None],
    delimiter: str | None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
    """Return the columns of a table: ends, and weights if asked for; see `Graph.from_csv`."""
    source, target, weight = columns
    wanted = [source, target] if weight is None else [source, target, weight]
    with DataSource(None).open(str(path), 'rt', encoding='utf-8') as lines:
        skipped, places = _places(path, lines, wanted, delimiter)

    def column(numbers: list[int], dtype: type) -> NDArray[Any]:
        return np.loadtxt(
            path,
            dtype=dtype,
            delimiter=delimiter,
            skiprows=skipped,
            usecols=numbers,
            quotechar='"',
            ndmin=2,
            encoding='utf-8',
        )

    try:
        try:
            ends = column(places[:2], np.int64)
        except ValueError:
            ends = np.char.strip(column(places[:2], str))
        weights = None if weight is None else column(places[2:], float)[:, 0]
    except ValueError as error:
        raise InputError(f'{path}: {error}') from None
    return ends[:, 0], ends[:, 1], weights


def _places(
    path: str | PathLike[str], lines: Any, wanted: list[Column], delimiter: str | None
) -> tuple[int, list[int]]:
    """Return how many lines come before the table, and the numbers of the columns."""
    named = [column for column in wanted if isinstance(column, str)]
    if not named:
        return 0, [int(column) for column in wanted]
    before, line = next(
        ((i, line) for i, line in enumerate(islice(lines, 1000)) if line[:1] not in ('#', '\n')),
        (0, ''),
    )
    names = [name.strip().strip('"') for name in line.split(delimiter)]
    for column in named:
        if column not in names:
            raise InputError(
                f'{path}: there is no column {column!r} in its first line, which has {names}; name '
                'columns by number if the table has no line of names'
            )
    return before + 1, [names.index(c) if isinstance(c, str) else int(c) for c in wanted]
