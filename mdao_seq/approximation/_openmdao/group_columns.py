"""The columns of a group's Jacobian, of which OpenMDAO takes whole ones only."""

from typing import NamedTuple

import numpy as np


class Kept:
    """What a group keeps from one linearization to the next; not in copies.

    Attributes
    ----------
    scatter : ApproximationScheme or None
        Takes outputs to a column of totals.
    column : ndarray or None
        Where it puts them.
    jacobian : ndarray or None
        The Jacobian by columns, shape (columns, rows): all methods write into it.
    """

    def __init__(self):
        self.scatter = self.column = self.jacobian = None

    def __reduce__(self):
        """Copy as one that has nothing."""
        return Kept, ()


class Columns:
    """The columns of a group's Jacobian: OpenMDAO takes only whole ones."""

    def __init__(self, frame, system, jac):
        self._frame, self._system, self._jac = frame, system, jac
        self._rows, self._places = frame.rows(), frame._columns()
        kept = system._held_kept
        shape = tuple(
            max((place[2] for place in places), default=0)
            for places in (system._get_jac_wrts(), system._get_jac_ofs())
        )
        if kept.jacobian is None or kept.jacobian.shape != shape:
            kept.jacobian = np.zeros(shape)
        self._by_column = kept.jacobian

    def is_of(self, jac):
        """Whether these are still the columns of a Jacobian."""
        return self._jac is jac and self._by_column is self._system._held_kept.jacobian

    def __getitem__(self, of_wrt):
        """Return an object with ``set_col(column, values)``."""
        of, wrt = of_wrt
        _, start, end, *_ = self._places[wrt]
        return _Rows(self._by_column[start:end, self._rows[of]])

    def finish(self):
        """Let the Jacobian take the columns."""
        for number, column in enumerate(self._by_column):
            self._jac.set_col(self._system, number, column)


class _Rows(NamedTuple):
    """The rows of one response in the columns of one variable."""

    by_column: np.ndarray

    def set_col(self, column, values):
        """Write one column."""
        self.by_column[column] = values
