"""Evaluate a component at perturbed points, one after another, and leave it as it was."""

from typing import NamedTuple

from openmdao.core.analysis_error import AnalysisError

from mdao_seq.approximation.asking import ASKED, Asked


class Job(NamedTuple):
    """One evaluation.

    Attributes
    ----------
    asked : Asked
        Who asks, for which point.
    changes : list of (str, int or ndarray of int, float or complex)
        What is added where: the vector ('inputs' or 'outputs'), flat indices into it, the offset.
    seeds : tuple of str or None
        Variables outside of whose reach nothing is run, where a group is evaluated.
    """

    asked: Asked
    changes: list
    seeds: tuple | None = None


def in_turn(system, method, jobs):
    """Yield what `dispatch.evaluate` does, by a call for each point."""
    vectors = system._inputs, system._outputs, system._residuals
    by_name = {'inputs': vectors[0], 'outputs': vectors[1]}
    start = [vector.asarray(copy=True) for vector in vectors]
    run = system._held_frame.runner(method)
    with differencing(system, method):
        if method == 'cs':
            _restore(vectors, start)
        for job in jobs:
            try:
                for name, index, offset in job.changes:
                    by_name[name].iadd(offset, index)
                token = ASKED.set(job.asked)
                try:
                    result = run(job)
                except AnalysisError as error:
                    result = error
                finally:
                    ASKED.reset(token)
                yield result
            finally:
                _restore(vectors, start)


def _restore(vectors, start):
    # set_val also clears what a complex step left in the imaginary part.
    for vector, values in zip(vectors, start, strict=True):
        vector.set_val(values)


class differencing:
    """Let a component know, for a ``with`` block, that its derivatives are approximated."""

    def __init__(self, system, method):
        self.system = system
        self.is_complex = method == 'cs'
        self.was_under_fd = system.under_finite_difference

    def __enter__(self):
        """Set the mode."""
        if self.is_complex:
            self.system._set_complex_step_mode(True)
        else:
            self.system._set_finite_difference_mode(True)

    def __exit__(self, *exception):
        """Set the mode that was before."""
        if self.is_complex:
            self.system._set_complex_step_mode(False)
        else:
            self.system._set_finite_difference_mode(self.was_under_fd)
