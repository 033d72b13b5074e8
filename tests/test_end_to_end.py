"""`kedro run`, as a user types it, from nothing to metrics."""

import csv
import json
import re
import shutil

import numpy as np
import optuna
import pytest

from multifield import camels
from multifield.evaluation import fit_sigma_factors, read_results, simulation_of_rows
from multifield.evaluation.information import measure_information
from multifield.models import SummaryStatistics, load_weights
from tests.helpers.projects import make_project, run_kedro

LABEL = "all_steps_4_4_o3"
REPORTS = f"data/08_reporting/MockNbody_Mtot_{LABEL}"
RESULTS = (
    f"data/07_model_output/results_train_MockNbody_Mtot_{LABEL}_test_MockNbody_Mtot_{LABEL}_LH.txt"
)

DRAWS = f"data/07_model_output/draws_MockNbody_Mtot_{LABEL}_of_MockNbody_Mtot_{LABEL}_LH.parquet"
FIGURES = (
    "true_against_predicted", "residuals", "calibration", "typical_and_worst", "saliency", "spectra",
    "losses", "study_history", "importance", "parallel_coordinates", "contours", "corner",
)  # fmt: skip

TABLES = (
    *("metrics.json", "metrics_intervals.json"),
    *("metrics_recalibrated.json", "metrics_recalibrated_intervals.json"),
    *("calibration_tests.csv", "levels.csv", "tested_trials.csv", "trials.csv", "report.html"),
    *(f"{name}{suffix}" for name in FIGURES for suffix in (".png", ".pdf")),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project after one `kedro run --env test`, and what it printed."""
    project = make_project(tmp_path_factory.mktemp("first") / "project")
    return project, run_kedro(project, "run", "--env", "test")


def trials(project):
    storage = f"sqlite:///{project}/data/06_models/databases/MockNbody_o3_Mtot_{LABEL}.db"
    return optuna.load_study(study_name="wd_dr_hidden_lr_o3", storage=storage).trials


def test_it_ends_well_and_says_what_to_look_at(finished):
    _, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("Omega_m", "sigma_8", "RMSE", "R2", "chi2", "08_reporting", "kedro viz run"):
        assert word in done.stdout


def test_every_file_has_its_name(finished):
    project, _ = finished
    data = project / "data"
    expected = [
        "01_raw/MockNbody/Maps_Mtot_MockNbody_LH_z=0.00.npy",
        "01_raw/MockNbody/params_LH_MockNbody.txt",
        "01_raw/MockNbody/manifest_Mtot_MockNbody_LH.json",
        f"06_models/databases/MockNbody_o3_Mtot_{LABEL}.db",
        *[f"06_models/weights/weights_MockNbody_Mtot_{trial}_{LABEL}.pt" for trial in (0, 1)],
        *[f"06_models/losses/losses_MockNbody_Mtot_{trial}_{LABEL}.txt" for trial in (0, 1)],
        *[f"{REPORTS.removeprefix('data/')}/{name}" for name in TABLES],
    ]
    missing = [name for name in expected if not (data / name).is_file()]
    assert not missing
    assert (project / RESULTS).is_file()
    assert (project / DRAWS).is_file()
    assert not list(data.rglob("*.partial"))


def test_the_report_is_of_this_run_and_says_mock(finished):
    project, _ = finished
    page = (project / REPORTS / "report.html").read_text()
    assert len(page) < 5_000_000
    assert "<h1>Mtot of MockNbody (mock)</h1>" in page
    assert page.count("data:image/png;base64,") == len(FIGURES) - 1  # too few for importance
    manifest = (project / "data/01_raw/MockNbody/manifest_Mtot_MockNbody_LH.json").read_text()
    for record in json.loads(manifest)["files"].values():
        assert record["sha256"] in page
    rmse = json.loads((project / REPORTS / "metrics.json").read_text())["RMSE"]
    cells = map(float, re.findall(r'<td class="number">([\d.]+)<', page))
    assert any(cell == pytest.approx(rmse["Omega_m"], rel=0.05) for cell in cells)
    assert "map_size: 16" in page


def test_shapes_are_the_published_ones(finished):
    project, _ = finished
    results = np.loadtxt(project / RESULTS)
    assert results.shape == (6 * 15 * 8, 18)  # 6 test simulations, 15 maps, 8 orientations
    losses = np.loadtxt(project / f"data/06_models/losses/losses_MockNbody_Mtot_0_{LABEL}.txt")
    assert losses.shape == (2, 4)
    network = load_weights(project / f"data/06_models/weights/weights_MockNbody_Mtot_0_{LABEL}.pt")
    assert network.map_size == 16


def test_metrics_are_of_the_parameters_that_act(finished):
    project, _ = finished
    metrics = json.loads((project / REPORTS / "metrics.json").read_text())
    for name in ("RMSE", "relative_error", "epsilon", "R2", "chi2", "coverage_68", "coverage_95"):
        assert tuple(metrics[name]) == camels.COSMOLOGY
    results = read_results(project / RESULTS)
    error = results.mean[:, 0] - results.theta[:, 0]
    assert metrics["RMSE"]["Omega_m"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)


def test_the_information_is_of_all_parameters_together(finished):
    project, _ = finished
    metrics, intervals = (
        json.loads((project / REPORTS / f"{name}.json").read_text())
        for name in ("metrics", "metrics_intervals")
    )
    nats = measure_information(read_results(project / RESULTS))
    assert metrics["log_prob"] == {"+".join(camels.COSMOLOGY): pytest.approx(nats.mean())}
    (interval,) = intervals["log_prob"].values()
    assert interval["low"] < interval["value"] < interval["high"]


def test_recalibration_is_on_the_validation_maps(finished):
    project, _ = finished
    valid = read_results(project / RESULTS.replace("_LH.txt", "_LH_valid.txt"))
    assert len(valid) == 4 * 15 * 8  # 4 validation simulations, 15 maps, 8 orientations
    reports = project / REPORTS
    raw, recalibrated = (
        json.loads((reports / f"{name}.json").read_text())
        for name in ("metrics", "metrics_recalibrated")
    )
    expected_factors = fit_sigma_factors(valid, simulation_of_rows(valid, 8))
    assert recalibrated["sigma_factor"] == pytest.approx(expected_factors, rel=1e-9)
    for name, factor in recalibrated["sigma_factor"].items():
        assert recalibrated["RMSE"][name] == raw["RMSE"][name]
        expected = raw["chi2"][name] / factor**2
        assert recalibrated["chi2"][name] == pytest.approx(expected, rel=1e-12)


def test_the_same_seed_gives_the_same_metrics(finished, tmp_path):
    project, _ = finished
    again = make_project(tmp_path / "project")
    assert run_kedro(again, "run", "--env", "test").returncode == 0
    name = f"{REPORTS}/metrics.json"
    assert (again / name).read_bytes() == (project / name).read_bytes()


def test_a_finished_study_is_kept_and_a_longer_one_goes_on(finished):
    project, _ = finished
    before = [(trial.number, trial.value) for trial in trials(project)]
    assert run_kedro(project, "run", "--env", "test", "--pipeline", "tune").returncode == 0
    assert [(trial.number, trial.value) for trial in trials(project)] == before
    longer = run_kedro(
        project, "run", "--env", "test", "--pipeline", "tune", "--params", "n_trials=3"
    )
    assert longer.returncode == 0, longer.stderr
    after = [(trial.number, trial.value) for trial in trials(project)]
    assert after[:2] == before
    assert len(after) == 3


@pytest.mark.parametrize("pipeline", ["ingest", "preprocess", "evaluate", "report", "train"])
def test_a_stage_runs_again_alone(finished, pipeline):
    project, _ = finished
    done = run_kedro(project, "run", "--env", "test", "--pipeline", pipeline)
    assert done.returncode == 0, done.stdout + done.stderr


def copy_of(project, folder):
    """A project of the same maps, networks and reports, which a test may change."""
    copy = make_project(folder)
    shutil.copytree(project / "data", copy / "data")
    return copy


def test_the_report_is_made_anew_of_what_is_stored(finished, tmp_path):
    project = copy_of(finished[0], tmp_path / "project")
    shutil.rmtree(project / "data/06_models/losses")
    losses = (project / REPORTS / "losses.png").read_bytes()
    results = (project / RESULTS).stat().st_mtime_ns
    (project / REPORTS / "report.html").unlink()
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / REPORTS / "report.html").is_file()
    assert (project / REPORTS / "losses.png").read_bytes() != losses  # without curves
    assert (project / RESULTS).stat().st_mtime_ns == results
    assert f"{REPORTS}/report.html" in done.stdout


def test_threads_draw_what_one_thread_draws(finished, tmp_path):
    project = copy_of(finished[0], tmp_path / "project")
    for name in ("report.html", "saliency.png", "levels.csv"):
        (project / REPORTS / name).unlink()
    threads = ("--runner", "ThreadRunner", "--runner-params", "max_workers=4")
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "evaluate,report", *threads)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in (*(f"{figure}.png" for figure in FIGURES), "levels.csv", "metrics.json"):
        assert (project / REPORTS / name).read_bytes() == (
            (finished[0] / REPORTS / name).read_bytes()
        ), name


def test_processes_are_refused_with_a_way_out(finished):
    done = run_kedro(finished[0], "run", "--env", "test", "--runner", "ParallelRunner")
    assert done.returncode != 0
    assert "ParallelRunner cannot run this project" in done.stdout + done.stderr
    assert "--params workers=4" in done.stdout + done.stderr


def test_missing_outputs_alone(finished, tmp_path):
    project = copy_of(finished[0], tmp_path / "project")
    everything = ("run", "--env", "test", "--only-missing-outputs")
    done = run_kedro(project, *everything)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running node" not in done.stdout
    (project / REPORTS / "levels.csv").unlink()
    done = run_kedro(project, *everything)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "compare_levels" in done.stdout
    assert (project / REPORTS / "levels.csv").is_file()
    assert "score_results" not in done.stdout.partition("Running node")[2]


def test_versions_are_kept_and_an_old_one_is_loaded(finished, tmp_path):
    """From the last node on, with the levels of a version of one's choice."""
    project = copy_of(finished[0], tmp_path / "project")
    old = "2026-01-01T00.00.00.000Z"
    for name, stage in (("levels.csv", "evaluate"), ("report.html", "report")):
        entry = name.partition(".")[0]
        catalog = project / f"conf/base/{stage}/catalog.yml"
        catalog.write_text(
            catalog.read_text().replace(f"\n{entry}:\n", f"\n{entry}:\n  versioned: true\n")
        )
        text = (project / REPORTS / name).read_text()
        (project / REPORTS / name).unlink()
        for version, word in ((old, "an old network"), ("2026-02-01T00.00.00.000Z", "best")):
            path = project / REPORTS / name / version / name
            path.parent.mkdir(parents=True)
            path.write_text(text.replace("best,", f"{word},"))
    page = ("run", "--env", "test", "--pipelines", "report", "--from-nodes", "report.write_report")
    for arguments, found in (((), False), (("--load-versions", f"levels:{old}"), True)):
        done = run_kedro(project, *page, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        latest = sorted((project / REPORTS / "report.html").iterdir())[-1] / "report.html"
        assert ("an old network" in latest.read_text()) is found
    assert len([*(project / REPORTS / "report.html").iterdir()]) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("feild=HI", "feild: Unknown parameter"),
        ("field=HI", "suite MockNbody (Mtot), got 'HI'"),
        ("suite=SIMBA", "Use --env cmd"),
        ("epochs=3", "training.epochs"),  # a study of other epochs is there already
        ("sim_set=CV", "suite MockNbody (LH), got 'CV'"),
        ("test_suite=SIMBA", "SIMBA is not available from source 'mock'. Use --env cmd."),
        ("test_field=Mcdm", "suite MockNbody (Mtot), got 'Mcdm'"),
    ],
)
def test_a_run_that_differs_from_what_was_asked_does_not_finish(finished, arguments, message):
    project, _ = finished
    before = sorted(path for path in (project / "data").rglob("*") if path.is_file())
    done = run_kedro(project, "run", "--env", "test", "--params", arguments)
    assert done.returncode != 0
    assert message in " ".join((done.stdout + done.stderr).split())
    assert sorted(path for path in (project / "data").rglob("*") if path.is_file()) == before


