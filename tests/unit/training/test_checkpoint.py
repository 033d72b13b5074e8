import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multifield.data import MapLoader, SplitLoaders
from multifield.training import (
    NonFiniteLoss,
    TrainedNetwork,
    TrainingInterrupted,
    remove_checkpoint,
    train_network,
    train_step,
)
from multifield.training.checkpoint import FORMAT, attempts_folder
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta


def train(checkpoint: Path | None, data: SplitLoaders | None = None, **options: Any) -> Any:
    """Three epochs of four batches each, with dropout."""
    return train_network(
        data or make_data(), HYPERPARAMETERS, config(), checkpoint=checkpoint, **options
    )


def raise_after(epoch: int) -> Callable[..., None]:
    """Return a report that raises after an epoch, before its checkpoint."""

    def report(reported: int, *_: object) -> None:
        if reported == epoch:
            raise ConnectionError

    return report


def signal_after(monkeypatch: pytest.MonkeyPatch, step: int, signum: int = signal.SIGTERM) -> None:
    """Send a signal during a step."""

    def hit(*arguments: Any, **options: Any) -> float:
        if options["step"] == step:
            signal.raise_signal(signum)
        return train_step(*arguments, **options)

    monkeypatch.setattr("multifield.training.loop.train_step", hit)


def stop_after(checkpoint: Path, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, step)
        with pytest.raises(TrainingInterrupted):
            train(checkpoint)


def assert_same(trained: TrainedNetwork, expected: TrainedNetwork) -> None:
    np.testing.assert_array_equal(trained.losses, expected.losses)
    assert trained.best_epoch == expected.best_epoch
    assert trained.best_valid_loss == expected.best_valid_loss
    assert trained.state.keys() == expected.state.keys()
    for name, tensor in expected.state.items():
        assert torch.equal(trained.state[name], tensor), name


@pytest.fixture(scope="module")
def undisturbed() -> TrainedNetwork:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    trained: TrainedNetwork = train(None)
    torch.set_num_threads(before)
    return trained


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "c.pt"


def test_a_checkpoint_changes_no_number(path: Path, undisturbed: TrainedNetwork) -> None:
    assert_same(train(path), undisturbed)
    assert path.is_file()


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_training_goes_on_from_any_epoch(
    epoch: int, path: Path, undisturbed: TrainedNetwork
) -> None:
    with pytest.raises(ConnectionError):
        train(path, report=raise_after(epoch))
    assert path.exists() == (epoch > 0)
    assert_same(train(path), undisturbed)


