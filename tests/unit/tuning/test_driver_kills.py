"""A study that is killed repeatedly equals an uninterrupted one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from multifield.models import ModelFolder
from multifield.tuning import load_study
from tests.helpers.projects import ROOT, run_python
from tests.unit.tuning.test_driver import make_folder, outcome

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="imports are paid once by forking"),
]

N_KILLS = 20


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[ModelFolder]:
    """The uninterrupted study, and those that were killed."""
    path = tmp_path_factory.mktemp("kills")
    program = ("-m", "tests.unit.tuning.killed_study", str(path), str(N_KILLS))
    done = run_python(ROOT, *program, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    kills = [int(number) for number in done.stdout.splitlines()[-1].split()]
    assert sum(kills) == N_KILLS
    names = ["undisturbed", *(f"killed_{number}" for number in range(len(kills)))]
    return [make_folder(path / name) for name in names]


def test_values_and_parameters_are_those_of_the_undisturbed_study(
    studies: list[ModelFolder],
) -> None:
    expected = outcome(load_study(studies[0].database))
    assert len(expected) == 4
    for folder in studies[1:]:
        assert outcome(load_study(folder.database)) == expected


def test_weights_and_losses_have_the_same_bytes(studies: list[ModelFolder]) -> None:
    for folder in studies[1:]:
        for trial in range(4):
            for name in ("weights", "losses"):
                expected, found = (getattr(each, name)(trial) for each in (studies[0], folder))
                assert found.read_bytes() == expected.read_bytes(), found


def test_nothing_else_is_left(studies: list[ModelFolder]) -> None:
    def listing(folder: ModelFolder) -> set[Path]:
        return {path.relative_to(folder.path) for path in folder.path.rglob("*")}

    for folder in studies[1:]:
        assert listing(folder) == listing(studies[0])


def test_databases_are_sound(studies: list[ModelFolder]) -> None:
    for folder in studies:
        with closing(sqlite3.connect(folder.database)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
