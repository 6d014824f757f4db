"""What each iteration of a driver has evaluated: increments of the counts.

A long run is kept in at most `MOST` entries: neighbours are joined, so that each stands for as many
iterations as every other but the last.
"""

import json
from itertools import zip_longest
from typing import NamedTuple

MOST = 400


class Entry(NamedTuple):
    """Evaluations of one iteration of the driver, or of several in a row.

    Attributes
    ----------
    iterations : int
        How many iterations; 0 of what came after the last one.
    made : dict of (str, str) to (int, float)
        Evaluations and their time, s, by (path, cause).
    predicted : dict of str to int
        What the plans of the linearizations in them say, by path.
    measured : dict of str to int
        What the declarations so planned have made.
    """

    iterations: int
    made: dict
    predicted: dict
    measured: dict

    def as_dict(self):
        """Return it for JSON, whose keys are text."""
        made = [[*what, *cost] for what, cost in self.made.items()]
        return self._asdict() | {'made': made}


def as_text(entry) -> str:
    """Return an entry as JSON."""
    return json.dumps(entry.as_dict())


def from_text(text) -> Entry:
    """Return the entry of a text by `as_text`."""
    kept = json.loads(text)
    made = {(path, cause): (number, seconds) for path, cause, number, seconds in kept['made']}
    return Entry(**(kept | {'made': made}))


class History:
    """Entries in the order of the driver's iterations."""

    def __init__(self):
        self.entries = []
        self._before = _sums({}, {})
        self._every = 1

    def mark(self, counts):
        """End an iteration of the driver: what was counted since the last one is its own."""
        self._append(self._since(counts, 1))
        self._before = _sums(counts.counted, counts.predicted)

    def whole(self, counts) -> list[Entry]:
        """Return the entries and, of a driver that iterated, what was counted after the last."""
        rest = self._since(counts, 0)
        return [*self.entries, rest] if self.entries and any(rest) else list(self.entries)

    def restore(self, entries):
        """Take the entries that `whole` returned."""
        self.entries = list(entries)
        for entry in entries:
            self._before = [_added(*pair) for pair in zip(self._before, entry[1:], strict=True)]

    def _since(self, counts, iterations):
        now = _sums(counts.counted, counts.predicted)
        return Entry(iterations, *(_less(n, b) for n, b in zip(now, self._before, strict=True)))

    def _append(self, entry):
        """Add an entry; where the last may still stand for more iterations it is joined to that."""
        entries = self.entries
        if entries and entries[-1].iterations < self._every:
            entries[-1] = _joined(entries[-1], entry)
            return
        if len(entries) == MOST:
            pairs = zip(entries[::2], entries[1::2], strict=True)
            self.entries = entries = [_joined(*pair) for pair in pairs]
            self._every *= 2
        entries.append(entry)

    def add(self, other):
        """Add what another process made in the same iterations."""
        both = []
        for mine, others in zip_longest(self.entries, other.entries):
            either = mine or others
            joined = _joined(mine, others) if mine and others else either
            both.append(joined._replace(iterations=either.iterations))
        self._before = _sums({}, {})
        self.restore(both)


def _sums(counted, predicted):
    """Return what an entry holds, summed from the beginning."""
    made, measured, planned = {}, {}, {}
    for key, cost in counted.items():
        if cost.evaluations:
            number, seconds = made.get((key.path, key.cause), (0, 0.0))
            made[key.path, key.cause] = number + cost.evaluations, seconds + cost.seconds
            if key.declaration:
                measured[key.path] = measured.get(key.path, 0) + cost.evaluations
    for (path, _), number in predicted.items():
        planned[path] = planned.get(path, 0) + number
    return made, planned, measured


def _less(now, before):
    """Return how much more there is now, where there is."""
    less = {what: _minus(n, before.get(what)) for what, n in now.items()}
    return {what: n for what, n in less.items() if (n[0] if isinstance(n, tuple) else n)}


def _minus(now, before):
    if before is None:
        return now
    if isinstance(now, tuple):
        return tuple(n - b for n, b in zip(now, before, strict=True))
    return now - before


def _joined(one, other):
    return Entry(
        one.iterations + other.iterations,
        *(_added(a, b) for a, b in zip(one[1:], other[1:], strict=True)),
    )


def _added(one, other):
    found = dict(one)
    for what, number in other.items():
        before = found.get(what)
        if before is None:
            found[what] = number
        elif isinstance(number, tuple):
            found[what] = tuple(b + n for b, n in zip(before, number, strict=True))
        else:
            found[what] = before + number
    return found
