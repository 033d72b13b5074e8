import hashlib
import logging
import math
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter, ValidationError

from multifield.config.tuning import PrunerConfig, SearchSpace, TuningConfig
from multifield.tuning import (
    best_trial,
    check_fingerprint,
    load_study,
    open_study,
    rank_trials,
    suggest,
    top_trials,
    trials_table,
)

STUDIES = Path(__file__).with_name("studies")  # see make_studies.py there
VERSIONS = ("2.10.0", "3.1.1", "3.6.2", "4.5.0")

PUBLISHED = TypeAdapter(SearchSpace).validate_python(
    {
        "lr": {"low": 1e-5, "high": 5e-3},
        "wd": {"low": 1e-8, "high": 1e-1},
        "dr": {"low": 0.0, "high": 0.9},
        "hidden": {"low": 6, "high": 12},
    }
)
CONFIG = TuningConfig(
    n_trials=3,
    n_startup_trials=2,
    seed=1,
    study_name="wd_dr_hidden_lr_o3",
    search_space=PUBLISHED,
    enqueue=(),
    pruner=PrunerConfig(name="none", n_startup_trials=1, n_warmup_epochs=0, reduction_factor=3),
    keep_weights=0,
    storage="sqlite",
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Four trials: two complete, one failed, one left running."""
    path = tmp_path / "databases" / "study.db"
    study = open_study(path, CONFIG)
    for value in (3.0, None, 1.0):
        trial = study.ask()
        suggest(trial, PUBLISHED)
        study.tell(trial, value, state=TrialState.FAIL if value is None else None)
    study.ask()
    return path


@pytest.fixture
def old_database(tmp_path: Path) -> Path:
    """A database as Optuna 2.10 wrote it in 2021, with a published name."""
    path = tmp_path / "Nbody_o3_Mtot_all_steps_500_500_o3.db"
    shutil.copyfile(STUDIES / "optuna_2.10.0.db", path)
    return path


@pytest.fixture(params=VERSIONS)
def written_by(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same ten trials, written by each version of Optuna."""
    path = tmp_path / "databases" / "study.db"
    path.parent.mkdir()
    shutil.copyfile(STUDIES / f"optuna_{request.param}.db", path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_published_ranges_and_names() -> None:
    study = optuna.create_study()
    trial = study.ask()
    hyperparameters = suggest(trial, PUBLISHED)
    assert list(trial.params) == ["lr", "wd", "dr", "hidden"]
    assert vars(hyperparameters) == trial.params
    assert trial.distributions == {
        "lr": optuna.distributions.FloatDistribution(1e-5, 5e-3, log=True),
        "wd": optuna.distributions.FloatDistribution(1e-8, 1e-1, log=True),
        "dr": optuna.distributions.FloatDistribution(0.0, 0.9),
        "hidden": optuna.distributions.IntDistribution(6, 12),
    }


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("lr", [(0, 1), (1e-5, INF), (NAN, 1), (1e-5, NAN), (1e-2, 1e-3), ("1e-5", 1)]),
        ("wd", [(0, 1), (-1, 1), (1e-8, INF)]),
        ("dr", [(0.0, 1.0), (0.0, 1.5), (-0.1, 0.5), (NAN, 0.5), (0.9, 0.1), (False, 0.5)]),
        ("hidden", [(7, 6), (0, 6), (6.0, 12), (6, "12"), (True, 6)]),
    ],
)
def test_ranges_that_no_network_could_be_trained_with_are_refused(
    name: str, ranges: list[tuple[object, object]]
) -> None:
    for low, high in ranges:
        with pytest.raises(ValidationError, match=name):
            TypeAdapter(SearchSpace).validate_python(
                asdict(PUBLISHED) | {name: {"low": low, "high": high}}
            )


def test_a_range_of_one_value_and_whole_numbers_are_allowed() -> None:
    found = TypeAdapter(SearchSpace).validate_python(
        asdict(PUBLISHED) | {"lr": {"low": 1, "high": 1}, "dr": {"low": 0, "high": 0}}
    )
    assert (found.lr.high, found.dr.low) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_trials", [0, True, "3", 3.0]),
        ("n_startup_trials", [-1, 2.0]),
        ("seed", [-1, 2**32, 2**80, True]),
        ("study_name", ["", 3]),
    ],
)
def test_settings_out_of_range_or_of_another_type_are_refused(
    name: str, values: list[object]
) -> None:
    for value in values:
        with pytest.raises(ValidationError, match=name):
            TypeAdapter(TuningConfig).validate_python(asdict(CONFIG) | {name: value})


