"""`multifield.launch`, as a user runs it: two processes train each network."""

from pathlib import Path

import pytest

from tests.support import make_project, run_kedro, run_python


def launch(project: Path, *arguments: str) -> str:
    options = ("-m", "multifield.launch", *arguments, "--env", "test")
    done = run_python(project, *options, COLUMNS="200", CUDA_VISIBLE_DEVICES="")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def files(project: Path) -> list[str]:
    models = project / "data/06_models"
    return sorted(str(path.relative_to(models)) for path in models.rglob("*") if path.is_file())


@pytest.mark.slow
def test_networks_that_two_processes_train_leave_the_files_of_one(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    for stages in ("ingest,preprocess", "tune", "train"):
        done = run_kedro(project, "run", "--env", "test", "--pipelines", stages)
        assert done.returncode == 0, done.stdout + done.stderr
    of_one = files(project)
    (project / "data/06_models").rename(tmp_path / "of_one")
    said = launch(project, "--together", "2")
    assert said.count("by 2 processes") == 2  # trials
    assert "by 2 processes" in launch(project, "--together", "2", "--pipeline", "train")
    assert files(project) == of_one
