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
    """

    asked: Asked
    changes: list


def in_turn(system, method, jobs):
    """Yield what `dispatch.evaluate` does, by a call for each point.

    The residual of an explicit component is ``outputs computed - outputs now``, so that residual
    differences are output differences; this is how OpenMDAO's own schemes evaluate.
    """
    vectors = system._inputs, system._outputs, system._residuals
    by_name = {'inputs': vectors[0], 'outputs': vectors[1]}
    start = [vector.asarray(copy=True) for vector in vectors]
    run, residuals = system.run_apply_nonlinear, vectors[2]
    with differencing(system, method):
        if method == 'cs':
            _restore(vectors, start)
        for asked, changes in jobs:
            try:
                for name, index, offset in changes:
                    by_name[name].iadd(offset, index)
                token = ASKED.set(asked)
                try:
                    run()
                    found = residuals.asarray()
                    result = found.imag if method == 'cs' else found.real
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
