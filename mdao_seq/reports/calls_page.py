"""The report ``mdao_seq_calls``: a page of evaluations by component, cause and declaration.

Ask for it as for any OpenMDAO report: ``om.Problem(reports=['mdao_seq_calls'])`` or
``OPENMDAO_REPORTS=mdao_seq_calls``. The page is one file without scripts or links.
"""

import atexit
from html import escape
from pathlib import Path

from openmdao.utils.reports_system import register_report

from mdao_seq._files import replacing
from mdao_seq.approximation._openmdao.systems import problem_name
from mdao_seq.counting.counter import CallCounter
from mdao_seq.counting.counts import MODEL

NAME = 'mdao_seq_calls'

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
        padding: 0 1rem; color: #1b2733; background: #fff; }}
div.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #dde3e9; }}
th {{ border-bottom: 2px solid #1b2733; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
td.bar {{ width: 22%; min-width: 6rem; }}
td.bar div {{ height: .8rem; background: #0072b2; border-radius: 2px; }}
tr.differs td {{ background: #fdeee6; }}
</style></head><body>
<h1>{title}</h1>
<p>{summary}</p>
<div class="wide"><table>
<thead><tr><th>component</th><th>method</th><th>cause</th><th>declaration</th><th>calls</th>
<th>evaluations</th><th></th><th>predicted</th><th>seconds</th></tr></thead>
<tbody>
{rows}
</tbody></table></div>
</body></html>
"""


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
        The page.
    """
    rows = counts.rows()
    most = max((row.evaluations for row in rows), default=1) or 1
    sums = counts.sums()
    summary = f'{sums["evaluations"]} evaluations in {sums["seconds"]:.3g} s'
    lines = []
    for row in rows:
        differs = ' class="differs"' if row.predicted not in (None, row.evaluations) else ''
        words = ''.join(f'<td>{escape(word)}</td>' for word in (row.path or MODEL, *row[1:4]))
        expected = '' if row.predicted is None else row.predicted
        lines.append(
            f'<tr{differs}>{words}<td class="number">{row.calls}</td>'
            f'<td class="number">{row.evaluations}</td>'
            f'<td class="bar"><div style="width:{100 * row.evaluations / most:.1f}%"></div></td>'
            f'<td class="number">{expected}</td><td class="number">{row.seconds:.3g}</td></tr>'
        )
    return _PAGE.format(title=escape(title), summary=escape(summary), rows='\n'.join(lines))


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
    """Count from the first final_setup on, and write the page when the process ends."""
    if problem.comm.rank != 0:
        return
    counter = CallCounter()
    counter.watch_problem(problem)
    folder, name = Path(problem.get_reports_dir()), problem_name(problem)

    def write():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f'{NAME}.html') as scratch:
            scratch.write_text(calls_page(counter.counts, f'Evaluations of {name}'))

    atexit.register(write)
