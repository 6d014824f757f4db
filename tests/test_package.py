"""The house rules: what imports what, where private names stand, and that files are whole."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import mdao_seq
from mdao_seq._files import replacing

PACKAGE = Path(mdao_seq.__file__).parent
NUMERIC = [
    room for room in ('differences', 'sequence', 'graph', 'text') if (PACKAGE / room).is_dir()
]


def modules_after(statement):
    """Names of the modules that a fresh process has after a statement."""
    code = f'{statement}\nimport sys\nprint(*sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_neither_openmdao_nor_numba():
    assert not {'openmdao', 'numba', 'numpy'} & modules_after('import mdao_seq')


@pytest.mark.parametrize('room', NUMERIC)
def test_numeric_rooms_import_no_openmdao_and_numba_where_it_is_asked_for(room):
    files = list((PACKAGE / room).rglob('*.py'))
    assert 'openmdao' not in modules_after(importing(files))
    homes = {home for home in mdao_seq._HOME_OF.values() if home.startswith(f'{room}.')}
    assert 'numba' not in modules_after('\n'.join(f'import mdao_seq.{home}' for home in homes))


def importing(files):
    names = ['.'.join(f.relative_to(PACKAGE.parent).with_suffix('').parts) for f in files]
    return '\n'.join(f'import {name.removesuffix(".__init__")}' for name in names)


@pytest.mark.parametrize('name', mdao_seq.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    value = getattr(mdao_seq, name)
    if name != '__version__':
        assert value.__doc__
        assert value.__name__ == name


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match='no attribute'):
        _ = mdao_seq.PerOutputDF


def test_private_names_of_openmdao_stand_in_one_place():
    """Attributes with a leading underscore are used on self, or on names of our own."""
    openmdao_objects = {'system', 'comp', 'component', 'problem', 'model', 'prob', 'group'}
    offenders = []
    for path in PACKAGE.rglob('*.py'):
        if path.parent.name == '_openmdao':
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr.startswith('_')
                and not node.attr.startswith('__')
                and isinstance(node.value, ast.Name)
                and node.value.id in openmdao_objects
            ):
                offenders.append(f'{path.name}:{node.lineno}: {node.value.id}.{node.attr}')
    assert not offenders


def test_entry_points_resolve():
    from importlib.metadata import entry_points

    ours = [
        e
        for group in ('component', 'case_recorder', 'command', 'report')
        for e in entry_points(group=f'openmdao_{group}')
        if e.value.startswith('mdao_seq')
    ]
    assert len(ours) >= 5
    for entry in ours:
        assert callable(entry.load())


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'model.bin'
    path.write_text('old')
    with pytest.raises(RuntimeError, match='interrupted'), replacing(path) as scratch:
        scratch.write_text('half')
        raise RuntimeError('interrupted')
    assert path.read_text() == 'old'
    with replacing(path) as scratch:
        scratch.write_text('new')
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'), replacing(tmp_path / 'nowhere' / 'x'):
        pass


def test_version_is_one():
    assert importlib.metadata.version('mdao_seq') == mdao_seq.__version__
