"""README does what it says: its commands are CI's, its examples print what stands below them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / 'README.md').read_text(encoding='utf-8')
CI = REPOSITORY / '.ci'
COMMANDS = [
    "pip install '.[examples]' && python examples/water_network.py",
    "pip install '.[test]' && pytest",
]


def blocks(language):
    """Return the fenced blocks of a language."""
    return re.findall(rf'^```{language}\n(.*?)^```$', README, re.DOTALL | re.MULTILINE)


EXAMPLES = re.findall(
    r'^```python\n(.*?)^```\n+```text\n(.*?)^```$', README, re.DOTALL | re.MULTILINE
)


def test_every_example_is_followed_by_what_it_prints():
    assert len(EXAMPLES) == len(blocks('python')) == len(blocks('text')) >= 4


@pytest.mark.parametrize(
    ('code', 'printed'), EXAMPLES, ids=[f'example_{k}' for k in range(1, len(EXAMPLES) + 1)]
)
def test_example_prints_what_readme_shows(code, printed):
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': str(REPOSITORY), 'OPENMDAO_REPORTS': '0'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == printed.splitlines()


def test_the_two_commands_are_the_first_in_readme():
    assert [block.strip() for block in blocks('console')[:2]] == COMMANDS


def test_the_extras_of_the_commands_exist():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    extras = re.findall(r"pip install '\.\[(.*?)\]'", '\n'.join(blocks('console')))
    assert {'examples', 'test'} <= set(extras) <= set(project['optional-dependencies'])


@pytest.mark.skipif(not CI.exists(), reason='no CI in a source distribution')
def test_ci_takes_its_commands_from_readme():
    script = (CI / 'run').read_text()
    for number, command in enumerate(COMMANDS, start=1):
        read = subprocess.run(
            [sys.executable, CI / 'readme_commands.py', str(number)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert read.stdout.strip() == command
        assert f'readme_commands.py {number}' in script
        assert command not in script


def test_files_that_readme_points_to_exist():
    links = re.findall(r'\]\((?!https?:)([^)#]+)\)', README)
    assert links
    for link in links:
        assert (REPOSITORY / link).exists(), link


def test_the_picture_is_small():
    (picture,) = re.findall(r'!\[[^\]]*\]\((.*?)\)', README)
    assert (REPOSITORY / picture).stat().st_size < 200_000
