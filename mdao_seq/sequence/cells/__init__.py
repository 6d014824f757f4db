"""Recurrent cells, one a file; a new cell is a file and a line here."""

from mdao_seq.sequence.cells.cell import Cell
from mdao_seq.sequence.cells.elman import Elman
from mdao_seq.sequence.cells.gru import GRU
from mdao_seq.sequence.cells.lstm import LSTM

CELLS: dict[str, type[Cell]] = {cell.name: cell for cell in (Elman, GRU, LSTM)}


def make_cell(name: str, nonlinearity: str = 'tanh') -> Cell:
    """Return the cell of this name.

    Parameters
    ----------
    name : str
        A key of `CELLS`.
    nonlinearity : str
        One of the cell's `nonlinearities`.

    Returns
    -------
    Cell
        A new instance.

    Raises
    ------
    ValueError
        For a cell or a nonlinearity that is not offered.
    """
    if name not in CELLS:
        raise ValueError(f'cell {name!r} is not one of {", ".join(map(repr, CELLS))}')
    offered = CELLS[name].nonlinearities
    if nonlinearity not in offered:
        raise ValueError(
            f'nonlinearity {nonlinearity!r} of cell {name!r} is not one of '
            f'{", ".join(map(repr, offered))}'
        )
    return CELLS[name](nonlinearity)
