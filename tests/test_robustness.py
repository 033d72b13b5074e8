"""`kedro run --pipeline robustness`, twice."""

import csv

import pytest
import yaml

from multifield.camels import COSMOLOGY
from tests.helpers.projects import make_project, run_kedro

ARGUMENTS = ("run", "--pipeline", "robustness", "--env", "test")
REPORTS = "data/08_reporting/robustness_all_steps_4_4_o3"
SUITES = ("MockTNG", "MockSIMBA", "MockAstrid")


def run(project, *options):
    done = run_kedro(project, *ARGUMENTS, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("robustness") / "project")
    run(project)
    return project


def read(project, name, reports=REPORTS):
    with (project / reports / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_pair_of_suites_is_in_the_table(project):
    rows = {
        (
            row["trained_on"],
            row["tested_on"],
            row["parameter"],
            row["field"],
            row["smoothing_width"],
        )
        for row in read(project, "scores")
        if row["method"] == "one_suite"
    }
    maps = (("Mtot", "0.0"), ("T", "0.0"), ("T", "1.0"))
    assert rows == {(a, b, p, *m) for a in SUITES for b in SUITES for p in COSMOLOGY for m in maps}


def test_no_method_is_trained_on_the_held_out_suite(project):
    trained = {row["trained_on"] for row in read(project, "scores") if row["method"] != "one_suite"}
    assert trained == {"MockTNG+MockSIMBA"}


def test_widening_changes_sigma_and_nothing_else(project):
    scores = read(project, "scores")
    plain, wide = (
        [row for row in scores if row["method"] == method]
        for method in ("own_scale", "own_scale_widened")
    )
    for one, other in zip(plain, wide, strict=True):
        assert one["RMSE"] == other["RMSE"]
        assert float(other["chi2"]) <= float(one["chi2"])


def test_methods_are_compared(project):
    rows = read(project, "methods")
    assert {row["method"] for row in rows} == {
        *("one_suite", "own_scale", "adapted", "own_scale_widened", "own_scale_mixed"),
        "own_scale_taught",
    }
    assert all(float(row["held_back_RMSE"]) > 0 for row in rows)


def test_figures_are_drawn(project):
    folder = project / REPORTS
    assert {path.name for path in folder.glob("*.png")} == {"matrices.png", "smoothing.png"}


def test_a_second_run_trains_nothing_and_repeats_the_result(project):
    scores = (project / REPORTS / "scores.csv").read_bytes()
    weights = {path: path.stat().st_mtime_ns for path in project.rglob("weights_*.pt")}
    assert "Training Mock" not in run(project)
    assert (project / REPORTS / "scores.csv").read_bytes() == scores
    assert {path: path.stat().st_mtime_ns for path in project.rglob("weights_*.pt")} == weights


def test_suites_of_other_boxes_are_compared_by_cutouts(tmp_path):
    """Networks of 25 Mpc/h cut-outs of both boxes are tested on both."""
    project = make_project(tmp_path / "project")
    settings = {
        "suites": ["MockTNG", "MockTNG50"],
        "held_back": "MockTNG50",
        "fields": ["T"],
        "studied": ["T"],
        "smoothing_widths": [0.0],
        "methods": [],
    }
    path = project / "conf" / "test" / "robustness" / "parameters.yml"
    known = yaml.safe_load(path.read_text())["robustness"]
    path.write_text(yaml.safe_dump({"robustness": known | settings}))
    refused = run_kedro(project, *ARGUMENTS)
    assert refused.returncode == 2
    assert "Expected suites of one box" in refused.stdout + refused.stderr
    run(project, "--params", "cutout=16")
    (reports,) = (project / "data/08_reporting").glob("robustness_*")
    rows = read(project, "scores", reports)
    pairs = {(row["trained_on"], row["tested_on"], row["parameter"]) for row in rows}
    assert pairs == {
        (a, b, p) for a in settings["suites"] for b in settings["suites"] for p in COSMOLOGY
    }
    assert all(float(row["RMSE"]) > 0 for row in rows)
