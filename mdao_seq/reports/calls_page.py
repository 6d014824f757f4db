"""The report ``mdao_seq_calls``: a page of evaluations by component, cause and declaration.

Ask for it as for any OpenMDAO report: ``om.Problem(reports=['mdao_seq_calls'])`` or
``OPENMDAO_REPORTS=mdao_seq_calls``. The page is one file, `calls_page.html` with the counts in it.
"""

import atexit
import json
from html import escape
from pathlib import Path

from openmdao.utils.reports_system import register_report

from mdao_seq._files import replacing
from mdao_seq.approximation._openmdao.systems import problem_name
from mdao_seq.counting.counter import CallCounter
from mdao_seq.counting.counts import MODEL
from mdao_seq.counting.file import CountFile, process_of, read_processes

NAME = 'mdao_seq_calls'

_PAGE = Path(__file__).with_suffix('.html')


def calls_page(counts, title='Evaluations'):
    """Return a self-contained HTML page of counts.

    Parameters
    ----------
    counts : CallCounts
        What was counted.
    title : str
        Heading of the page.

    Returns
    -------
    str
        The page; its table sorts and filters, and needs no network.
    """
    data = counts.to_dict()
    for row in data['rows']:
        row['path'] = row['path'] or MODEL
    for entry in data['iterations']:
        for made in entry['made']:
            made[0] = made[0] or MODEL
    # So that no name ends the script that holds it.
    embedded = json.dumps(data).replace('<', '\\u003c')
    page = _PAGE.read_text(encoding='utf-8')
    return page.replace('{{title}}', escape(title)).replace('{{data}}', embedded)


def register_calls_report():
    """Make the report known to OpenMDAO; this is the entry point."""
    register_report(
        NAME,
        _count_until_exit,
        'Evaluations by component, cause and declaration',
        'Problem',
        'final_setup',
        'post',
    )


def _count_until_exit(problem):
    """Count from the first final_setup on, and write the page when the process ends.

    Processes of a parallel run end each in its time: each adds its share to what others have left
    beside the page, and writes it anew.
    """
    counter, process = CallCounter(), process_of(problem.comm)
    counter.watch_problem(problem)
    folder, name = Path(problem.get_reports_dir()), problem_name(problem)

    def write():
        folder.mkdir(parents=True, exist_ok=True)
        counts, missing = counter.share, 0
        if process.size > 1:
            counts, missing = _with_those_that_ended(folder / f'{NAME}.db', process, counts)
        title = f'Evaluations of {name}'
        title += f', without {missing} of {process.size} processes' if missing else ''
        with replacing(folder / f'{NAME}.html') as scratch:
            scratch.write_text(calls_page(counts, title), encoding='utf-8')

    atexit.register(write)


def _with_those_that_ended(path, process, counts):
    """Return the sum over the processes that have ended, this one too, and how many have not."""
    file = CountFile(path, process)
    file.write(counts)
    file.close()
    return read_processes(path, process)