def test_draws_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    def draw(path: Path, seed: int, reopen: bool) -> list[dict[str, float]]:
        study = open_study(path, replace(CONFIG, seed=seed))
        for number in range(4):  # TPE takes over after two
            if reopen:
                study = open_study(path, replace(CONFIG, seed=seed))
            trial = study.ask()
            suggest(trial, PUBLISHED)
            study.tell(trial, float(number))
        return [trial.params for trial in study.trials]

    first = draw(tmp_path / "a.db", 1, reopen=False)
    assert draw(tmp_path / "b.db", 1, reopen=True) == first
    assert draw(tmp_path / "c.db", 2, reopen=False) != first
    assert len({params["lr"] for params in first}) == 4


def test_draws_concentrate_near_the_optimum_after_the_uniform_ones(tmp_path: Path) -> None:
    def distances(n_startup_trials: int) -> list[float]:
        """Return the decades between the drawn and the best lr."""
        config = replace(CONFIG, n_startup_trials=n_startup_trials)
        study = open_study(tmp_path / f"{n_startup_trials}.db", config)
        for _ in range(30):
            trial = study.ask()
            study.tell(trial, abs(math.log10(suggest(trial, PUBLISHED).lr / 1e-3)))
        return [value for trial in study.trials if (value := trial.value) is not None]

    uniform, learnt = distances(30), distances(10)
    assert learnt[:10] == uniform[:10]
    assert np.mean(learnt[10:]) < np.mean(uniform[10:]) / 2


def test_a_study_of_another_name_is_refused(database: Path) -> None:
    with pytest.raises(ValueError, match="Expected no study except mine, got wd_dr_hidden_lr_o3"):
        open_study(database, replace(CONFIG, study_name="mine"))


def test_loading_reads_all_and_leaves_the_file_alone(database: Path) -> None:
    before, listing = digest(database), sorted(database.parent.iterdir())
    study = load_study(database)
    study.set_user_attr("note", "stays in memory")
    assert [trial.state.name for trial in study.trials] == [
        "COMPLETE",
        "FAIL",
        "COMPLETE",
        "RUNNING",
    ]
    assert digest(database) == before
    assert sorted(database.parent.iterdir()) == listing


def test_loading_works_in_a_folder_that_cannot_be_written(database: Path) -> None:
    database.chmod(0o444)
    database.parent.chmod(0o555)
    try:
        assert len(load_study(database).trials) == 4
    finally:
        database.parent.chmod(0o755)


def test_studies_of_each_version_give_the_same_trials(written_by: Path) -> None:
    study = load_study(written_by)
    assert study.study_name == "wd_dr_hidden_lr_o3"
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert [(trial.state.name, trial.value) for trial in study.trials] == [
        ("COMPLETE", -9.5),
        ("COMPLETE", -10.25),
        ("FAIL", None),  # its objective raised
        ("FAIL", None),  # its objective was NaN, for which Optuna keeps no value
        ("PRUNED", -1.0),
        ("COMPLETE", -10.25),
        ("COMPLETE", INF),
        ("COMPLETE", -11.75),
        ("RUNNING", None),
        ("WAITING", None),
    ]
    assert study.trials[2].params == {"lr": 5e-3, "wd": 1e-1, "dr": 0.9, "hidden": 12}


def test_ranges_of_each_version_are_those_we_search(written_by: Path) -> None:
    ours = optuna.create_study()
    suggest(ours.ask(), PUBLISHED)
    assert load_study(written_by).trials[0].distributions == ours.trials[0].distributions


def test_best_trials_of_each_version(written_by: Path) -> None:
    study = load_study(written_by)
    assert best_trial(study).params == {"lr": 5e-4, "wd": 1e-3, "dr": 0.625, "hidden": 6}
    assert [trial.number for trial in rank_trials(study)] == [7, 1, 5, 0]
    assert [trial.params["hidden"] for trial in top_trials(study, 3)] == [6, 11, 9]


@pytest.mark.parametrize("top_k", [0, -1, 5])
def test_more_best_trials_than_are_complete_are_refused(top_k: int, old_database: Path) -> None:
    with pytest.raises(ValueError, match=f"top_k: Expected 1 to 4, .*, got {top_k}"):
        top_trials(load_study(old_database), top_k)


def test_studies_of_each_version_stay_as_they_are_in_a_folder_that_cannot_be_written(
    written_by: Path,
) -> None:
    before, times = digest(written_by), written_by.stat()
    written_by.chmod(0o444)
    written_by.parent.chmod(0o555)
    try:
        load_study(written_by)
        assert list(written_by.parent.iterdir()) == [written_by]
    finally:
        written_by.parent.chmod(0o755)
    assert digest(written_by) == before
    assert written_by.stat().st_mtime_ns == times.st_mtime_ns


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE alembic_version SET version_num = 'v99.0.0.a'",
            r"Expected a database that Optuna \S+ can read, got tables of version v99\.0\.0\.a",
        ),
        ("DROP TABLE alembic_version", "Expected a database of Optuna. no such table"),
        (
            "DELETE FROM alembic_version",
            "Expected a database of Optuna, with one version in its table alembic_version, got 0",
        ),
        ("DROP TABLE trials", "Cannot read or upgrade this database. .*trials"),
        (
            "ALTER TABLE trials RENAME COLUMN number TO n",
            "Cannot read or upgrade this database. .*number",
        ),
    ],
)
def test_databases_that_cannot_be_upgraded_are_named(
    statement: str, message: str, old_database: Path
) -> None:
    change(old_database, statement)
    before = digest(old_database)
    with pytest.raises(ValueError, match=rf"Nbody_o3_Mtot_\S+\.db: {message}"):
        load_study(old_database)
    assert digest(old_database) == before


