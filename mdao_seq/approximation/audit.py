"""`fd_audit`: every declaration that OpenMDAO drops or alters, before anything is run."""

from mdao_seq._hook import listen
from mdao_seq.approximation._openmdao.auditing import Auditor
from mdao_seq.approximation._openmdao.systems import of_all_processes, on_every_final_setup
from mdao_seq.approximation.findings import audit_table
from mdao_seq.approximation.holding import check_before_setup


class FDAudit:
    """What an audit has found so far; ``str()`` is its `table`.

    It is live: every ``final_setup`` adds its components. Of a component that is set up several
    times it has the last.
    """

    def __init__(self, auditor):
        self._auditor = auditor

    @property
    def components(self):
        """What approximates partials, or was meant to.

        A tuple of `~mdao_seq.approximation.findings.AuditedComponent`.
        """
        if self.is_empty:
            raise RuntimeError(
                'fd_audit: nothing is audited yet: call setup() and final_setup() on the problem'
            )
        return tuple(self._auditor.found.values())

    @property
    def findings(self):
        """What is lost, a tuple of `~mdao_seq.approximation.findings.Finding`."""
        return tuple(finding for each in self.components for finding in each.findings)

    @property
    def holds(self):
        """Whether nothing is lost."""
        return not self.findings

    @property
    def is_empty(self):
        """Whether no component has reached ``final_setup``."""
        return not (self._auditor.found or self._auditor.passed)

    def over_processes(self):
        """Add what every other process of a parallel run found; all of them call it together."""
        for found, passed in of_all_processes((self._auditor.found, self._auditor.passed)):
            self._auditor.include(found, passed)

    def table(self):
        """Return the evaluations by component, what is lost, and what mends it, as text."""
        return audit_table(self.components, len(self._auditor.passed))

    __str__ = table

    def to_dict(self):
        """Return it as dicts, lists, numbers and text, for JSON."""
        return {
            'holds': self.holds,
            'components': [each.to_dict() for each in self.components],
            'without_approximations': len(self._auditor.passed),
        }


def fd_audit(problem):
    """Find every declaration of a problem's components that OpenMDAO drops or alters.

    The audit listens while components declare their partials, and compares with what OpenMDAO
    holds after ``final_setup``; it runs nothing and changes nothing. Problems that are set up
    inside of this one (SubmodelComp) are audited, too. Components that are held (`PerOutputFD`,
    `hold_declarations`) lose nothing.

    Parameters
    ----------
    problem : om.Problem
        Not set up yet: OpenMDAO merges repeated declarations as they are made.

    Returns
    -------
    FDAudit
        Filled by ``problem.final_setup()``: ``.findings``, ``.holds``, ``.table()``.

    Raises
    ------
    TypeError
        If it is not a problem.
    RuntimeError
        After ``problem.setup()``.

    Examples
    --------
    >>> audit = fd_audit(problem)                                # doctest: +SKIP
    >>> problem.setup()                                          # doctest: +SKIP
    >>> problem.final_setup()                                    # doctest: +SKIP
    >>> print(audit)                                             # doctest: +SKIP
    """
    check_before_setup(problem, 'fd_audit')
    auditor = Auditor()
    auditor.listen()

    def setup(problem, proceed):
        auditor.listen()
        with auditor.expecting():
            return proceed()

    def final_setup(problem, proceed):
        with auditor.expecting():
            result = proceed()
        auditor.take()
        auditor.stop()
        return result

    listen(problem, 'setup', setup)
    listen(problem, 'final_setup', final_setup)
    return FDAudit(auditor)


def audit_every_problem():
    """Audit every problem of this process from now on, as the command does.

    Returns
    -------
    FDAudit
        Filled by every ``final_setup``.
    """
    auditor = Auditor()
    auditor.listen()
    auditor.expect_all()
    on_every_final_setup(lambda problem: auditor.take())
    return FDAudit(auditor)
