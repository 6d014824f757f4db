"""Plain-text tables: the one way in which this package prints rows and columns."""

from collections.abc import Iterable, Sequence


def text_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return left-aligned columns, two spaces apart; numbers are aligned right.

    Parameters
    ----------
    header : sequence of str
        Column titles.
    rows : iterable of sequences
        Cells; None is left blank, a float is given four significant digits.

    Returns
    -------
    str
        The table, without a final newline.
    """
    rows = [list(row) for row in rows]
    texts = [[_text(cell) for cell in row] for row in rows]
    columns = list(zip(header, *texts, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [
        any(isinstance(row[k], int | float) for row in rows)
        and not any(isinstance(row[k], str) for row in rows)
        for k in range(len(header))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        return '  '.join(padded).rstrip()

    return '\n'.join([line(header), *map(line, texts)])


def _text(cell: object) -> str:
    if cell is None:
        return ''
    return f'{cell:.4g}' if isinstance(cell, float) else str(cell)
