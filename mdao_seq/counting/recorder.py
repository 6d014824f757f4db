"""`CallCountRecorder`: the counter as an OpenMDAO case recorder."""

import os
import weakref
from pathlib import Path
from time import monotonic

from openmdao.core.system import System
from openmdao.recorders.case_recorder import CaseRecorder

from mdao_seq.approximation._openmdao.systems import problem_of
from mdao_seq.counting.counter import CallCounter
from mdao_seq.counting.file import CountFile, process_of

FLUSH_EVERY = 1.0  # s


class CallCountRecorder(CaseRecorder):
    """Count evaluations by component, cause and declaration, and keep them in a file.

    Attached to a problem or a driver it counts every component; attached to a group, every
    component below it; attached to a component, that one. It may stand beside other recorders.

    Parameters
    ----------
    path : str or path-like
        The file to write (SQLite). Like OpenMDAO's recorders, a name without a folder goes to the
        problem's outputs directory. An earlier file of counts is replaced; any other file is
        refused. Under MPI each process writes a file, and `read_call_counts` of the first adds
        them: evaluations that several processes repeat are counted once.

    Attributes
    ----------
    path : pathlib.Path
        Where the file is, once the problem has been set up.

    Raises
    ------
    TypeError
        At final_setup, if it was added to a solver, which makes no evaluations of its own.
    ValueError
        At final_setup, if another kind of file stands at `path`.

    Examples
    --------
    >>> recorder = CallCountRecorder('calls.db')                 # doctest: +SKIP
    >>> problem.add_recorder(recorder)                           # doctest: +SKIP
    >>> problem.run_driver()                                     # doctest: +SKIP
    >>> print(recorder.table())                                  # doctest: +SKIP
    >>> recorder.verify()                                        # doctest: +SKIP
    """

    def __init__(self, path):
        super().__init__(record_viewer_data=False)
        self.path = Path(path)
        self._in_outputs_dir = os.sep not in str(path) and '/' not in str(path)
        self._call_counter = CallCounter(after_each=self._flush_now_and_then)
        self._file = None
        self._flushed = monotonic()

    def startup(self, recording_requester, comm=None):
        """Watch the requester's components; every final_setup calls this, again is harmless."""
        super().startup(recording_requester, comm)
        problem = problem_of(recording_requester)
        if problem is None:
            if not isinstance(recording_requester, System):
                raise TypeError(
                    f'CallCountRecorder({str(self.path)!r}) was added to a '
                    f'{type(recording_requester).__name__}; add it to a problem, a driver, a group '
                    'or a component'
                )
            self._call_counter.watch(recording_requester)
        else:
            self._call_counter.watch_problem(problem)
        if self._file is None:
            if self._in_outputs_dir:
                system = recording_requester if problem is None else problem.model
                self.path = Path(system.get_outputs_dir(mkdir=True)) / self.path
                self._in_outputs_dir = False
            self._file = CountFile(self.path, process_of(comm))
            # Also when a script ends without cleanup().
            weakref.finalize(self, _write_and_close, self._file, self._call_counter)
            self._flush()
        else:
            self._flush_now_and_then()

    def counts(self):
        """Return the live `CallCounts`, under MPI those of this process."""
        return self._call_counter.counts

    def total(self, path='*', cause=None):
        """Return the number of evaluations, as `CallCounts.total`."""
        return self.counts().total(path, cause)

    def table(self):
        """Return the counts as a text table."""
        return self.counts().table()

    def verify(self):
        """Compare with plan x linearizations, as `CallCounts.verify`.

        Raises
        ------
        CallCountMismatch
            If any declaration differs.
        """
        self.counts().verify()

    def shutdown(self):
        """Write what was counted, stop counting and close the file; `counts` stays readable."""
        self._call_counter.stop()
        if self._file is not None:
            _write_and_close(self._file, self._call_counter)
            self._file = None

    def __deepcopy__(self, memo):
        """Serve the copy of a problem too: there is one file."""
        return self

    def _flush_now_and_then(self):
        if monotonic() - self._flushed > FLUSH_EVERY:
            self._flush()

    def _flush(self):
        if self._file is not None:
            self._file.write(self._call_counter.share)
        self._flushed = monotonic()

    def record_iteration_driver(self, *args, **kwargs):
        """Write, unless that was a moment ago: what is counted meanwhile comes with the next."""
        self._flush_now_and_then()

    record_iteration_problem = record_iteration_driver

    def _nothing(self, *args, **kwargs):
        """OpenMDAO offers values and metadata; counts need none of them."""

    record_iteration_system = _nothing
    record_iteration_solver = _nothing
    record_derivatives_driver = _nothing
    record_metadata_system = _nothing
    record_metadata_solver = _nothing
    record_viewer_data = _nothing


def _write_and_close(file, counter):
    if file.is_open:
        file.write(counter.share)
        file.close()
