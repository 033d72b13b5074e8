"""Every notebook runs from top to bottom, in a project where `kedro run` has finished."""

import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.projects import ROOT, make_project, run_kedro, run_python
from tests.helpers.tolerances import TIME_LIMIT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTE = """
import sys

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

path, socket, seconds = sys.argv[1:]
config = Config()
config.ConnectionFileMixin.transport = "ipc"
config.ConnectionFileMixin.ip = socket
config.NotebookClient.startup_timeout = int(seconds)
notebook = nbformat.read(path, as_version=4)
NotebookClient(notebook, config=config, resources={"metadata": {"path": "notebooks"}}).execute()
"""
AT_ONCE = 2  # each notebook has a separate kernel, which imports everything again


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("notebooks") / "project")
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    done = run_kedro(project, "run", "--env", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def execute(project: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run a notebook of the project in a kernel, which stops at the first cell that raises.

    By default a kernel chooses five free ports and opens them later, when other programs may use them.
    Sockets in a temporary folder avoid this race.
    """
    with tempfile.TemporaryDirectory() as sockets:  # names of sockets have at most 107 characters
        given = f"notebooks/{name}", f"{sockets}/socket", str(int(TIME_LIMIT))
        return run_python(project, "-c", EXECUTE, *given, KEDRO_ENV="test", OMP_NUM_THREADS="1")


def test_every_notebook_runs(project):
    names = [path.name for path in NOTEBOOKS]
    assert names
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = dict(zip(names, pool.map(partial(execute, project), names), strict=True))
    failed = {name: each.stderr for name, each in done.items() if each.returncode}
    assert not failed, "\n".join(failed.values())


def test_a_cell_that_raises_is_noticed(project):
    """Errors are also noticed after `kedro.ipython`, whose tracebacks are not error outputs."""
    notebook = json.loads(NOTEBOOKS[0].read_text())
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [cell | {"source": ["%load_ext kedro.ipython\n", "1 / 0"]}]
    (project / "notebooks" / "raises.ipynb").write_text(json.dumps(notebook))
    done = execute(project, "raises.ipynb")
    assert done.returncode == 1
    assert "CellExecutionError" in done.stderr
    assert "1 / 0" in done.stderr
