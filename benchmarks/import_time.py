"""How long importing mdao_seq takes beyond OpenMDAO, in new processes.

``import mdao_seq`` imports nothing else; names are resolved when they are first used. So beside it
all public components are imported as well. ``python benchmarks/import_time.py``.
"""

import subprocess
import sys
from statistics import median

from _peers import main

ROUNDS = 9
STATEMENTS = {
    'package': 'import mdao_seq',
    'components': 'from mdao_seq import RNNComp, PageRankComp, PerOutputFD, CallCountRecorder',
}
TIMED = """
import time
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def seconds(before, statement):
    """Return how long a statement takes after another, in a new process."""
    code = before + TIMED.format(statement=statement)
    told = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    return float(told.stdout)


def rows():
    """Yield a row of each statement, beside OpenMDAO's own time."""
    own = median(seconds('', 'import openmdao.api') for _ in range(ROUNDS)) * 1e3
    for what, statement in STATEMENTS.items():
        ours = median(seconds('import openmdao.api', statement) for _ in range(ROUNDS)) * 1e3
        yield [
            {
                'case': what,
                'what': 'import',
                'ours': ours,
                'peer': 'openmdao.api',
                'peer_value': own,
                'unit': 'ms',
                'ratio': own / ours,
            }
        ]


if __name__ == '__main__':
    main(__doc__, rows)
