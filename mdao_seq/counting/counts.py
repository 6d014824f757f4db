"""What was counted: evaluations and seconds by component, cause and declaration.

`CallCounts` is filled by `counting.counter`, kept in a file by `counting.file`, and compared with
the evaluation plans by `CallCounts.verify`.
"""

import csv
from fnmatch import fnmatchcase

from mdao_seq._files import replacing
from mdao_seq._text_table import text_table
from mdao_seq.approximation._openmdao.names import DERIVES, EVALUATES, EVALUATES_WHOLE
from mdao_seq.counting.history import History
from mdao_seq.counting.rows import CAUSES, METHODS, Counted, Row

MODEL = '(model)'  # shown for the empty path

NOTHING_YET = (
    'no component is counted yet: run the problem first; a recorder counts once the problem, '
    'driver or system that it was added to is set up'
)


class CallCountMismatch(RuntimeError):
    """Measured evaluations differ from plan x linearizations; the message holds the table."""


class CallCounts:
    """Evaluations by component, cause and declaration, beside what the plans predict.

    Attributes
    ----------
    components : set of str
        Paths of every component that is watched, also those never evaluated; and of groups whose
        totals are declared.
    counted : dict of Key to Counted
        What each key has cost.
    predicted : dict of (str, str) to int
        Predicted evaluations by (path, declaration), summed over linearizations.
    linearizations : dict of str to int
        Linearizations by path, of components that have approximations.
    history : History
        What each iteration of the driver has evaluated.
    """

    def __init__(self):
        self.components = set()
        self.counted = {}
        self.predicted = {}
        self.linearizations = {}
        self.history = History()

    def add(self, key, evaluations=1, seconds=0.0, calls=1):
        """Add evaluations, the time that they took (s) and the calls that made them."""
        counted = self.counted.get(key)
        if counted is None:
            counted = self.counted[key] = Counted()
        counted.evaluations += evaluations
        counted.calls += calls
        counted.seconds += seconds

    def expect(self, path, evaluations, linearizations=1):
        """Add a linearization of a component, and its planned evaluations by declaration."""
        self.linearizations[path] = self.linearizations.get(path, 0) + linearizations
        for declaration, number in evaluations.items():
            pair = (path, declaration)
            self.predicted[pair] = self.predicted.get(pair, 0) + number

    def include(self, other):
        """Add what another process has counted as its share."""
        self.components |= other.components
        for key, counted in other.counted.items():
            self.add(key, counted.evaluations, counted.seconds, counted.calls)
        for path, number in other.linearizations.items():
            self.linearizations[path] = self.linearizations.get(path, 0) + number
        for pair, number in other.predicted.items():
            self.predicted[pair] = self.predicted.get(pair, 0) + number
        self.history.add(other.history)

    def total(self, path='*', cause=None):
        """Return how many evaluations were made.

        Parameters
        ----------
        path : str
            Path or glob pattern of components; all by default. Or the path of a group whose totals
            are declared: how often it was run for them; no pattern means a group, since its runs
            are made of its components' evaluations.
        cause : str or None
            Count only these. None: all.

        Returns
        -------
        int
            Number of evaluations.

        Raises
        ------
        KeyError
            If `path` matches no component, or `cause` is not a cause.
        """
        return self._sum('evaluations', path, cause)

    def total_calls(self, path='*', cause=None, method=None):
        """Return how many calls made the evaluations; a batch of points is one.

        Parameters
        ----------
        path, cause
            As of `total`.
        method : str or None
            Count the calls of this method, which may be one for derivatives:
            ``compute_partials``, ``linearize``, ``compute_jacvec_product``, ``apply_linear``,
            ``solve_linear``. None: of all that evaluate.

        Returns
        -------
        int
            Number of calls.

        Raises
        ------
        KeyError
            As `total`; if `method` is none that is counted.
        """
        if method not in (None, *METHODS):
            raise KeyError(f'{method!r} is not counted; counted are {", ".join(METHODS)}')
        return self._sum('calls', path, cause, method)

    def _sum(self, what, path, cause, method=None):
        if not self.components:
            raise KeyError(NOTHING_YET)
        if not any(fnmatchcase(known, path) for known in self.components):
            raise KeyError(
                f'{path!r} is the path of no counted component; counted are '
                f'{", ".join(sorted(self.components))}'
            )
        if cause not in (None, *CAUSES):
            raise KeyError(f'{cause!r} is not a cause; causes are {", ".join(CAUSES)}')
        return sum(
            getattr(counted, what)
            for key, counted in self.counted.items()
            if _is_meant(key, path, method) and cause in (None, key.cause)
        )

    def seconds_each(self, path):
        """Return the mean time of an evaluation, s; None where there was none.

        Parameters
        ----------
        path : str
            Path of a component, or of a group whose totals are declared.

        Returns
        -------
        float or None
            Of the evaluations for derivatives, where there are any: a run may take longer.
        """
        of_path = [(k, c) for k, c in self.counted.items() if k.path == path and c.evaluations]
        chosen = [c for k, c in of_path if k.cause in ('fd', 'cs')] or [c for _, c in of_path]
        evaluations = sum(counted.evaluations for counted in chosen)
        return sum(c.seconds for c in chosen) / evaluations if evaluations else None

    def measured(self, path):
        """Return the evaluations that each declaration of a component made, by its name."""
        result = {}
        for key, counted in self.counted.items():
            if key.path == path and key.declaration:
                result[key.declaration] = result.get(key.declaration, 0) + counted.evaluations
        return result

    def iterations(self):
        """Return what each iteration of the driver has made, a list of `history.Entry`."""
        return self.history.whole(self)

    def rows(self):
        """Return a `Row` for each component, method, cause and declaration, in their order.

        Predicted is None where no plan applies. Declarations that should have evaluated and did
        not are rows too.
        """
        rows = []
        missing = dict(self.predicted)
        for key in sorted(self.counted):
            predicted = missing.pop((key.path, key.declaration), None)
            counted = self.counted[key]
            rows.append(Row(*key, counted.calls, counted.evaluations, predicted, counted.seconds))
        rows += [
            Row(path, '', '', declaration, 0, 0, predicted, 0.0)
            for (path, declaration), predicted in missing.items()
            if predicted
        ]
        return rows

    def to_dict(self):
        """Return all that was counted, for JSON.

        Returns
        -------
        dict
            ``rows``, dicts of a `Row`'s fields; ``linearizations`` by path; ``iterations`` of the
            driver, each with its ``made`` [path, cause, evaluations, seconds], and the
            ``predicted`` and ``measured`` evaluations for derivatives by path.
        """
        return {
            'rows': [row._asdict() for row in self.rows()],
            'linearizations': dict(self.linearizations),
            'iterations': [entry.as_dict() for entry in self.iterations()],
        }

    def to_csv(self, path):
        """Write the rows to a CSV file; one that exists is replaced once the new one is whole.

        Parameters
        ----------
        path : str or path-like
            Where to.
        """
        with replacing(path) as scratch, open(scratch, 'w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(Row._fields)
            writer.writerows(self.rows())

    def sums(self):
        """Return what the evaluations of all components are together, a dict.

        The runs of a group are made of its components' evaluations, and are not added to them.
        """
        rows = [row for row in self.rows() if row.method in EVALUATES]
        return {
            name: sum(getattr(row, name) for row in rows)
            for name in ('calls', 'evaluations', 'seconds')
        }

    def table(self):
        """Return the rows as a text table, with the total."""
        header = ('component', *Row._fields[1:])
        rows = self.rows()
        total = Row('total', None, None, None, predicted=None, **self.sums())
        shown = [row._replace(path=row.path or MODEL) for row in rows]
        table = text_table(header, [*shown, total])
        linearizations = ', '.join(
            f'{p or MODEL}: {n}' for p, n in sorted(self.linearizations.items())
        )
        return table + (f'\nlinearizations: {linearizations}' if linearizations else '')

    __str__ = table

    def verify(self):
        """Compare every declaration's evaluations with plan x linearizations.

        Raises
        ------
        CallCountMismatch
            If any differs; the message names the declarations and holds the table. Also if no
            component is counted.
        """
        if not self.components:
            raise CallCountMismatch(NOTHING_YET)
        wrong = []
        for path in sorted(self.components):
            measured = self.measured(path)
            predicted = {d: n for (p, d), n in self.predicted.items() if p == path}
            for declaration in {**predicted, **measured}:
                pair = measured.get(declaration, 0), predicted.get(declaration, 0)
                if pair[0] != pair[1]:
                    wrong.append(
                        f'{path or MODEL}: {declaration}: {pair[0]} evaluations measured, '
                        f'{pair[1]} predicted for {self.linearizations.get(path, 0)} linearizations'
                    )
        if wrong:
            raise CallCountMismatch('\n'.join([*wrong, '', self.table()]))


def _is_meant(key, path, method):
    """Whether the path or pattern of a component, or the path of a group, means this key."""
    if method is None and key.method in DERIVES:
        return False
    if method not in (None, key.method):
        return False
    return key.path == path if key.method == EVALUATES_WHOLE else fnmatchcase(key.path, path)
