"""Plain Optuna and optuna-dashboard open a study written by `tune`."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener
from wsgiref.simple_server import WSGIRequestHandler, make_server

import optuna
import optuna_dashboard
import pytest

from tests.helpers.tolerances import TIME_LIMIT
from tests.unit.tuning.test_driver import make_folder, run

STUDY = "wd_dr_hidden_lr_o3"  # the published name


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("dashboard"))
    run(folder, n_trials=2)
    return folder.database


@pytest.fixture
def storage(database: Path) -> Iterator[optuna.storages.RDBStorage]:
    storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
    yield storage
    storage.engine.dispose()


def test_plain_optuna_opens_it_under_the_published_name(
    storage: optuna.storages.RDBStorage,
) -> None:
    study = optuna.load_study(study_name=STUDY, storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    assert list(study.best_params) == ["lr", "wd", "dr", "hidden"]


def test_the_dashboard_lists_it(storage: optuna.storages.RDBStorage) -> None:
    server = make_server("127.0.0.1", 0, optuna_dashboard.wsgi(storage), handler_class=Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        direct = build_opener(
            ProxyHandler({})
        )  # a proxy of the environment does not reach loopback
        with direct.open(
            f"http://127.0.0.1:{server.server_port}/api/studies", timeout=TIME_LIMIT
        ) as reply:
            (summary,) = json.load(reply)["study_summaries"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (summary["study_name"], summary["directions"]) == (STUDY, ["minimize"])
