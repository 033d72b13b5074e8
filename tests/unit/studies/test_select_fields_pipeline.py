"""`multifield run --pipelines select_fields`, on two workers, again, and where it cannot run."""

import csv
import json

import optuna
import pytest

from tests.helpers.projects import make_project, run_kedro

SUITE = ("--env", "test", "--params", "suite=MockTwoFields,field=Mgas_T_HI")
SELECT = ("run", "--pipelines", "select_fields", *SUITE)
REPORTS = "data/08_reporting/MockTwoFields_Mgas_T_HI_all_steps_4_4_o3/field_selection"
DATABASE = "data/06_models/databases/MockTwoFields_o3_Mgas_T_HI_all_steps_4_4_o3_field_{}.db"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run a field selection on two workers; return the project and its output."""
    project = make_project(tmp_path_factory.mktemp("selection") / "project")
    done = run_kedro(project, "run", "--pipelines", "ingest,preprocess", *SUITE)
    assert done.returncode == 0, done.stdout + done.stderr
    done = run_kedro(project, *SELECT[:-1], f"{SUITE[-1]},workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    return project, done


def read_sets(project):
    with (project / REPORTS / "field_sets.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_workers_train_every_network_once(finished):
    project, _ = finished
    finalists = [row for row in read_sets(project) if row["by"] == "trained"]
    for kind, n_networks in (("scorer", 1), ("finalists", len(finalists))):
        storage = f"sqlite:///{project / DATABASE.format(kind)}"
        (summary,) = optuna.get_all_study_summaries(storage)
        trials = optuna.load_study(study_name=summary.study_name, storage=storage).trials
        assert [trial.state.name for trial in trials] == ["COMPLETE"] * n_networks
    left = {path.name for path in (project / "data/06_models").rglob("*") if path.is_file()}
    assert not [name for name in left if "checkpoint" in name or "partial" in name]


def test_every_scored_set_is_in_the_table(finished):
    rows = read_sets(finished[0])
    # three fields: a greedy search scores all single fields, and three pairs on the way down
    assert {row["fields"] for row in rows if row["by"] == "scorer"} == {
        *("Mgas", "T", "HI", "Mgas_T", "Mgas_HI", "T_HI", "Mgas_T_HI"),
    }


def test_the_answer_names_the_mock_suite_and_has_a_figure(finished):
    project, done = finished
    answer = json.loads((project / REPORTS / "smallest_field_sets.json").read_text())
    assert answer["mock"]
    assert answer["fields"] == ["Mgas", "T", "HI"]
    assert [found["asked"] for found in answer["smallest"]] == [0.9, 0.95]
    assert (project / REPORTS / "information.png").read_bytes().startswith(b"\x89PNG")
    assert "Fields of mock suite MockTwoFields" in done.stdout


def test_a_second_run_trains_nothing_and_repeats_the_result(finished):
    project, _ = finished
    names = ("field_sets.csv", "smallest_field_sets.json")
    before = [(project / REPORTS / name).read_bytes() for name in names]
    weights = {path: path.stat().st_mtime_ns for path in (project / "data").rglob("*.pt")}
    done = run_kedro(project, *SELECT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(project / REPORTS / name).read_bytes() for name in names] == before
    assert {path: path.stat().st_mtime_ns for path in weights} == weights


def test_what_is_missing_is_named(tmp_path):
    project = make_project(tmp_path / "project")
    done = run_kedro(project, *SELECT)
    assert done.returncode != 0
    assert "`multifield run --pipelines ingest,preprocess` first" in done.stdout + done.stderr
