"""Why an evaluation is made: what is going on around it.

That are checks and line searches, linearizations, searches for a coloring, evaluations whose
component runs a problem inside, and the notes that held systems leave (`approximation.asking`).
"""

from typing import Any, NamedTuple

from mdao_seq.approximation._openmdao.names import UNDIVIDED
from mdao_seq.approximation._openmdao.systems import is_below, is_finding_sparsity

COLORING = 'coloring'


class Running(NamedTuple):
    """An evaluation that is running: of which component, by which method, and why."""

    component: Any
    method: str
    cause: str


class GoingOn:
    """What is going on at present, the innermost last.

    Attributes
    ----------
    linearized : list of str
        Paths of the systems that are linearized.
    colored : list of str
        Paths of the components that look for their sparsity.
    running : list of Running
        Evaluations that are running.
    """

    def __init__(self):
        self._around = []
        self.linearized = []
        self.colored = []
        self.running = []

    def amid(self, cause, owner, proceed):
        """Listen to a method in which evaluations are made for a cause."""
        self._around.append(cause)
        try:
            return proceed()
        finally:
            self._around.pop()

    def finding_sparsity(self, path, owner, proceed):
        """Listen to a component that looks for its sparsity."""
        self.colored.append(path)
        try:
            return proceed()
        finally:
            self.colored.pop()

    def why(self, path, component, asked):
        """Return (cause, declaration) of a call.

        Parameters
        ----------
        path : str
            Path of the component that is called.
        component : Component
            The component.
        asked : Asked or None
            What a held system asks for at present.

        Returns
        -------
        tuple of str
            Of `rows.Key`.
        """
        if is_finding_sparsity(component) or path in self.colored:
            return COLORING, ''
        approximated = (component.under_complex_step and 'cs') or (
            component.under_finite_difference and 'fd'
        )
        if path in self.linearized and approximated:
            return approximated, UNDIVIDED
        if asked is not None and asked.cause and is_below(component, asked.system):
            return asked.cause, ''
        if 'check' in self._around:
            return 'check', ''
        if COLORING in self._around:
            return COLORING, ''
        if approximated or (asked is not None and is_below(component, asked.system)):
            return 'totals', ''
        if self.running:
            # A problem inside of a component is run for what the component is.
            return self.running[-1].cause, ''
        return (self._around[-1] if self._around else 'run'), ''


def cause_of(asked):
    """Return the cause of an evaluation that a held system asks for."""
    return asked.cause or asked.points[0].method
