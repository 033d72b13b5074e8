import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from multifield.models import exchange
from multifield.training import train_network
from multifield.training.device import choose_compile
from tests.forks import in_a_new_process
from tests.tolerances import (
    FIRST_LOSSES_RTOL,
    PARTS_GRADIENT_RTOL,
    PARTS_WEIGHTS_RTOL,
    PARTS_WEIGHTS_STEPS,
)
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data
from tests.unit.training.together import ARCHITECTURES, LR, SETTINGS

# Batch normalization takes out what these add, so that their gradients are rounding, of which AdamW makes
# whole steps; running means follow them.
ROUNDING_ALONE = re.compile(r"C\d\d\.bias|B\d\d\.running_mean")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    in_a_new_process("tests.unit.training.together", str(folder))
    return folder


@pytest.fixture(scope="module")
def ends(folder: Path) -> Any:
    return json.loads((folder / "ends.json").read_text())


def results(folder: Path, name: str) -> list[Any]:
    return [torch.load(folder / size / f"{name}.pt") for size in ("one", "two")]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_of_parts_of_a_batch_are_those_of_the_whole(
    folder: Path, architecture: str
) -> None:
    one, two = results(folder, f"gradients_{architecture}")
    assert one.keys() == two.keys()
    torch.testing.assert_close(two.pop("loss"), one.pop("loss"), rtol=FIRST_LOSSES_RTOL, atol=0)
    largest = max(float(gradient.abs().max()) for gradient in one.values())
    for name, gradient in one.items():
        apart = float((two[name] - gradient).abs().max())
        assert apart < PARTS_GRADIENT_RTOL * largest, name


@pytest.mark.parametrize("name", SETTINGS)
def test_two_processes_learn_what_one_does(folder: Path, name: str) -> None:
    one, two = results(folder, name)
    # validation sees running means, which lag behind those biases
    columns = slice(1, 4) if name == "band_powers" else slice(1, 2)
    torch.testing.assert_close(
        two["losses"][:, columns], one["losses"][:, columns], rtol=FIRST_LOSSES_RTOL, atol=0
    )
    assert one["state"].keys() == two["state"].keys()
    for tensor, value in one["state"].items():
        if not ROUNDING_ALONE.fullmatch(tensor):
            apart = (two["state"][tensor].double() - value.double()).abs().max()
            largest = float(value.double().abs().max())
            assert apart < PARTS_WEIGHTS_RTOL * largest + PARTS_WEIGHTS_STEPS * LR, tensor


def test_a_loss_that_is_no_number_is_one_error_in_all_processes(folder: Path, ends: Any) -> None:
    first, other = ((folder / f"two/diverged_{who}.txt").read_text() for who in (True, False))
    alone = (folder / "one/diverged_True.txt").read_text()
    assert first == other
    assert first.split("maps")[1] == alone.split("maps")[1]
    assert ends["one"] == [0]
    assert ends["two"] == [0, 0]


def test_a_signal_to_one_process_stops_both_with_one_checkpoint(ends: Any) -> None:
    assert ends["stopped"] == [128 + signal.SIGTERM] * 2
    assert ends["left"] == ["disturbed.checkpoint"]


def test_another_number_of_processes_may_not_go_on(ends: Any) -> None:
    assert ends["refused"] == [1]


def test_a_killed_process_ends_the_other_and_the_same_command_goes_on(
    folder: Path, ends: Any
) -> None:
    assert ends["killed"] == [1, -signal.SIGKILL]  # as the connection is lost, not after a silence
    assert ends["gone on"] == [0, 0]
    undisturbed, disturbed = (
        torch.load(folder / f"two/{name}.pt") for name in ("undisturbed", "disturbed")
    )
    assert torch.equal(undisturbed["losses"], disturbed["losses"])
    assert all(torch.equal(disturbed["state"][n], t) for n, t in undisturbed["state"].items())


def test_a_study_of_two_processes_has_the_files_and_trials_of_one(folder: Path) -> None:
    one, two = (json.loads((folder / size / "study.json").read_text()) for size in ("one", "two"))
    assert one == two
    assert [state for state, _ in one["trials"]] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]


# ---- what several processes cannot do ----


@pytest.fixture
def of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_group", exchange.Group(0, 4))


@pytest.mark.usefixtures("of_four")
def test_each_process_needs_a_map_of_every_batch() -> None:
    with pytest.raises(ValueError, match=r"each of 4 processes .* the last batch 2"):
        train_network(make_data(), HYPERPARAMETERS, config(batch_size=7))


@pytest.mark.usefixtures("of_four")
def test_objectives_and_sets_of_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="objective: expected none"):
        train_network(make_data(), HYPERPARAMETERS, config(), objective=lambda *_: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="expected all fields"):
        train_network(make_data().any_fields(2), HYPERPARAMETERS, config())


@pytest.mark.usefixtures("of_four")
def test_steps_of_several_processes_are_not_compiled() -> None:
    assert not choose_compile("auto", torch.device("cuda"))
    with pytest.raises(ValueError, match=r"training.compile: expected auto or never"):
        choose_compile("always", torch.device("cpu"))


def test_rows_of_a_batch_are_shared_without_one_lost() -> None:
    loader = make_data().train
    whole = [list(batch.index) for batch in loader.ordered([0, 1])]
    parts = [loader.part_of(rank, 3) for rank in range(3)]
    for part in parts:
        with part._make_buffers().borrow() as ring:
            assert {len(buffer) for buffer in ring} == {3}
    shared = [[list(batch.index) for batch in part.ordered([0, 1])] for part in parts]
    assert [sum(batch, []) for batch in zip(*shared, strict=True)] == whole  # noqa: RUF017
