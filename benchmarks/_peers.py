"""Timing of ours and the peers' in turn, in one process; the table; the JSON."""

import os

for _name in ('OPENBLAS', 'OMP', 'MKL'):
    os.environ.setdefault(f'{_name}_NUM_THREADS', '1')

import argparse
import json
import platform
from functools import partial
from statistics import median
from time import perf_counter

from mdao_seq._files import replacing
from mdao_seq._text_table import text_table


def compare(
    case, what, ours, peers, unit='ms', scale=1e3, rounds=15, least_seconds=0.02, prepare=None
):
    """Time functions of no arguments in turn and return rows, one a peer.

    Parameters
    ----------
    case, what : str
        What is timed, and which part of it, in one word.
    ours : callable
        Our side.
    peers : dict of str to callable or None
        The others, by name; None: not installed.
    unit : str
        Unit of the figures.
    scale : float
        Units per second, divided by how much one call does.
    rounds : int
        Turns; the median counts.
    least_seconds : float
        A turn repeats the call until it has lasted as long.
    prepare : dict of str to callable or None
        What is called before each call of a side, ``'ours'`` or a peer's name, and is not timed.

    Returns
    -------
    list of dict
        Rows ``{case, what, ours, peer, peer_value, unit, ratio}``; a ratio above 1 is in our
        favour.
    """
    sides = {'ours': ours, **{name: peer for name, peer in peers.items() if peer is not None}}
    lasts = {
        name: _prepared(call, prepare[name]) if prepare else partial(_repeated, call)
        for name, call in sides.items()
    }
    repeats = {name: _repeats(last, least_seconds) for name, last in lasts.items()}
    times = {name: [] for name in sides}
    for _ in range(rounds):
        for name, last in lasts.items():
            times[name].append(last(repeats[name]) / repeats[name])
    mine = median(times['ours']) * scale
    rows = []
    for name, peer in peers.items():
        value = None if peer is None else median(times[name]) * scale
        rows.append(
            {
                'case': case,
                'what': what,
                'ours': mine,
                'peer': name,
                'peer_value': value,
                'unit': unit,
                'ratio': None if value is None else value / mine,
            }
        )
    return rows


def _repeated(call, times):
    """Return the seconds that some calls take."""
    start = perf_counter()
    for _ in range(times):
        call()
    return perf_counter() - start


def _prepared(call, prepare):
    """Return a function as `_repeated` of a call that is prepared each time."""

    def last(times):
        total = 0.0
        for _ in range(times):
            prepare()
            start = perf_counter()
            call()
            total += perf_counter() - start
        return total

    return last


def _repeats(last, least_seconds):
    last(1)
    return max(1, int(least_seconds / max(last(1), 1e-9)))


def main(question, make_rows):
    """Print the table of a benchmark; ``--json PATH`` keeps its rows.

    Parameters
    ----------
    question : str
        The module's docstring.
    make_rows : callable
        Yields lists of rows.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument('--json', metavar='PATH', help='write the rows there')
    arguments = parser.parse_args()
    print(question.splitlines()[0])
    print(
        f'{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, '
        'one BLAS thread, medians\n'
    )
    rows = [row for group in make_rows() for row in group]
    header = ('case', 'what', 'ours', 'peer', 'peer_value', 'unit', 'ratio')
    print(
        text_table(
            header,
            [
                [
                    row[k] if row['peer_value'] is not None or row[k] is not None else 'missing'
                    for k in header
                ]
                for row in rows
            ],
        )
    )
    if arguments.json:
        with replacing(arguments.json) as scratch:
            scratch.write_text(json.dumps(rows, indent=1))
