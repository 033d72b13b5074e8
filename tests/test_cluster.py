"""Trainings on a Dask cluster: workers that die, leave or are suspended; lost schedulers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from multifield.config.training import ExecutionConfig, Hyperparameters
from multifield.config.tuning import PrunerConfig
from multifield.models import load_state
from multifield.training import cluster as dask_cluster
from multifield.training import read_losses, train_network
from multifield.training.cluster import DaskExecutor, connect
from multifield.tuning import load_study, tune
from multifield.tuning.sampler import derive_seed
from multifield.tuning.study import FINISHED
from tests.helpers.projects import make_project, run_kedro
from tests.helpers.tolerances import TIME_LIMIT
from tests.unit.training.examples import config, make_data
from tests.unit.tuning.test_driver import FINGERPRINT, TUNING, Watched, make_folder, outcome

pytestmark = pytest.mark.slow

TRAINING = config(epochs=20)  # about a second
SILENCE = 6.0  # [s] after which a worker that is stopped is given up


def settings(n_trials: int, **changes: Any) -> Any:
    """Settings with random draws: TPE draws depend on which trials are complete."""
    return replace(TUNING, **({"n_trials": n_trials, "n_startup_trials": n_trials} | changes))


def tune_on(
    executor: DaskExecutor,
    path: Path,
    n_trials: int,
    told: Callable[[int, int], object] = lambda trial, epoch: None,
    training: Any = TRAINING,
    **changes: Any,
) -> optuna.Study:
    progress = Watched(told, n_trials, training.epochs)
    with executor, progress:
        return tune(
            make_data(folder=path / "maps"),
            make_folder(path),
            settings(n_trials, **changes),
            training,
            fingerprint=FINGERPRINT,
            executor=executor,
            progress=progress,
        )


def workers(n: int) -> DaskExecutor:
    return DaskExecutor(ExecutionConfig(workers=n, scheduler=None))


def check_complete(study: optuna.Study, n_trials: int, path: Path) -> None:
    """Every trial is complete once, with its weights, and nothing else remains."""
    models = make_folder(path)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * n_trials
    assert models.trials_with_weights() == tuple(range(n_trials))
    assert not list((path / "checkpoints").iterdir())
    assert not list(path.rglob("*.partial"))


def check_undisturbed(trial: optuna.trial.FrozenTrial, path: Path) -> None:
    """An interrupted trial equals an uninterrupted one."""
    alone = train_network(
        make_data(),
        Hyperparameters(**trial.params),
        TRAINING,
        seed=derive_seed(TUNING.seed, trial.number, "training"),
    )
    models = make_folder(path)
    np.testing.assert_array_equal(read_losses(models.losses(trial.number)), alone.losses)
    assert trial.value == alone.best_valid_loss
    weights = load_state(models.weights(trial.number))
    assert all(weights[name].equal(tensor) for name, tensor in alone.state.items())


async def give_up_silent_workers(dask_scheduler: Any) -> None:
    """Do now what a scheduler does after minutes: workers that start are as silent on a busy machine."""
    dask_scheduler.worker_ttl = SILENCE / 2
    await dask_scheduler.check_worker_ttl()


class Saboteur:
    """Send signals to the workers of some trials during their training.

    Parameters
    ----------
    executor : DaskExecutor
        Executor with the workers.
    signals : dict of int to Signals
        Signal for the worker of each trial after its third epoch.
    wake_after : float
        Time until a stopped worker continues [s]; 0 for never.
    """

    def __init__(
        self, executor: DaskExecutor, signals: dict[int, signal.Signals], wake_after: float = 0.0
    ) -> None:
        self._executor, self._signals, self._wake_after = executor, dict(signals), wake_after
        self.epochs: dict[int, list[int]] = {}
        self.pids: dict[int, int] = {}

    def __call__(self, trial: int, epoch: int) -> None:
        self.epochs.setdefault(trial, []).append(epoch)
        if epoch < 2 or trial not in self._signals:
            return
        signum = self._signals.pop(trial)
        self.pids[trial] = pid = self._pid_of(trial)
        os.kill(pid, signum)
        if signum == signal.SIGSTOP:
            give_up = self._executor.open().run_on_scheduler, (give_up_silent_workers,)
            threading.Timer(SILENCE, *give_up).start()
        if self._wake_after:
            threading.Timer(self._wake_after, os.kill, (pid, signal.SIGCONT)).start()

    def _pid_of(self, trial: int) -> int:
        client = self._executor.open()
        (address,) = (
            address
            for address, keys in client.processing().items()
            if any(str(key).startswith(f"trial_{trial}-") for key in keys)
        )
        return int(client.run(os.getpid, workers=[address])[address])

    @property
    def resumed(self) -> set[int]:
        """Trials that were resumed after their first epoch."""
        return {trial for trial, epochs in self.epochs.items() if epochs.count(0) == 1}


def test_local_workers_that_are_killed_told_to_leave_and_stopped(tmp_path: Path) -> None:
    n_trials = 12
    signals = {1: signal.SIGKILL, 4: signal.SIGTERM, 6: signal.SIGSTOP}
    executor = workers(4)
    saboteur = Saboteur(executor, signals)
    study = tune_on(executor, tmp_path, n_trials, saboteur)
    assert set(saboteur.pids) == set(signals)
    check_complete(study, n_trials, tmp_path)
    assert saboteur.resumed == set(range(n_trials))  # from their checkpoints
    for trial in signals:
        check_undisturbed(study.trials[trial], tmp_path)


def test_steps_are_reported_and_a_finished_study_starts_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[float] = []
    monkeypatch.setattr(Watched, "on_step", lambda self, name, done: steps.append(done))
    training = config(epochs=100)  # several periods of reports
    tune_on(workers(1), tmp_path, 1, training=training)
    assert steps == sorted(steps)
    assert steps
    assert 0 < steps[0] < training.epochs
    monkeypatch.setattr(dask_cluster, "start_local_cluster", None)
    assert len(tune_on(workers(2), tmp_path, 1, training=training).trials) == 1


def test_each_pruner_stops_trials_of_two_workers_and_loses_none(tmp_path: Path) -> None:
    n_trials, longer = 8, config(epochs=5)  # hyperband has rungs after 2 and 4 epochs
    for name in set(get_args(PrunerConfig.__annotations__["name"])) - {"none"}:
        path = tmp_path / name
        pruner = replace(TUNING.pruner, name=name, n_warmup_epochs=1, n_startup_trials=1)
        changes = {"pruner": pruner, "n_startup_trials": 3, "training": longer}
        study = tune_on(workers(2), path, n_trials, **changes)
        numbers = {
            state: [t.number for t in study.trials if t.state is state] for state in FINISHED
        }
        pruned, complete = numbers[TrialState.PRUNED], numbers[TrialState.COMPLETE]
        assert len(pruned) + len(complete) == n_trials
        assert pruned
        models = make_folder(path)
        assert models.trials_with_weights() == tuple(complete)
        for number in pruned:
            losses = read_losses(models.losses(number))
            assert len(losses) == study.trials[number].last_step + 1 < longer.epochs  # type: ignore[operator]
        assert not list((path / "checkpoints").iterdir())


def test_other_software_on_a_worker_is_refused_and_the_study_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(dask_cluster, "compared_versions", lambda: {"torch": "1.0"})
        with pytest.raises(RuntimeError, match=r"other software than the driver: .*driver: 1\.0"):
            tune_on(workers(1), tmp_path, 2)
    states = {trial.state for trial in load_study(make_folder(tmp_path).database).trials}
    assert states == {TrialState.WAITING}
    check_complete(tune_on(workers(1), tmp_path, 2), 2, tmp_path)


def test_an_error_of_a_worker_ends_the_run_and_the_others_leave_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, which the worker names."""

    def spoil(trial: int, epoch: int) -> None:
        if (trial, epoch) == (0, 1):  # the folder that its next checkpoint is written to
            attempts = make_folder(tmp_path).checkpoint(0).parent.glob("*_0_*.attempts/*")
            for path in attempts:
                path.rename(path.with_suffix(".gone"))

    with pytest.raises(FileNotFoundError, match="checkpoint"):
        tune_on(workers(2), tmp_path, 3, spoil)
    assert make_folder(tmp_path).checkpoint(1).is_file()
    check_complete(tune_on(workers(2), tmp_path, 3), 3, tmp_path)