@pytest.mark.parametrize("step", [0, 2, 3, 5, 11])
def test_a_signal_leaves_a_checkpoint_after_its_step(
    step: int, path: Path, undisturbed: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(path, step)
    steps = []

    def noted(*arguments: Any, **options: Any) -> float:
        steps.append(options["step"])
        return train_step(*arguments, **options)

    monkeypatch.setattr("multifield.training.loop.train_step", noted)
    assert_same(train(path), undisturbed)
    assert steps == list(range(step + 1, 12))


def test_a_signal_ends_an_evaluation_which_is_repeated(
    path: Path, undisturbed: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, original, n_batches = make_data(), MapLoader.ordered, []

    def hit(loader: MapLoader, orientations: Any) -> Any:
        for batch in original(loader, orientations):
            n_batches.append(1)
            if len(n_batches) == 3:  # the first of two of the test set, after epoch 0
                signal.raise_signal(signal.SIGTERM)
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(MapLoader, "ordered", hit)
        with pytest.raises(TrainingInterrupted, match="in epoch 0 after 4 batches"):
            train(path, data)
    assert len(n_batches) == 3
    assert_same(train(path, data), undisturbed)


def test_an_interruption_says_what_it_kept_and_where(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_after(monkeypatch, 5, signal.SIGINT)
    with pytest.raises(TrainingInterrupted, match=r"SIGINT in epoch 1 after 2 batches\. .*c\.pt"):
        train(path)


def test_a_finished_training_is_not_repeated(
    path: Path, undisturbed: TrainedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(path)
    monkeypatch.delattr("multifield.training.loop.train_step")
    assert_same(train(path), undisturbed)


def test_every_epoch_is_reported_once(path: Path, undisturbed: TrainedNetwork) -> None:
    reported: list[tuple[float, ...]] = []

    def report(epoch: int, losses: tuple[float, ...]) -> None:
        reported.append((epoch, *losses))

    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, 5)
        with pytest.raises(TrainingInterrupted):
            train(path, report=report)
    train(path, report=report)
    np.testing.assert_array_equal(reported, undisturbed.losses)


@pytest.mark.parametrize(("every", "written"), [(1, [1, 2, 3]), (2, [2, 3]), (5, [3])])
def test_checkpoints_come_every_so_many_epochs_and_in_the_end(
    every: int, written: list[int], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        "multifield.training.checkpoint.Checkpoint.write", lambda _, state: seen.append(state.epoch)
    )
    train_network(make_data(), HYPERPARAMETERS, config(checkpoint_every=every), checkpoint=path)
    assert seen == written


def test_none_are_written_where_none_are_asked_for(path: Path) -> None:
    train_network(make_data(), HYPERPARAMETERS, config(checkpoint_every=0), checkpoint=path)
    assert not path.parent.exists()


def test_the_best_state_is_saved_once(path: Path) -> None:
    with pytest.raises(ConnectionError):
        train(path, report=raise_after(1))
    # after one epoch the network itself is the best
    assert torch.load(path, weights_only=True)["best_state"] is None


def test_an_earlier_best_state_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_data()

    def scripted(network: object, loader: MapLoader, *_: object) -> float:
        calls.append(1)
        return float(len(calls))  # rises, so that the first epoch is the best

    monkeypatch.setattr("multifield.training.loop.evaluate_loss", scripted)
    calls: list[int] = []
    expected = train(None, data)
    calls.clear()
    with pytest.raises(ConnectionError):
        train(path, data, report=raise_after(2))
    calls[4:] = []
    trained = train(path, data)
    assert trained.best_epoch == 0
    assert_same(trained, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hyperparameters": replace(HYPERPARAMETERS, lr=5e-3)},
            r"hyperparameters\.lr: .*0\.01.*0\.005",
        ),
        (
            {"config": config(flips=False)},
            r"training\.flips: checkpoint True, this run False",
        ),
        ({"seed": 9}, "seed: checkpoint 5, this run 9"),
        ({"data": make_data(channels=2)}, r"data\.channels: checkpoint 1, this run 2"),
        ({"data": make_data(n_train=3)}, r"data\.train: checkpoint 30 maps.* 45 maps"),
        (
            {"data": make_data(theta=make_theta(5)[1:])},
            r"data\.train: checkpoint 30 maps.* \(.*\), this run 30 maps.* \(",
        ),
        ({"data": make_data(inferred=(0,))}, r"data\.inferred: .*\(0, 1\), this run \(0,\)"),
        (
            {"data": replace(make_data(), causes={"split.seed": "2"})},
            r"split\.seed: .*nothing",
        ),
    ],
)
def test_the_checkpoint_of_another_run_is_refused(
    changes: dict[str, Any], message: str, path: Path
) -> None:
    stop_after(path, 0)
    before = path.read_bytes()
    options = {"data": make_data(), "hyperparameters": HYPERPARAMETERS, "config": config()}
    with pytest.raises(ValueError, match=rf"(?s)c\.pt: .*Delete it.*{message}"):
        train_network(**(options | changes), checkpoint=path)
    assert path.read_bytes() == before


def test_the_machine_may_change(path: Path, undisturbed: TrainedNetwork) -> None:
    stop_after(path, 5)
    elsewhere = config(prefetch=0, loader_threads=2, checkpoint_every=2)
    assert_same(
        train_network(make_data(), HYPERPARAMETERS, elsewhere, checkpoint=path), undisturbed
    )


def test_a_damaged_checkpoint_is_refused(path: Path) -> None:
    stop_after(path, 0)
    whole = path.read_bytes()
    weight = torch.load(path, weights_only=True)["network"]["FC1.weight"].numpy().tobytes()
    flipped = bytearray(whole)
    flipped[whole.index(weight)] ^= 1  # one bit of a number
    for damaged in (bytes(flipped), whole[: len(whole) // 2], b"", b"something else"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"c\.pt: .*Delete it to restart"):
            train(path)


def test_code_in_a_checkpoint_is_not_run(path: Path, tmp_path: Path) -> None:
    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "run",)

    path.parent.mkdir()
    torch.save({"format": FORMAT, "network": Exploit()}, path)
    with pytest.raises(ValueError, match="Delete it"):
        train(path)
    assert not (tmp_path / "run").exists()


def test_a_file_of_something_else_is_refused(path: Path, undisturbed: TrainedNetwork) -> None:
    path.parent.mkdir()
    torch.save(undisturbed.state, path)
    with pytest.raises(ValueError, match="Expected a checkpoint of format 2"):
        train(path)


def test_another_pytorch_is_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop_after(path, 0)
    torch.save(torch.load(path, weights_only=True) | {"torch": "2.0.0"}, path)
    train(path)
    assert "Written by PyTorch 2.0.0" in caplog.text


def test_a_non_finite_loss_stops_a_training_that_went_on_too(path: Path) -> None:
    stop_after(path, 5)
    data = make_data()
    data.train._scaled[:] = np.nan
    with pytest.raises(NonFiniteLoss, match=r"step 6 at learning rate .*, maps \["):
        train(path, data)


def test_a_checkpoint_is_removed_with_its_attempts(path: Path) -> None:
    train(path)
    attempts_folder(path).mkdir()
    remove_checkpoint(path)
    assert not list(path.parent.iterdir())
    remove_checkpoint(path)


def test_a_training_in_another_thread_has_its_checkpoint_too(
    path: Path, undisturbed: TrainedNetwork
) -> None:
    stop_after(path, 5)
    with ThreadPoolExecutor(1) as pool:
        assert_same(pool.submit(train, path).result(), undisturbed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_checkpoint_of_a_gpu_has_its_random_state(path: Path) -> None:
    settings = config(epochs=1, device="cuda")
    train_network(make_data(), HYPERPARAMETERS, settings, checkpoint=path)
    assert set(torch.load(path, weights_only=True)["random"]) == {"cpu", "cuda"}
