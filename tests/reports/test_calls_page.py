"""The page of counts, in a real browser: it opens without a network, sorts, filters and fits."""

import json
import re
import shutil
import subprocess

import pytest

from mdao_seq.counting.counts import CallCounts
from mdao_seq.counting.history import MOST, History
from mdao_seq.counting.rows import Key
from mdao_seq.reports.calls_page import calls_page

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no chromium is installed (Debian's package; .ci/run installs it)"
)


@pytest.fixture
def counts():
    counts = CallCounts()
    counts.components |= {'wing', 'tail', ''}
    counts.add(Key('', 'run_solve_nonlinear', 'fd', 'd(f)/d(x) central order 2, step 0.1'), 2)
    counts.add(Key('wing', 'compute', 'run', ''), 1500, 0.3)
    counts.add(Key('wing', 'compute', 'fd', 'd(y)/d(x) central order 2, step 0.1'), 40, 0.1)
    counts.add(Key('tail', 'compute', 'run', ''), 7, 2.5)
    counts.add(Key('tail', 'compute_partials', 'run', ''), 0, 0.5)
    counts.add(Key('tail', 'compute', 'fd', 'd(</script>)/d(x) forward order 1, step 1'), 3)
    counts.history.mark(counts)
    counts.expect('wing', {'d(y)/d(x) central order 2, step 0.1': 40})
    counts.expect('tail', {'d(</script>)/d(x) forward order 1, step 1': 4})
    return counts


@pytest.fixture
def browse(counts, tmp_path):
    """Return a function that opens the page at an address and returns what is then in it."""
    page = tmp_path / 'page.html'

    def opened(hash='', width=1280, script=''):
        page.write_text(calls_page(counts, 'Evaluations of <a & b>'), encoding='utf-8')
        if script:
            text = page.read_text(encoding='utf-8')
            page.write_text(text.replace('</body>', f'<script>{script}</script></body>'))
        done = subprocess.run(
            [
                BROWSER,
                '--headless',
                '--no-sandbox',
                '--disable-gpu',
                '--no-first-run',
                '--disable-background-networking',
                '--disable-component-update',
                '--disable-sync',
                '--enable-logging=stderr',
                f'--user-data-dir={tmp_path / "profile"}',
                f'--window-size={width},1000',
                '--dump-dom',
                f'{page.as_uri()}{hash}',
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
        assert not console
        return done.stdout

    return opened


def rows_of(dom):
    body = re.search(r'<tbody>(.*?)</tbody>', dom, re.DOTALL)[1]
    return [
        re.findall(r'<td[^>]*>(.*?)</td>', row, re.DOTALL)
        for row in re.findall(r'<tr[^>]*>(.*?)</tr>', body, re.DOTALL)
    ]


def test_the_page_is_whole(counts):
    page = calls_page(counts, 'a < b')
    assert '<title>a &lt; b</title>' in page
    assert not re.findall(r'(?:src|href)\s*=|https?:|@import|url\(', page)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1]
    found = json.loads(data)
    assert len(found['rows']) == 6
    assert found['rows'][0]['path'] == '(model)'


@needs_browser
def test_it_opens_with_a_summary_and_its_verdict(browse):
    dom = browse()
    assert '1,550 evaluations in 2.90 s; 2 linearizations' in dom
    assert '1 declaration measured other than predicted' in dom
    assert len(rows_of(dom)) == 6
    assert '3 / 4' in dom
    assert dom.count('class="differs"') == 1


@needs_browser
def test_it_sorts_and_filters_by_its_address(browse):
    rows = rows_of(browse('#sort=evaluations&down=true'))
    assert [row[5] for row in rows] == ['1,500', '40', '7', '3', '2', '0']
    rows = rows_of(browse('#filter=wing%20fd'))
    assert [row[:3] for row in rows] == [['wing', 'compute', 'fd']]


@needs_browser
def test_a_press_on_a_heading_sorts_and_words_filter(browse):
    dom = browse(
        script="document.querySelectorAll('th button')[7].click();"
        "const box = document.getElementById('filter'); box.value = 'tail';"
        "box.dispatchEvent(new Event('input'));"
    )
    assert [row[7] for row in rows_of(dom)] == ['2.50', '0.500', '0.00']
    assert 'aria-sort="descending"' in dom


@needs_browser
def test_it_shows_the_iterations_of_a_driver(browse):
    dom = browse()
    columns = re.search(r'id="columns".*?</div></div>', dom, re.DOTALL)[0]
    assert 'title="iteration 1: run 1,507, fd 43"' in columns
    assert 'title="after the last iteration: nothing"' in columns
    assert 'Each column: evaluations of an iteration by cause, 1,550 at most' in dom
    assert 'evaluations for derivatives so far, 45 at last' in dom
    assert dom.count('<polyline') == 2
    assert 'run 2.80, fd 0.100' in browse('#measure=seconds')


@needs_browser
def test_without_iterations_it_shows_none(counts, browse):
    counts.history = History()
    dom = browse()
    assert re.search(r'<section id="iterations" hidden', dom)


@needs_browser
@pytest.mark.parametrize('width', [1280, 400])
def test_nothing_is_wider_than_the_window(counts, browse, width):
    """But the table, which scrolls within its frame."""
    for _ in range(MOST - 1):
        counts.history.mark(counts)
    dom = browse(
        width=width,
        script='document.body.dataset.wide = [document.documentElement.scrollWidth,'
        'document.documentElement.clientWidth].join()',
    )
    wide, window = map(int, re.search(r'data-wide="(\d+),(\d+)"', dom).groups())
    assert wide <= window
