"""Why an evaluation is made: what is going on around it.

That are checks and line searches, linearizations, searches for a coloring, evaluations whose
component runs a problem inside, and the notes that held systems leave (`approximation.asking`).
"""

from mdao_seq.approximation._openmdao.names import UNDIVIDED
from mdao_seq.approximation._openmdao.systems import is_below, is_finding_sparsity


class GoingOn:
    """What is going on at present, the innermost last.

    Attributes
    ----------
    linearized : list of str
        Paths of the systems that are linearized.
    running : list of str or Asked
        Causes of the evaluations that are running, or who asked for them.
    """

    def __init__(self):
        self._around = []
        self.linearized = []
        self.running = []

    def amid(self, cause, owner, proceed):
        """Listen to a method in which evaluations are made for a cause."""
        self._around.append(cause)
        try:
            return proceed()
        finally:
            self._around.pop()

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
        if is_finding_sparsity(component):
            return 'coloring', ''
        approximated = (component.under_complex_step and 'cs') or (
            component.under_finite_difference and 'fd'
        )
        if path in self.linearized and approximated:
            return approximated, UNDIVIDED
        if asked is not None and asked.cause and is_below(component, asked.system):
            return asked.cause, ''
        if 'check' in self._around:
            return 'check', ''
        if approximated or (asked is not None and is_below(component, asked.system)):
            return 'totals', ''
        if self.running:
            # A problem inside of a component is run for what the component is.
            return _cause_of(self.running[-1]), ''
        return (self._around[-1] if self._around else 'run'), ''


def _cause_of(running):
    """Return the cause of an evaluation that is running: itself, or who asked for it."""
    return running if isinstance(running, str) else running.cause or running.points[0].method
