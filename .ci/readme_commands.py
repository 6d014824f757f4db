"""Print a command of README.md: the first or the second ``console`` block."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / 'README.md'


def commands():
    """Return the commands in README's console blocks, in order."""
    blocks = re.findall(r'^```console\n(.*?)^```', README.read_text(), re.DOTALL | re.MULTILINE)
    return [line.removeprefix('$ ') for block in blocks for line in block.strip().splitlines()]


if __name__ == '__main__':
    print(commands()[int(sys.argv[1]) - 1])
