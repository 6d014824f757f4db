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
LINES_SHOWN = 12


def audit_table(components, passed):
    """Return the tables of an audit: evaluations by component, what is lost, and what mends it.

    Problems that have the same component, as copies of one, are shown together.

    Parameters
    ----------
    components : sequence of AuditedComponent
        What was found.
    passed : int
        How many components declare no approximation.
    """
    named = len({each.problem for each in components}) > 1
    parts = [_components(components, named)] if components else []
    findings = [finding for each in components for finding in each.findings]
    if findings:
        parts += [_losses(findings, named), _mends(findings)]
    parts.append(_summary(components, passed))
    return '\n\n'.join(parts)


def _components(components, named):
    rows: dict = {}
    for each in components:
        bound = 'at most' if each.bound else None
        row = each.component, *each[2:6], bound
        rows.setdefault(row, []).append(each.problem)
    return _table(('component', 'class', 'declared', 'evaluations', 'as declared', ''), rows, named)


def _losses(findings, named):
    """Put what is lost in the same way on one line, where it is every of with every wrt."""
    kinds: dict = {}
    for f in findings:
        rest = str(f.declared), str(f.actual), f.decided_by
        kinds.setdefault((f.problem, f.component, f.of, f.wrt, rest), []).append(f.kind)
    ofs: dict = {}
    for (*place, of, wrt, rest), of_pair in kinds.items():
        ofs.setdefault((*place, wrt, (', '.join(of_pair), *rest)), []).append(of)
    wrts: dict = {}
    for (*place, wrt, rest), of_wrt in ofs.items():
        wrts.setdefault((*place, tuple(of_wrt), rest), []).append(wrt)
    rows: dict = {}
    for (problem, component, of_all, rest), wrt_all in wrts.items():
        row = component, few(of_all), few(wrt_all), *rest
        rows.setdefault(row, []).append(problem)
    header = ('component', 'of', 'wrt', 'lost', 'declared', 'what OpenMDAO does', 'as for')
    return _table(header, rows, named)


def _table(header, rows, named):
    """Return a table of rows by content, each with the problems that have it."""
    if named:
        header = ('problem', *header)
        return text_table(header, [(few(problems), *row) for row, problems in rows.items()])
    return text_table(header, rows)


def _mends(findings):
    """Show each line once, but of lines that differ by the names alone not all."""
    places: dict = {}
    for finding in findings:
        places.setdefault(finding.mend, {})[finding.component] = None
    shown = list(places.items())[:LINES_SHOWN]
    rows = [(line, few(list(components))) for line, components in shown]
    if len(places) > LINES_SHOWN:
        rows.append((f'… and {len(places) - LINES_SHOWN} more such lines', None))
    return text_table(('to mend', 'of'), rows)


def _summary(components, passed):
    losing = sum(bool(each.findings) for each in components)
    if not components:
        return f'no component approximates partials, of {passed}'
    others = f'; without approximations: {passed}' if passed else ''
    if losing:
        return f'{losing} of {len(components)} components lose what they declare{others}'
    return f'{len(components)} of {len(components)} components keep all that they declare{others}'


def few(names):
    """Name the first of several."""
    more = len(names) - NAMES_SHOWN
    shown = ', '.join(names[:NAMES_SHOWN])
    return f'{shown} and {more} more' if more > 0 else shown