def test_upgrading_leaves_logging_as_it_was(
    old_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])  # as in a plain Python session
    mine = logging.getLogger("multifield.tuning")
    load_study(old_database)
    assert root.handlers == []
    assert not mine.disabled


def test_loading_while_a_writer_was_killed_in_a_transaction(database: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")  # so that changes reach the file before the commit
        writer.execute("BEGIN")
        writer.execute("DELETE FROM trial_params")
        writer.execute("DELETE FROM trials")
        writer.execute("CREATE TABLE filler AS SELECT hex(randomblob(200000)) AS junk")
        shutil.copyfile(database, crashed)
        shutil.copyfile(f"{database}-journal", f"{crashed}-journal")
        writer.execute("ROLLBACK")
    before = digest(crashed)
    assert len(load_study(crashed).trials) == 4
    assert digest(crashed) == before


def test_a_write_ahead_log_is_read_in_a_folder_that_cannot_be_written(
    database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("UPDATE trial_values SET value = 0.25 WHERE trial_id = 1")
        writer.commit()
        folder = tmp_path / "copied"
        folder.mkdir()
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{database}{suffix}", folder / f"study.db{suffix}")
    (folder / "study.db-shm").mkdir()  # SQLite can make no file of shared memory, for root too
    assert load_study(folder / "study.db").trials[0].value == 0.25


def test_a_database_that_stays_locked_is_given_up(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multifield.tuning.load.PATIENCE", 0.6)
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TimeoutError, match=r"Locked by another process .*study\.db"):
            load_study(database)


def test_a_view_is_not_run(database: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE alembic_version")
        connection.execute(f"CREATE VIEW alembic_version(version_num) AS {endless}")
        connection.commit()
    with pytest.raises(ValueError, match=r"study\.db: .*got the view.* alembic_version"):
        load_study(database)


@pytest.mark.parametrize("directions", [["maximize"], ["minimize", "minimize"]])
def test_a_study_that_does_not_minimize_one_value_is_refused(
    directions: list[str], tmp_path: Path
) -> None:
    database = tmp_path / "study.db"
    optuna.create_study(
        storage=f"sqlite:///{database}", study_name=CONFIG.study_name, directions=directions
    )
    for read in (load_study, lambda path: open_study(path, CONFIG)):
        with pytest.raises(ValueError, match=r"study\.db: Expected one direction.*imize"):
            read(database)


def test_missing_database_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"The database .*missing\.db does not exist"):
        load_study(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.db", tmp_path / "empty.db"
    text.write_text("no database, and longer than the hundred bytes of a sqlite header" * 9)
    empty.touch()
    with pytest.raises(ValueError, match=r"text\.db: Expected a SQLite database"):
        load_study(text)
    with pytest.raises(
        ValueError, match=r"empty\.db: Expected a database of Optuna. no such table"
    ):
        load_study(empty)
    assert empty.read_bytes() == b""


def test_several_studies_are_refused(database: Path) -> None:
    optuna.create_study(study_name="second", storage=f"sqlite:///{database}")
    with pytest.raises(ValueError, match="Expected one study, got 2: second, wd_dr_hidden_lr_o3"):
        load_study(database)


def test_ranking_has_complete_finite_trials_best_first(database: Path) -> None:
    study = load_study(database)
    study.add_trial(optuna.trial.create_trial(value=float("-inf")))
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert [trial.number for trial in rank_trials(study)] == [2, 5, 0]
    assert best_trial(study).number == 2


def test_no_complete_trial_is_said() -> None:
    with pytest.raises(ValueError, match="Expected a complete trial, got none"):
        best_trial(optuna.create_study())


def test_table_has_a_row_a_trial(database: Path) -> None:
    rows = trials_table(load_study(database))
    assert [row["value"] for row in rows] == [3.0, None, 1.0, None]
    assert list(rows[0]) == [
        "number", "state", "value", "lr", "wd", "dr", "hidden", "best_epoch", "seconds",
    ]  # fmt: skip
    assert rows[0]["seconds"] >= 0
    assert rows[3]["lr"] is None


def test_fingerprint_of_a_released_study_cannot_be_checked(
    old_database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_fingerprint(load_study(old_database), {"suite": "Nbody_IllustrisTNG"})
    assert "does not record what its trials depend on" in caplog.text
