"""Waiting OpenMP threads, which are set up before the import of PyTorch."""

import os

import pytest

from multifield.core.threads import SPIN_COUNT, spin_briefly
from tests.helpers.projects import run_python


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, SPIN_COUNT),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "active"}, None),
    ],
)
def test_settings_of_the_user_are_kept(monkeypatch, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    spin_briefly()
    assert os.environ.get("GOMP_SPINCOUNT") == expected


def test_the_command_sets_up_threads_before_pytorch(tmp_path):
    code = """
import os, sys
class Check:
    def find_spec(self, name, path, target=None):
        if name == "torch" and not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
            sys.exit("PyTorch is imported before the threads are set up.")
sys.meta_path.insert(0, Check())
import multifield.cli, multifield.settings, torch
"""
    done = run_python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr


def test_pipelines_and_datasets_do_not_import_pytorch(tmp_path):
    """It takes more than a second, which every command would pay."""
    code = """
import sys
import multifield.settings, multifield.datasets
from multifield.pipeline_registry import register_pipelines
register_pipelines()
assert "torch" not in sys.modules
"""
    done = run_python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
