"""What an audit finds: a component, what is lost in it, and both as text."""

from typing import NamedTuple

from mdao_seq._text_table import text_table
from mdao_seq.approximation.losses import Setting


class Finding(NamedTuple):
    """One (of, wrt) that OpenMDAO does not do as declared.

    Attributes
    ----------
    problem, component : str
        Name of the problem, and path of the component in it.
    of, wrt : str
        Names in the component.
    kind : str
        What is lost, such as ``'step dropped'``.
    declared, actual : Setting
        What was declared, and what OpenMDAO really does.
    decided_by : str
        The partial whose options are taken instead, such as ``'d(y2)/d(x)'``; empty if none.
    mend : str
        A line of code that mends it.
    """

    problem: str
    component: str
    of: str
    wrt: str
    kind: str
    declared: Setting
    actual: Setting
    decided_by: str
    mend: str


class AuditedComponent(NamedTuple):
    """A component that approximates partials, or was meant to.

    Attributes
    ----------
    problem, component : str
        Name of the problem, and path of the component in it.
    class_name : str
        Name of its class.
    declared : str
        How many (of, wrt) of each method, such as ``'2 fd, 1 exact'``.
    evaluations, evaluations_as_declared : int or None
        Per linearization: as it is, and if every declaration held; for the totals that the driver
        wants, as `fd_cost` counts. None where they cannot be planned.
    bound : str
        Why the evaluations may turn out to be fewer; empty where they are exact.
    is_held : bool
        Whether `PerOutputFD` holds its declarations.
    findings : tuple of Finding
        What is lost.
    """

    problem: str
    component: str
    class_name: str
    declared: str
    evaluations: int | None
    evaluations_as_declared: int | None
    bound: str
    is_held: bool
    findings: tuple[Finding, ...]

    def to_dict(self):
        """Return it as dicts, lists, numbers and text."""
        return self._asdict() | {'findings': [_plain(finding) for finding in self.findings]}


def _plain(finding):
    settings = {
        name: {k: v for k, v in getattr(finding, name)._asdict().items() if v is not None}
        for name in ('declared', 'actual')
    }
    return finding._asdict() | settings


NAMES_SHOWN = 3


def audit_table(components, passed):
    """Return the tables of an audit: evaluations by component, what is lost, and what mends it.

    Parameters
    ----------
    components : sequence of AuditedComponent
        What was found.
    passed : int
        How many components declare no approximation.
    """
    several = len({each.problem for each in components}) > 1

    def place(row):
        return f'{row.problem}: {row.component}' if several else row.component

    parts = []
    if components:
        header = ('component', 'class', 'declared', 'evaluations', 'as declared', '')
        rows = [
            (
                place(each),
                each.class_name,
                each.declared,
                each.evaluations,
                each.evaluations_as_declared,
                'at most' if each.bound else None,
            )
            for each in components
        ]
        parts.append(text_table(header, rows))
    lost = [(place(f), f) for each in components for f in each.findings]
    if lost:
        header = ('component', 'of', 'wrt', 'lost', 'declared', 'what OpenMDAO does', 'as for')
        parts.append(text_table(header, _together(lost)))
        mends = dict.fromkeys((where, finding.mend) for where, finding in lost)
        parts.append('to mend:\n' + text_table(('component', 'line'), _mends(mends)))
    parts.append(_summary(components, passed))
    return '\n\n'.join(parts)


def _summary(components, passed):
    losing = sum(bool(each.findings) for each in components)
    what = (
        f'{losing} of {len(components)} components lose what they declare'
        if losing
        else f'all that {len(components)} components declare holds'
    )
    return f'{what}; {passed} others approximate nothing' if passed else what


def _together(lost):
    """Put what is lost in the same way on one line, where it is every of with every wrt."""
    kinds: dict = {}
    for where, f in lost:
        rest = str(f.declared), str(f.actual), f.decided_by
        kinds.setdefault((where, f.of, f.wrt, rest), []).append(f.kind)
    ofs: dict = {}
    for (where, of, wrt, rest), of_pair in kinds.items():
        ofs.setdefault((where, wrt, (', '.join(of_pair), *rest)), []).append(of)
    wrts: dict = {}
    for (where, wrt, rest), of_wrt in ofs.items():
        wrts.setdefault((where, tuple(of_wrt), rest), []).append(wrt)
    return [(where, _few(of), _few(wrt), *rest) for (where, of, rest), wrt in wrts.items()]


def _few(names):
    more = len(names) - NAMES_SHOWN
    shown = ', '.join(names[:NAMES_SHOWN])
    return f'{shown} and {more} more' if more > 0 else shown


def _mends(mends):
    """Show every line of a component, but not one for each of many."""
    by_place: dict = {}
    for where, line in mends:
        by_place.setdefault(where, []).append(line)
    for where, lines in by_place.items():
        for line in lines[:NAMES_SHOWN]:
            yield where, line
        if len(lines) > NAMES_SHOWN:
            yield where, f'… and {len(lines) - NAMES_SHOWN} more such lines'
