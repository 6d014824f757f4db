"""Sphinx configuration: MyST-NB pages whose cells are executed at every build."""

import os
import re
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
CODE = [HERE.parent, HERE.parent / 'examples', HERE]  # the package, the examples, pictures.py

# For autodoc, and for the kernels that execute the pages.
sys.path[:0] = map(str, CODE)
os.environ['PYTHONPATH'] = os.pathsep.join(
    [*map(str, CODE), *filter(None, [os.environ.get('PYTHONPATH')])]
)
os.environ['OPENMDAO_REPORTS'] = '0'
os.environ['OPENBLAS_NUM_THREADS'] = '1'
# Pictures appear on the page, whatever backend the build was started with.
os.environ['MPLBACKEND'] = 'module://matplotlib_inline.backend_inline'

import mdao_seq  # noqa: E402

project = 'mdao_seq'
author = 'the mdao_seq authors'
copyright = author
version = release = mdao_seq.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'numpydoc',
    'myst_nb',
]
exclude_patterns = ['_build', 'jupyter_execute', 'Thumbs.db', '.DS_Store']
source_suffix = {'.md': 'myst-nb', '.rst': 'restructuredtext'}

html_theme = 'furo'
html_title = f'mdao_seq {version}'
html_static_path = ['_static']
html_css_files = ['tables.css']
html_show_copyright = False

myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

nb_execution_mode = 'force'
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_output_stderr = 'show'
nb_render_markdown_format = 'myst'  # tables, which CommonMark has not

default_role = 'py:obj'  # `name` in a docstring links to what it names
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
autosummary_generate = False
numpydoc_show_class_members = False
# numpydoc reads signatures before keep_component_sections has acted.
warnings.filterwarnings('ignore', 'Unknown section (Inputs|Outputs)')


def keep_component_sections(app, what, name, obj, options, lines):
    """Keep the sections Inputs and Outputs of components, which numpydoc would drop."""
    text = '\n'.join(lines)
    text = re.sub(r'^(Inputs|Outputs)\n-+\n', r'.. rubric:: \1\n\n', text, flags=re.MULTILINE)
    lines[:] = text.splitlines()


def setup(app):
    """Act on docstrings before numpydoc does."""
    app.connect('autodoc-process-docstring', keep_component_sections, priority=100)
