"""Run tasks in processes, side by side, and say which task was running where one crashed.

`concurrent.futures` breaks the whole pool when a process dies and cannot say on what; here every
process has a pipe of its own, and one task at a time.
"""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

PATIENCE = 1.0  # s, after which a worker asks whether it is still wanted


class WorkerCrashed(RuntimeError):
    """A process ended in the middle of its task.

    Attributes
    ----------
    task : object
        What it was at.
    """

    def __init__(self, task: Any, exitcode: int | None):
        super().__init__(f'a worker process {_ending(exitcode)}')
        self.task = task


def map_in_processes(function: Callable, tasks: Sequence, number: int) -> Iterator[Any]:
    """Yield ``function(task)`` of each task, in order.

    The processes live as long as the iteration. They are forked where the system can, so that
    `function` may be anything; ``multiprocessing.set_start_method`` asks for another way, and the
    function is pickled then.

    Parameters
    ----------
    function : callable
        Of one argument. Its results are pickled.
    tasks : sequence
        Arguments; pickled.
    number : int
        Processes.

    Raises
    ------
    WorkerCrashed
        If a process ends in the middle of a task.
    Exception
        What the function raised, with the worker's traceback as a note.
    """
    context: Any = multiprocessing.get_context(start_method())
    workers: dict[Any, Any] = {}
    at_work: dict[Any, int] = {}
    waiting = iter(range(len(tasks)))
    done: dict[int, Any] = {}

    def feed(connection: Any) -> None:
        k = next(waiting, None)
        if k is not None:
            at_work[connection] = k
            connection.send(tasks[k])

    try:
        for _ in range(number):
            connection, other_end = context.Pipe()
            worker = context.Process(target=_serve, args=(other_end, function), daemon=True)
            worker.start()
            # Else the end of the process would not close the pipe.
            other_end.close()
            workers[connection] = worker
            feed(connection)
        for wanted in range(len(tasks)):
            while wanted not in done:
                for connection in wait(list(at_work)):
                    k = at_work.pop(connection)
                    try:
                        succeeded, result = connection.recv()
                    except (EOFError, ConnectionError):
                        workers[connection].join()
                        raise WorkerCrashed(tasks[k], workers[connection].exitcode) from None
                    if not succeeded:
                        raise result
                    done[k] = result
                    feed(connection)
            yield done.pop(wanted)
    finally:
        for connection, worker in workers.items():
            connection.close()
            # One that is at work, for an error elsewhere, does not see that its pipe is closed.
            worker.terminate()
            worker.join()


def start_method() -> str:
    """Return how processes are started: forked where nobody asks for another way."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    return chosen or ('fork' if 'fork' in multiprocessing.get_all_start_methods() else 'spawn')


def _serve(connection: Any, function: Callable) -> None:
    parent = os.getppid()
    try:
        while True:
            # A pipe whose ends were forked into other workers does not close with the parent.
            while not connection.poll(PATIENCE):
                if os.getppid() != parent:
                    return
            task = connection.recv()
            try:
                reply = True, function(task)
            except Exception as error:
                reply = False, _picklable(error, traceback.format_exc())
            connection.send(reply)
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return


def _picklable(error: Exception, where: str) -> Exception:
    try:
        result = pickle.loads(pickle.dumps(error))
    except Exception:
        result = RuntimeError(f'{type(error).__name__}: {error}')
    result.add_note(f'In a worker process:\n{where}')
    return result


def _ending(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f'was ended by {signal.Signals(-exitcode).name}'
    return f'ended with exit code {exitcode}'
