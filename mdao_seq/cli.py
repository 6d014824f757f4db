"""``openmdao`` subcommands: ``openmdao count_calls model.py`` and ``openmdao count_calls file.db``.

Each command is an entry point in the group ``openmdao_command``: a function that returns
(parser set-up, executor, help).
"""

import sys
from pathlib import Path


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
    path = Path(options.file[0])
    if not path.exists():
        sys.exit(f'openmdao count_calls: {path}: no such file')
    if path.suffix == '.py':
        counted, ended = _counts_of_script(path, user_args)
    else:
        counted, ended = _counts_of_file(path), None
    for name, counts in counted:
        print(f'\n{name}\n{counts.table()}')
    if not counted:
        print(f'{path}: no problem was set up')
    if ended is not None:
        raise ended
    if options.verify:
        _verify(counted)


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
    return [(problem_name(problem), c.counts) for problem, c in counters.values()], ended


def _verify(counted):
    from mdao_seq.counting.counts import CallCountMismatch

    wrong = [] if counted else ['openmdao count_calls: there is nothing to verify']
    for name, counts in counted:
        try:
            counts.verify()
        except CallCountMismatch as error:
            wrong.append(f'{name}: {error}')
    if wrong:
        sys.exit('\n'.join(wrong))
    print('\nmeasured = predicted for every declaration')
