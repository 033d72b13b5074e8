"""Every notebook runs from top to bottom, in a project where `kedro run` has finished."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT, make_project, run_kedro

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("notebooks") / "project")
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    done = run_kedro(project, "run", "--env", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_every_notebook_runs(project):
    """All in one process of pytest, two at a time: seven would each import it anew."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "-q", "-n", "2", "notebooks"],
        cwd=project,
        env=os.environ | {"KEDRO_ENV": "test", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(NOTEBOOKS)} passed" in done.stdout
