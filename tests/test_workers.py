"""Several processes tune one study: on a real PostgreSQL server, and on files."""

import os
import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from multifield.models import ModelFolder, load_state
from multifield.training import Hyperparameters, read_losses, train_network
from multifield.tuning import (
    DatabaseServer,
    PrunerConfig,
    StudyProxy,
    load_study,
)
from multifield.tuning.sampler import derive_seed
from multifield.tuning.storage import close_connections
from multifield.tuning.study import FINISHED
from tests.interrupted import INTERRUPTED
from tests.postgresql import find_programs, is_listened_to, reserved_port, run_server
from tests.support import make_project
from tests.tolerances import TIME_LIMIT
from tests.torch_threads import one_thread as one_thread
from tests.unit.training.examples import make_data
from tests.unit.tuning.test_trials import make_folder
from tests.workers import LONGER, TRAINING, settings, settings_of, start, storage_of, tune_here

SERVER = "postgresql+psycopg://"
NO_SERVER = (
    "NO POSTGRESQL ON THIS MACHINE: environment cluster is NOT tested. "
    "Install it (Debian: apt-get install postgresql) and run the tests again"
)
Server = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    programs = find_programs()
    if programs is None or (os.geteuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip(NO_SERVER)
    with run_server(programs) as credentials:
        yield credentials


def wait_for_line(worker: subprocess.Popen[str], ending: str) -> int:
    """Read what a worker says until it has ended such an epoch; give the trial's number."""
    assert worker.stdout is not None
    said = []
    for line in worker.stdout:
        said.append(line)
        if line.startswith("trial") and line.rstrip().endswith(ending):
            return int(line.split()[1])
    raise AssertionError("".join(said))


def trials_in(epoch: int, said: str) -> list[int]:
    """Give the trials that workers say have ended an epoch, each as often as they say it."""
    return [
        int(number) for number in re.findall(rf"^trial (\d+) epoch {epoch}$", said, re.MULTILINE)
    ]


def end(worker: subprocess.Popen[str]) -> str:
    said, _ = worker.communicate(timeout=TIME_LIMIT)
    assert worker.returncode == 0, said
    return said


def check_equals_an_undisturbed_one(trial: optuna.trial.FrozenTrial, folder: Path) -> None:
    alone = train_network(
        make_data(),
        Hyperparameters(**trial.params),
        TRAINING,
        seed=derive_seed(settings(1).seed, trial.number, "training"),
    )
    models = make_folder(folder)
    np.testing.assert_array_equal(read_losses(models.losses(trial.number)), alone.losses)
    assert trial.value == alone.best_valid_loss
    weights = load_state(models.weights(trial.number))
    assert all(weights[name].equal(tensor) for name, tensor in alone.state.items())


def check_complete(study: optuna.Study, n_trials: int, models: ModelFolder) -> None:
    """Every trial once, with its weights, and nothing else is left."""
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * n_trials
    assert models.trials_with_weights() == tuple(range(n_trials))
    assert not (models.path / "claims").exists()
    assert not list((models.path / "checkpoints").iterdir())


@pytest.mark.slow
def test_four_workers_of_which_one_is_killed_and_one_stopped_end_with_every_trial(
    server: Server, tmp_path: Path
) -> None:
    n_trials = 6
    signals = (signal.SIGKILL, signal.SIGTERM)
    with start(
        4, tmp_path, SERVER, n_trials, pause=0.3, credentials=server, signals=signals
    ) as workers:
        said = [worker.communicate(timeout=TIME_LIMIT)[0] for worker in workers]
    killed, stopped, *ended = (worker.returncode for worker in workers)
    assert killed == -signal.SIGKILL
    assert stopped not in (0, -signal.SIGTERM)  # it had time to put its trial back
    assert ended == [0, 0], said

    study = load_study(storage_of(tmp_path, SERVER, server))
    check_complete(study, n_trials, make_folder(tmp_path))
    for epoch in (0, TRAINING.epochs - 1):  # whoever went on did so from the checkpoint
        assert sorted(trials_in(epoch, "".join(said))) == list(range(n_trials))
    for interrupted in said[:2]:
        number = trials_in(1, interrupted)[-1]
        check_equals_an_undisturbed_one(study.trials[number], tmp_path)


@pytest.mark.slow
def test_a_worker_that_slept_drops_the_trial_that_another_finished(tmp_path: Path) -> None:
    with start(1, tmp_path, "sqlite", 2, pause=0.3, signals=(signal.SIGSTOP,)) as (sleeper,):
        lost = wait_for_line(sleeper, "epoch 1")
        with start(1, tmp_path, "sqlite", 2, pause=0.0, grace=2.0) as (other,):
            said = end(other)
        assert f"trial {lost} epoch 2" in said
        models = make_folder(tmp_path)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}
        sleeper.send_signal(signal.SIGCONT)
        said = end(sleeper)
    assert f"Trial {lost} is dropped" in said
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}
    assert after == before
    study = load_study(models.database)
    check_complete(study, 2, models)
    check_equals_an_undisturbed_one(study.trials[lost], tmp_path)


