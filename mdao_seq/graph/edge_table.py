"""Edges from a table in a text file."""

import csv
import re
from collections.abc import Iterator
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
    as_text: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]:
    """Return the columns of a table: ends, and weights if asked for; see `Graph.from_csv`.

    Ends are integers where all are, unless they are to be taken as the text that they are.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f'delimiter = {delimiter!r}: must be one character, or None for blanks')
    table = _Table(path, delimiter)
    source, target, weight = columns
    first, second, *third = table.places([c for c in (source, target, weight) if c is not None])
    if as_text:
        ends = np.char.strip(table.read([first, second], str))
    else:
        try:
            ends = table.read([first, second], np.int64)
        except InputError:
            ends = np.char.strip(table.read([first, second], str))
            _check_first_line(path, ends)
    weights = table.read(third, float)[:, 0] if third else None
    return ends[:, 0], ends[:, 1], weights


def _check_first_line(path: str | PathLike[str], ends: NDArray[Any]) -> None:
    """Refuse names of columns as an edge: all but the first line are numbers."""
    if len(ends) > 1:
        try:
            ends[1:].astype(np.int64)
        except ValueError:
            return
        first = ' '.join(map(repr, ends[0].tolist()))
        raise InputError(
            f'{path}: the first line has {first}, and all others have integers; if these are '
            'names of columns, pass them as source and target'
        )


class _Table:
    """Lines that are neither blank nor begin with ``#``; the first may have names of columns."""

    def __init__(self, path: str | PathLike[str], delimiter: str | None):
        self._path, self._delimiter = path, delimiter
        self._has_names = False
        self._line = 0

    def _lines(self) -> Iterator[str]:
        # The byte order mark that spreadsheets write is no part of the first name.
        with DataSource(None).open(str(self._path), 'rt', encoding='utf-8-sig') as file:
            is_before = self._has_names
            for self._line, line in enumerate(file, 1):
                if line.strip() and line[0] != '#':
                    if not is_before:
                        yield line
                    is_before = False

    def places(self, wanted: list[Column]) -> list[int]:
        """Return the numbers of columns, by name or number."""
        named = [column for column in wanted if isinstance(column, str)]
        if not named:
            return [int(column) for column in wanted]
        line = next(self._decoded(), '')
        self._has_names = bool(line)
        if line and next(self._decoded(), None) is None:
            raise InputError(f'{self._path}: there are no edges below its first line')
        fields = (
            line.split()
            if self._delimiter is None
            else next(csv.reader([line], delimiter=self._delimiter, skipinitialspace=True), [])
        )
        names = [name.strip().strip('"') for name in fields]
        for column in named:
            if column not in names:
                raise InputError(
                    f'{self._path}: there is no column {column!r} in its first line, which has '
                    f'{names}; name columns by number if the table has no line of names'
                )
        return [names.index(c) if isinstance(c, str) else int(c) for c in wanted]

    def read(self, places: list[int], dtype: type) -> NDArray[Any]:
        """Return columns, (lines, columns)."""
        try:
            return np.loadtxt(
                self._decoded(),
                dtype=dtype,
                comments=None,
                delimiter=self._delimiter,
                usecols=places,
                quotechar='"',
                ndmin=2,
            )
        except ValueError as error:
            # NumPy counts the lines that it was given; here all count.
            reason = re.sub(r' at row \d+(, column \d+\.?)?', '', str(error))
            raise InputError(f'{self._path}, line {self._line}: {reason}') from None

    def _decoded(self) -> Iterator[str]:
        try:
            yield from self._lines()
        except UnicodeDecodeError as error:
            raise InputError(f'{self._path}, after line {self._line}: not UTF-8: {error}') from None
