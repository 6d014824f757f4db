"""Every test runs in its own directory, without OpenMDAO's reports."""

import os

import matplotlib
import pytest

os.environ.setdefault('OPENMDAO_REPORTS', '0')
matplotlib.use('Agg')


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
