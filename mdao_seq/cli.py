"""``openmdao`` subcommands: ``count_calls`` of a script or a file, and ``fd_audit`` of a script.

Each command is an entry point in the group ``openmdao_command``: a function that returns
(parser set-up, executor, help).
"""

import json
import sys
import traceback
from collections import Counter
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

HOLDS, LOSES, FAILS = 0, 1, 2  # exit statuses of fd_audit


def count_calls_command():
    """Run a script with every evaluation counted, or print counts from a recorder's file."""
    return (
        _count_calls_arguments,
        _count_calls,
        'Count evaluations by component, cause and declaration.',
    )


def _count_calls_arguments(parser):
    parser.add_argument(
        'file',
        nargs=1,
        help='a Python script that runs a problem, or the file of a CallCountRecorder',
    )
    parser.epilog = 'Arguments of the script come last, after --'
    parser.add_argument(
        '--verify',
        action='store_true',
        help='exit with 1 where measured evaluations differ from plan x linearizations',
    )


def _count_calls(options, user_args):
    from mdao_seq.approximation._openmdao.systems import is_first_process

    path = Path(options.file[0])
    if not path.exists():
        sys.exit(f'openmdao count_calls: {path}: no such file')
    if _is_script(path):
        counted, ended = _counts_of_script(path, user_args)
    else:
        counted, ended = _counts_of_file(path), None
    if is_first_process():
        for name, counts in counted:
            print(f'\n{name}\n{counts.table()}')
        if not counted:
            print(f'{path}: no problem was set up')
    if ended is not None:
        raise ended
    if options.verify:
        _verify(counted)


def _is_script(path):
    """Whether a file is a script, whatever its name: databases begin with a word of their own."""
    if path.suffix in ('.py', '.db') or not path.is_file():
        return path.suffix == '.py'
    with open(path, 'rb') as file:
        return file.read(6) != b'SQLite'


def _counts_of_file(path):
    from mdao_seq.counting.file import read_call_counts

    try:
        return [(str(path), read_call_counts(path))]
    except ValueError as error:
        sys.exit(f'openmdao count_calls: {error}')


def _counts_of_script(path, user_args):
    """Run a script; return (name, counts) of its problems, and the failure that ended it."""
    from mdao_seq.approximation._openmdao.systems import (
        on_every_final_setup,
        problem_name,
        run_script,
    )
    from mdao_seq.counting.counter import CallCounter

    counters = {}

    def watch(problem):
        if id(problem) not in counters:
            # The problem is kept, so that its id stays its own.
            counters[id(problem)] = problem, CallCounter()
        counters[id(problem)][1].watch_problem(problem)

    on_every_final_setup(watch)
    ended = None
    try:
        run_script(str(path), user_args)
    except SystemExit as end:
        ended = end if end.code else None
    except Exception as failure:
        ended = failure
    inside = {id(inner) for _, counter in counters.values() for inner in counter.inside}
    counted = _apart(
        (problem_name(problem), counter.share)
        for problem, counter in counters.values()
        if id(problem) not in inside
    )
    # A process that failed may be the only one to come here.
    return (counted if ended is not None else _over_processes(counted)), ended


def _apart(counted):
    """Give problems of the same name a number."""
    found, seen = [], Counter()
    for name, counts in counted:
        seen[name] += 1
        found.append((f'{name} ({seen[name]})' if seen[name] > 1 else name, counts))
    return found


def _over_processes(counted):
    """Add what the processes of a parallel run have counted, problem by problem."""
    from mdao_seq.approximation._openmdao.systems import of_all_processes
    from mdao_seq.counting.counts import CallCounts

    summed = {}
    for of_process in of_all_processes(counted):
        for name, counts in of_process:
            summed.setdefault(name, CallCounts()).include(counts)
    return list(summed.items())


def _verify(counted):
    from mdao_seq.approximation._openmdao.systems import is_first_process
    from mdao_seq.counting.counts import CallCountMismatch

    wrong = [] if counted else ['openmdao count_calls: there is nothing to verify']
    for name, counts in counted:
        try:
            counts.verify()
        except CallCountMismatch as error:
            wrong.append(f'{name}: {error}')
    if wrong:
        sys.exit('\n'.join(wrong))
    if is_first_process():
        print('\nmeasured = predicted for every declaration')


def fd_audit_command():
    """Run a script until its model is set up, and print what OpenMDAO does not do as declared."""
    return (
        _fd_audit_arguments,
        _fd_audit,
        'Find finite-difference declarations that OpenMDAO drops or alters.',
    )


def _fd_audit_arguments(parser):
    parser.add_argument('file', nargs=1, help='a Python script that sets up a problem')
    parser.epilog = (
        'The script ends where it would evaluate a component for the first time. Exit status: 0 if '
        'all that is declared holds, 1 if anything is dropped or altered, 2 if the script fails or '
        'finally sets up no problem. Arguments of the script come last, after --'
    )
    parser.add_argument(
        '--run',
        action='store_true',
        help='let the script run to its end, and audit every problem that it sets up',
    )
    parser.add_argument('--json', action='store_true', help='print JSON, and nothing else')


def _fd_audit(options, user_args):
    from mdao_seq.approximation._openmdao.systems import is_first_process

    path = Path(options.file[0])
    if not path.is_file():
        print(f'openmdao fd_audit: {path}: no such file', file=sys.stderr)
        sys.exit(FAILS)
    # What the script prints is no part of the JSON.
    with redirect_stdout(sys.stderr) if options.json else nullcontext():
        audit, failed = _audit_of_script(path, user_args, options.run)
    if not failed:
        # A process that failed may be the only one to come here.
        audit.over_processes()
    if audit.is_empty:
        if not failed:
            print(f'openmdao fd_audit: {path}: no problem reached final_setup', file=sys.stderr)
        sys.exit(FAILS)
    if is_first_process():
        print(json.dumps(audit.to_dict(), indent=1) if options.json else f'\n{audit}')
    sys.exit(FAILS if failed else HOLDS if audit.holds else LOSES)


def _audit_of_script(path, user_args, run):
    """Run a script; return its `FDAudit`, and whether the script failed, which is printed."""
    from mdao_seq.approximation._openmdao.running import FirstRun, stop_at_first_run
    from mdao_seq.approximation._openmdao.systems import run_script
    from mdao_seq.approximation.audit import audit_every_problem

    audit = audit_every_problem()
    if not run:
        stop_at_first_run()
    try:
        run_script(str(path), user_args)
    except FirstRun:
        return audit, False
    except SystemExit as end:
        if end.code:
            print(f'openmdao fd_audit: {path}: the script exits: {end.code}', file=sys.stderr)
        return audit, bool(end.code)
    except Exception:
        traceback.print_exc()
        return audit, True
    return audit, False
