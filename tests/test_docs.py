"""The reference names all that is public, and no page is missing from the table of contents."""

from pathlib import Path

import pytest

import mdao_seq

DOCS = Path(__file__).parents[1] / 'docs'
REFERENCE = '\n'.join(page.read_text() for page in sorted((DOCS / 'reference').glob('*.md')))
PAGES = sorted(DOCS.glob('*/*.md'))


@pytest.mark.parametrize('name', [name for name in mdao_seq.__all__ if name != '__version__'])
def test_every_public_name_is_in_the_reference(name):
    assert any(
        line.startswith('.. auto') and line.split()[-1].removesuffix('()') == name
        for line in REFERENCE.splitlines()
    )


@pytest.mark.parametrize('page', PAGES, ids=lambda page: f'{page.parent.name}/{page.stem}')
def test_every_page_is_in_a_table_of_contents(page):
    contents = [DOCS / 'index.md', page.parent / 'index.md']
    lines = '\n'.join(c.read_text() for c in contents if c.exists()).splitlines()
    assert {page.stem, f'{page.parent.name}/{page.stem}'} & set(lines)
