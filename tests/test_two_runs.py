"""Two runs at the same time in one `data/`: each has the results that it has alone."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.projects import make_project
from tests.helpers.tolerances import TIME_LIMIT

CHOICES = ("suite=MockTNG,field=T", "suite=MockSIMBA,field=HI")
# neither times nor paths are in these
COMPARED = (
    "data/07_model_output/*",
    "data/08_reporting/*/*.json",
    "data/08_reporting/*/levels.csv",
    "data/08_reporting/*/calibration_tests.csv",
)


def start(project: Path, choices: str) -> "subprocess.Popen[str]":
    """Start a run of all stages."""
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", "--env", "test", "--params", choices],
        cwd=project,
        env=os.environ | {"DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_all(project: Path, *choices: str) -> dict[str, str]:
    """Start runs at the same time, wait, and return the SHA-256 of their results."""
    processes = [start(project, each) for each in choices]
    for process in processes:
        printed, _ = process.communicate(timeout=TIME_LIMIT)
        assert process.returncode == 0, printed
    paths = {path for pattern in COMPARED for path in project.glob(pattern)}
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Results of each run alone, in projects of their own."""
    found: dict[str, str] = {}
    for number, choices in enumerate(CHOICES):
        project = make_project(tmp_path_factory.mktemp("alone") / str(number))
        found |= run_all(project, choices)
    return found


def test_two_runs_at_once_do_not_mix(alone: dict[str, str], tmp_path: Path) -> None:
    together = run_all(make_project(tmp_path / "project"), *CHOICES)
    assert len(together) > 10
    assert together == alone
