"""Networks that one process trains, and two together, undisturbed, stopped and killed; no test.

``python -m tests.unit.training.together FOLDER`` leaves the results of each in the folder.
"""

import json
import os
import signal
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import torch._dynamo  # what else an optimizer imports in each child
from torch import Tensor

from multifield import processes
from multifield.launch import group_environments, reserved_port
from multifield.maps import SplitLoaders
from multifield.models import exchange
from multifield.models.weights import save_whole
from multifield.training import (
    EpochLosses,
    Hyperparameters,
    NonFiniteLoss,
    PlainObjective,
    TrainingInterrupted,
    on_device,
    train_network,
)
from multifield.training.step import build_network
from multifield.tuning import follow, tune
from tests.forks import end_of, fork
from tests.unit.training.examples import MAP_SIZE, config, make_data
from tests.unit.tuning.test_trials import FINGERPRINT, TUNING, make_folder

ARCHITECTURES = ("o3_err", "band_powers", "summary_statistics")
BATCH_SIZE = 7  # of 30 maps to train on; the last batch has 2
SETTINGS: dict[str, dict[str, Any]] = {
    "o3_err": {"architecture": "o3_err"},
    "band_powers": {"architecture": "band_powers"},
    "settings": {"loss": "gaussian", "weight_averaging": 0.9, "resident": "always"},
}
CPU = torch.device("cpu")
LR = 1e-3


def data() -> SplitLoaders:
    made = make_data()
    for loader in (made.train, made.valid, made.test):
        loader.batch_size = BATCH_SIZE
    return made


def train(
    folder: Path, name: str, *, dr: float = 0.0, disturb: int = 0, in_epoch: int = 0, **changes: Any
) -> None:
    """Train and keep the results; with dropout from a checkpoint on."""

    def report(epoch: int, losses: EpochLosses) -> None:
        if disturb and epoch == in_epoch:
            os.kill(int((folder / "last.pid").read_text()), disturb)

    if not processes.is_first():
        (folder / "last.pid").write_text(str(os.getpid()))
    trained = train_network(
        data(),
        Hyperparameters(lr=LR, wd=1e-3, dr=dr, hidden=1),
        config(**{"batch_size": BATCH_SIZE} | changes),
        report=report,
        checkpoint=folder / f"{name}.checkpoint" if dr else None,
    )
    if processes.is_first():
        results = {"state": trained.state, "losses": torch.from_numpy(trained.losses)}
        save_whole(folder / f"{name}.pt", results)


def differentiate(folder: Path, architecture: str) -> None:
    """Keep the gradients of a first batch, of 7 maps."""
    settings = config(batch_size=BATCH_SIZE, architecture=architecture)
    torch.manual_seed(3)
    loaders = data().part_of(*exchange.group())
    network = build_network(loaders, Hyperparameters(lr=1, wd=0, dr=0, hidden=2), settings, CPU)
    if architecture != "o3_err":  # the others' last layers begin with zeros
        torch.nn.init.normal_(network.FC3.weight, std=0.1)  # type: ignore[arg-type, union-attr]
        torch.nn.init.normal_(network.direct.weight, std=0.1)  # type: ignore[arg-type, union-attr]
    drawn = loaders.train.random_epoch(1, 0, flips=True, shifts=True)
    batch = next(on_device(drawn, CPU))
    synchronized = exchange.synchronized(network)
    loss, _ = PlainObjective()(synchronized, batch, [0, 1])
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    if exchange.group().rank == 0:
        content: dict[str, Tensor] = {"loss": loss.detach(), **gradients}
        save_whole(folder / f"gradients_{architecture}.pt", content)


def diverge(folder: Path) -> None:
    """Train on maps of which one, which a single process has, is no number."""
    broken = data()
    broken.train._maps[0][4, MAP_SIZE // 2, 1] = float("nan")
    settings = config(batch_size=BATCH_SIZE)
    try:
        train_network(broken, Hyperparameters(lr=1e-3, wd=0, dr=0, hidden=1), settings)
    except NonFiniteLoss as error:
        (folder / f"diverged_{processes.is_first()}.txt").write_text(str(error))


def tune_together(folder: Path) -> None:
    """Tune four trials, of which one diverges and one is pruned; keep what is left of them."""
    training = config(batch_size=BATCH_SIZE, epochs=2)
    models = make_folder(folder / "study")

    def data_of(number: int) -> SplitLoaders:
        made = data()
        if number == 1:
            made.train._maps[0][:] = float("nan")
        return made

    def on_epoch(trial: optuna.Trial, epoch: int, losses: EpochLosses) -> None:
        if trial.number == 2:
            raise optuna.TrialPruned

    if exchange.group().rank > 0:
        follow(data_of, training)
        return
    study = tune(data_of, models, TUNING, training, fingerprint=FINGERPRINT, on_epoch=on_epoch)
    left = {
        "files": sorted(str(p.relative_to(models.path)) for p in models.path.rglob("*")),
        "trials": [(trial.state.name, trial.params) for trial in study.trials],
    }
    (folder / "study.json").write_text(json.dumps(left))


def try_all(folder: Path) -> None:
    """All that ends by itself, one after another in the same processes."""
    with exchange.joined(CPU):
        for architecture in ARCHITECTURES:
            differentiate(folder, architecture)
        for name, changes in SETTINGS.items():
            train(folder, name, **changes)
        diverge(folder)
        tune_together(folder)
        if exchange.group().size > 1:
            train(folder, "undisturbed", dr=0.2)


def run(size: int, folder: Path, work: Any) -> list[int]:
    """Do some work in so many processes; their exit codes."""
    folder.mkdir(exist_ok=True)

    def in_environment(environment: dict[str, str]) -> None:
        os.environ.update(environment)
        try:
            work(folder)
        except TrainingInterrupted as interruption:
            os._exit(128 + interruption.signal)

    with reserved_port() as port:
        environments = group_environments(size, port) if size > 1 else [{}]
        children = [fork(partial(in_environment, each)) for each in environments]
        return [end_of(child) for child in children]


def main(path: Path) -> None:
    exchange.SILENCE = timedelta(days=1)  # nothing ends because it has waited for long
    ends: dict[str, Any] = {"one": run(1, path / "one", try_all)}
    two = path / "two"
    ends["two"] = run(2, two, try_all)
    disturbed = partial(train, name="disturbed", dr=0.2)
    ends["stopped"] = run(2, two, partial(disturbed, disturb=signal.SIGTERM))
    ends["left"] = sorted(each.name for each in two.glob("disturbed*"))
    ends["refused"] = run(1, two, disturbed)
    ends["killed"] = run(2, two, partial(disturbed, disturb=signal.SIGKILL, in_epoch=1))
    ends["gone on"] = run(2, two, disturbed)
    (path / "ends.json").write_text(json.dumps(ends))


if __name__ == "__main__":
    assert torch._dynamo
    main(Path(sys.argv[1]))
