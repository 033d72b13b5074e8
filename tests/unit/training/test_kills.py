"""A training that is killed goes on from its last checkpoint and ends with the same bits."""

import os
from pathlib import Path

import pytest

from tests.forks import in_a_new_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="imports are paid once by forking"),
]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kills")
    in_a_new_process("tests.unit.training.killed_training", str(path), "8")
    return path


@pytest.mark.parametrize("moment", ["at_random", "half_written", "not_renamed", "renamed"])
def test_results_have_the_bytes_of_the_undisturbed_training(moment: str, trainings: Path) -> None:
    expected = (trainings / "undisturbed" / "results.pt").read_bytes()
    assert (trainings / moment / "results.pt").read_bytes() == expected


@pytest.mark.parametrize(
    ("moment", "partial"), [("half_written", True), ("not_renamed", True), ("renamed", False)]
)
def test_a_kill_during_the_write_leaves_the_checkpoint_before(
    moment: str, partial: bool, trainings: Path
) -> None:
    left = (trainings / moment / "left").read_text().split()
    assert "checkpoint.pt" in left
    assert any(name.endswith(".partial") for name in left) == partial


def test_nothing_half_written_stays(trainings: Path) -> None:
    assert not list(trainings.rglob("*.partial"))