# ---- a scheduler and workers that were started apart ----


@contextmanager
def start(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Dask command in its own process group, which is killed at the end."""
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "dask", *command],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def scheduler(file: Path, port: int = 0) -> Any:
    return start(
        *("scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1"),
        *("--port", str(port), "--dashboard-address", "127.0.0.1:0", "--no-dashboard"),
    )


def worker(file: Path, *more: str) -> Any:
    options = ("--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *more)
    return start("worker", "--scheduler-file", str(file), *options)


def on_cluster(file: Path) -> DaskExecutor:
    return DaskExecutor(ExecutionConfig(workers=1, scheduler=str(file)))


def test_a_worker_that_sleeps_and_wakes_up_does_no_harm(tmp_path: Path) -> None:
    file, n_trials = tmp_path / "scheduler.json", 4
    with ExitStack() as stack:
        stack.enter_context(scheduler(file))
        for _ in range(2):
            stack.enter_context(worker(file, "--no-nanny"))
        executor = on_cluster(file)
        saboteur = Saboteur(executor, {0: signal.SIGSTOP}, wake_after=14.0)
        study = tune_on(executor, tmp_path, n_trials, saboteur)
        deadline = time.monotonic() + 14.0 + TIME_LIMIT
        while is_alive(saboteur.pids[0]):  # awake, it leaves
            assert time.monotonic() < deadline
            time.sleep(0.1)
    check_complete(study, n_trials, tmp_path)
    check_undisturbed(study.trials[0], tmp_path)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_scheduler_that_dies_and_comes_back(tmp_path: Path) -> None:
    file, n_trials = tmp_path / "scheduler.json", 4
    lost: list[int] = []
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        process = first.enter_context(scheduler(file))
        first.enter_context(worker(file))

        def restart() -> None:
            time.sleep(1.0)
            file.unlink(missing_ok=True)
            stack.enter_context(scheduler(file))
            stack.enter_context(worker(file))

        def kill(trial: int, epoch: int) -> None:
            if (trial, epoch) == (1, 3) and not lost:
                lost.append(trial)
                process.kill()
                threading.Thread(target=restart).start()

        study = tune_on(on_cluster(file), tmp_path, n_trials, kill)
    assert lost
    check_complete(study, n_trials, tmp_path)
    check_undisturbed(study.trials[1], tmp_path)


def test_a_worker_with_several_threads_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with (
        scheduler(file),
        worker(file, "--nthreads", "2"),
        pytest.raises(RuntimeError, match=r"has 2 threads, .* --nthreads 1"),
    ):
        tune_on(on_cluster(file), tmp_path, 1)


def test_a_scheduler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError, match=r"s\.json does not exist\. Start a scheduler"):
        connect(str(tmp_path / "s.json"), 0.1)
    with pytest.raises(
        ConnectionError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1 "
    ):
        connect("tcp://127.0.0.1:1", 1.0)
    with pytest.raises(ConnectionError, match="No Dask scheduler answers at nowhere"):
        connect("nowhere://x", 1.0)


def test_kedro_uses_the_workers_of_a_scheduler(tmp_path: Path) -> None:
    project, file = make_project(tmp_path / "project"), tmp_path / "scheduler.json"
    test = ("run", "--env", "test")
    done = run_kedro(project, *test, "--pipelines", "ingest,preprocess,tune")
    assert done.returncode == 0, done.stdout + done.stderr
    models = project / "data/06_models"
    expected = {path.name: path.read_bytes() for path in (models / "weights").iterdir()}
    models.rename(tmp_path / "here")
    with scheduler(file), worker(file):
        asked = ("--pipelines", "tune", "--params", f"scheduler={file}")
        done = run_kedro(project, *test, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name: path.read_bytes() for path in (models / "weights").iterdir()} == expected


# ---- a driver that is killed ----

DRIVER = """
import sys
from pathlib import Path
from tests.test_cluster import tune_on, workers

if __name__ == "__main__":
    tune_on(workers(2), Path(sys.argv[1]), int(sys.argv[2]))
"""


def test_a_run_that_is_killed_again_and_again_is_the_one_that_ran_through(tmp_path: Path) -> None:
    n_trials, n_kills = 4, int(os.environ.get("MULTIFIELD_KILLS", "4"))
    whole = tune_on(workers(2), tmp_path / "undisturbed", n_trials)
    rng, path = np.random.default_rng(20261129), tmp_path / "killed"
    program = tmp_path / "driver.py"
    program.write_text(DRIVER)
    kills = 0
    while not _run_driver(program, path, n_trials, rng.uniform(2.0, 12.0), kills < n_kills):
        kills += 1
    study = load_study(make_folder(path).database)
    check_complete(study, n_trials, path)
    assert outcome(study) == outcome(whole)
    for trial in range(n_trials):
        one, other = (make_folder(tmp_path / name) for name in ("undisturbed", "killed"))
        assert one.weights(trial).read_bytes() == other.weights(trial).read_bytes()


def _run_driver(program: Path, path: Path, n_trials: int, delay: float, kill: bool) -> bool:
    """Tune in a process group and kill it after a while; return whether it ended before."""
    root = Path(__file__).parents[1]
    paths = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(program), str(path), str(n_trials)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=delay if kill else TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return False
        assert process.returncode == 0, said
        return True