def test_a_stage_without_what_it_needs_names_the_stages_that_make_it(project):
    done = run_kedro(project, "run", "--env", "test", "--pipeline", "evaluate")
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    assert "multifield run --pipelines ingest,preprocess,tune` first" in output
    assert "Missing inputs from earlier stages: log_maps, " in output
    assert ", study, " in output
    assert "(no log_maps at " in output
    assert "--params models_folder=" in output


def test_a_network_is_tested_on_another_suite(finished):
    project, _ = finished
    at_home = (project / RESULTS).read_bytes()
    parameters = "test_suite=MockTNG,test_smoothing_width=1,evaluation.top_k=2,evaluation.shifts=1"
    done = run_kedro(
        project, "run", "--env", "test", "--pipeline", "evaluate", "--params", parameters
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tested on mock suite MockTNG, Mtot maps, LH" in done.stdout
    name = f"results_train_MockNbody_Mtot_{LABEL}_test_MockTNG_Mtot_{LABEL}_smoothing_1_LH"
    folder = project / "data/07_model_output"
    best, other = read_results(folder / f"{name}.txt"), [*folder.glob(f"{name}_trial_*.txt")]
    assert len(best) == 6 * 15 * 8
    assert len(other) == 1
    reports = project / REPORTS / f"test_MockTNG_Mtot_{LABEL}_smoothing_1_LH"
    tested = (reports / "tested_trials.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in tested] == ["rank", "1", "2"]
    assert len(read_results(folder / f"{name}_ensemble_2.txt")) == 6 * 15 * 8
    text = (reports / "levels.csv").read_text()
    levels = csv.DictReader(text.splitlines())
    assert list(dict.fromkeys((row["network"], row["level"]) for row in levels)) == [
        (network, level)
        for network in ("best", "ensemble_2", "best, 1 shifts")
        for level in ("view", "map", "simulation")
    ]
    assert (project / RESULTS).read_bytes() == at_home
    assert (project / "data/05_model_input/MockTNG").is_dir()


def test_log_maps_in_16_bits(project):
    """From the first stage to a test on another suite; the files say so, the raw maps are as ever."""
    compact = "preprocessing.compact=true,n_trials=1,epochs=1"
    done = run_kedro(project, "run", "--env", "test", "--params", compact)
    assert done.returncode == 0, done.stdout + done.stderr
    parameters = f"{compact},test_suite=MockTNG"
    done = run_kedro(
        project, "run", "--env", "test", "--pipeline", "evaluate", "--params", parameters
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in (project / "data/05_model_input").rglob("log_Maps_*.npy")}
    suites = ("MockNbody", "MockTNG")
    assert names == {f"log_Maps_Mtot_{suite}_LH_z=0.00_float16.npy" for suite in suites}


def test_parity_keeps_all_columns(tmp_path):
    project = make_project(tmp_path / "project")
    parameters = "parity=true,n_trials=1,epochs=1"
    done = run_kedro(project, "run", "--env", "test", "--params", parameters)
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.isfinite(np.loadtxt(project / RESULTS)).all()
    metrics = json.loads((project / REPORTS / "metrics.json").read_text())
    assert tuple(metrics["RMSE"]) == camels.COSMOLOGY
    normalization = next((project / "data/05_model_input/MockNbody").glob("normalization_*.json"))
    assert json.loads(normalization.read_text())["over"] == "all"


def test_several_fields_are_channels_in_the_order_asked(project):
    done = run_kedro(
        project, "run", "--env", "test", "--params", "suite=MockTNG,field=Mgas_T_Mstar,n_trials=1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    normalization = next((project / "data/05_model_input/MockTNG").glob("normalization_*.json"))
    assert json.loads(normalization.read_text())["fields"] == ["Mgas", "T", "Mstar"]
    weights = next((project / "data/06_models/weights").glob("weights_MockTNG_Mgas_T_Mstar_0_*.pt"))
    assert load_weights(weights).channels == 3
    metrics = json.loads(
        (project / f"data/08_reporting/MockTNG_Mgas_T_Mstar_{LABEL}/metrics.json").read_text()
    )
    assert tuple(metrics["R2"]) == camels.PARAMETER_NAMES


def test_the_other_recipe_has_files_of_its_own_in_the_same_project(finished):
    project, _ = finished
    published = project / f"data/06_models/weights/weights_MockNbody_Mtot_0_{LABEL}.pt"
    before = published.read_bytes()
    done = run_kedro(
        project, "run", "--env", "test", "--pipelines", "train", "--params", "recipe=statistics"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    label = "all_one_cycle_summary_statistics_autoregressive"
    models = project / "data/06_models"
    network = load_weights(models / f"weights/weights_MockNbody_Mtot_single_{label}.pt")
    assert isinstance(network, SummaryStatistics)
    card = json.loads((models / f"cards/card_MockNbody_Mtot_single_{label}.json").read_text())
    assert card["architecture"] == "summary_statistics"
    assert card["training"]["training.weight_averaging"] == "0.999"
    assert published.read_bytes() == before