@pytest.mark.slow
def test_two_workers_share_a_journal(tmp_path: Path) -> None:
    with start(2, tmp_path, "journal", 4, pause=0.0) as workers:
        said = [end(worker) for worker in workers]
    lines = [line for each in said for line in each.splitlines() if line.startswith("trial")]
    assert len(lines) == len(set(lines)) == 4 * TRAINING.epochs
    check_complete(load_study(storage_of(tmp_path, "journal")), 4, make_folder(tmp_path))


PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server

run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@contextmanager
def run_proxy(server: Server, database: str) -> Iterator[str]:
    """Start Optuna's proxy in front of a server, as docs/cluster.md does; give its URL."""
    names = {"host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "password": "PGPASSWORD"}
    with (
        reserved_port() as port,
        subprocess.Popen(
            [sys.executable, "-c", PROXY, f"{SERVER}/{database}", str(port)],
            env=os.environ | {variable: str(server[name]) for name, variable in names.items()},
        ) as process,
    ):
        try:
            assert is_listened_to(port, process)
            yield f"grpc://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.mark.slow
def test_workers_share_a_study_behind_a_proxy_and_one_is_killed(
    server: Server, tmp_path: Path
) -> None:
    database = _make_database(server, "behind_a_proxy")
    with run_proxy(server, database) as url:
        with start(1, tmp_path, url, 3, pause=0.0, signals=(signal.SIGKILL,)) as (killed,):
            number = wait_for_line(killed, "epoch 1")
            assert killed.wait(TIME_LIMIT) == -signal.SIGKILL
        with start(2, tmp_path, url, 3, pause=0.1) as workers:
            said = "".join(end(worker) for worker in workers)
        assert number not in trials_in(0, said)  # from the checkpoint
        assert sorted(trials_in(TRAINING.epochs - 1, said)) == [0, 1, 2]
        proxied = storage_of(tmp_path, url)
        assert proxied.exists()
        study = load_study(proxied)
    check_complete(study, 3, make_folder(tmp_path))
    check_equals_an_undisturbed_one(study.trials[number], tmp_path)
    # what lies on the server is what a worker without a proxy would find
    direct = load_study(storage_of(tmp_path, SERVER, server | {"dbname": database}))
    assert direct.trials == study.trials


@pytest.mark.slow
def test_each_pruner_stops_trials_of_two_workers_and_loses_none(tmp_path: Path) -> None:
    n_trials, pruners = 8, set(get_args(PrunerConfig.__annotations__["name"])) - {"none"}
    for pruner in pruners:  # the second trial lags behind the first, if that has ended
        tune_here(tmp_path / pruner, "sqlite", settings_of(pruner, 1), LONGER)
    with start(2, tmp_path, "sqlite", n_trials, pause=0.0, pruners=",".join(pruners)) as workers:
        for worker in workers:
            end(worker)
    for pruner in pruners:
        models = make_folder(tmp_path / pruner)
        study = load_study(models.database)
        numbers = {
            state: [t.number for t in study.trials if t.state is state] for state in FINISHED
        }
        pruned, complete = numbers[TrialState.PRUNED], numbers[TrialState.COMPLETE]
        assert len(pruned) + len(complete) == n_trials
        assert pruned
        assert models.trials_with_weights() == tuple(complete)
        for number in pruned:
            losses = read_losses(models.losses(number))
            assert len(losses) == study.trials[number].last_step + 1 < LONGER.epochs
        assert not list((models.path / "checkpoints").iterdir())


# ---- environment cluster, as a user runs it ----

SMALL = (
    "suite=MockNbody,field=Mtot,source.kind=mock,source.mock.n_simulations=24,source.mock.map_size=16,"
    "source.mock.lattice=16,split.n_valid=4,split.n_test=6,epochs=3,training.batch_size=32,"
    "training.device=cpu,training.n_threads=1,tuning.search_space.hidden.low=1,"
    "tuning.search_space.hidden.high=2"
)
CREDENTIALS = """
study_server:
  username: {username}
  password: ${{oc.env:STUDY_PASSWORD}}
"""


@contextmanager
def kedro(
    project: Path, pipelines: str, n_trials: int, environment: dict[str, str], killed_in: int = -1
) -> Iterator[subprocess.Popen[str]]:
    """Run `kedro run --env cluster`, which may be killed in a step of training."""
    signalled = (INTERRUPTED, str(signal.SIGKILL.value), "1", str(killed_in))
    run = ("run", "--env", "cluster", "--pipelines", pipelines)
    with subprocess.Popen(
        [sys.executable, "-c", *signalled, *run, "--params", f"{SMALL},n_trials={n_trials}"],
        cwd=project,
        env=os.environ | {"DO_NOT_TRACK": "1", "COLUMNS": "300"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_kedro_runs_go_on_with_a_killed_one_and_share_the_trials_that_were_added(
    server: Server, tmp_path: Path
) -> None:
    project, threads = make_project(tmp_path / "project"), {"OMP_NUM_THREADS": "1"}
    secrets = project / "conf/cluster/credentials.yml"
    secrets.unlink(missing_ok=True)
    place = {"PGHOST": server["host"], "PGPORT": str(server["port"])} | threads
    _make_database(server, "multifield")  # which conf/cluster names

    by_environment = place | {"PGUSER": server["username"], "PGPASSWORD": server["password"]}
    in_second_epoch = 11  # of 7 steps each
    with kedro(project, "ingest,preprocess,tune", 2, by_environment, in_second_epoch) as killed:
        said, _ = killed.communicate(timeout=TIME_LIMIT)
        assert killed.returncode == -signal.SIGKILL, said

    secrets.write_text(CREDENTIALS.format(**server))
    by_file = place | {"STUDY_PASSWORD": server["password"]}
    with kedro(project, "tune", 4, by_file) as one, kedro(project, "tune", 4, by_file) as other:
        both = end(one) + end(other)
    assert both.count("Going on in epoch 1, batch 0") == 1
    models = ModelFolder(project / "data/06_models", "MockNbody", "Mtot", "all_steps_500_500_o3")
    credentials = server | {"dbname": "multifield"}
    study = load_study(DatabaseServer(SERVER, models.database.stem, credentials))
    check_complete(study, 4, models)
    assert both.count("Training on") == 4


# ---- what a server is told, and what is told of it ----


def test_studies_of_a_server_are_told_apart_by_what_they_are_of(server: Server) -> None:
    mine, other = (DatabaseServer(SERVER, study, server) for study in ("T", "HI"))
    storage = mine.open()
    optuna.create_study(storage=storage, study_name=mine.name_of("wd_dr_hidden_lr_o3"))
    close_connections(storage)
    assert mine.exists()
    assert not other.exists()
    assert load_study(mine).study_name == "wd_dr_hidden_lr_o3/T"
    with pytest.raises(ValueError, match=r"\(study HI\): expected one study, found 0: none"):
        load_study(other)


def test_workers_with_another_folder_are_refused(server: Server, tmp_path: Path) -> None:
    here = server | {"dbname": _make_database(server, "folders")}
    tune_here(tmp_path / "shared", SERVER, settings(1), TRAINING, here)
    with pytest.raises(ValueError, match="expected the folder that the other workers of"):
        tune_here(tmp_path / "mine", SERVER, settings(1), TRAINING, here)


def _make_database(server: Server, name: str) -> str:
    import psycopg

    options = {("user" if k == "username" else k): v for k, v in server.items()}
    with psycopg.connect(**options, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return name


def test_a_password_is_never_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "s3cret{}%@"
    place = DatabaseServer(SERVER, "T", server | {"password": secret})
    with pytest.raises(ConnectionError, match="password authentication failed") as caught:
        place.open()
    shown = "".join(traceback.format_exception(caught.value)) + repr(place) + str(place)
    assert secret not in shown + caplog.text


def test_the_environment_of_libpq_is_heeded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "password": "PGPASSWORD"}
    for name, variable in names.items():
        monkeypatch.setenv(variable, str(server[name]))
    assert not DatabaseServer("postgresql+psycopg:///postgres", "nothing").exists()


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multifield.tuning.storage.PROXY_PATIENCE", 0.1)
    with pytest.raises(ConnectionError, match=r"grpc://127\.0\.0\.1:1: expected Optuna's proxy"):
        StudyProxy("grpc://127.0.0.1:1", "T").exists()


def test_a_server_that_is_not_there_is_named() -> None:
    place = DatabaseServer("postgresql+psycopg://127.0.0.1:1/studies", "T")
    with pytest.raises(
        ConnectionError, match=r"postgresql\+psycopg://127\.0\.0\.1:1/studies: .*refused"
    ):
        place.exists()
