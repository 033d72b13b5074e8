"""A folder as the benchmark released it, through `kedro run`: maps, a database of Optuna 2, two networks.

The maps are mock ones under published names; the expected numbers come from a plain implementation of the
benchmark's test: NumPy, SciPy and an unfused network, in the order of its steps.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from multifield import camels
from multifield.config.ingest import MockConfig
from multifield.data.map_files import save_maps
from multifield.evaluation import read_results
from multifield.mock import simulate
from multifield.models import O3Err
from multifield.tuning import load_study, rank_trials
from tests.helpers.projects import make_project, run_kedro
from tests.reference.plain_o3_err import PlainO3Err

FIELD, WIDTH = "T", 2
LABEL = f"all_steps_500_500_o3_smoothing_{WIDTH}"
TRAINED = f"IllustrisTNG_{FIELD}_{LABEL}"
REPORTS = f"data/08_reporting/{TRAINED}"
FIDUCIAL = (0.3, 0.8, 1.0, 1.0, 1.0, 1.0)
LH = np.array(
    [
        (0.15, 0.7, 0.5, 2.0, 0.8, 1.5),
        (0.25, 0.9, 1.5, 0.7, 1.2, 0.6),
        (0.35, 0.75, 3.0, 1.0, 1.6, 1.0),
        (0.45, 0.95, 0.9, 3.5, 0.6, 1.9),
    ]
)
EX = np.array(
    [FIDUCIAL, (0.3, 0.8, 1, 100, 1, 1), (0.3, 0.8, 100, 1, 1, 1), (0.3, 0.8, 0, 0, 0, 0)]
)
SB28 = [parameter.fiducial for parameter in camels.find_set("SB28", "IllustrisTNG").space]
TABLES = {
    ("IllustrisTNG", "LH"): LH,
    ("SIMBA", "LH"): LH,
    ("IllustrisTNG", "CV"): np.array([FIDUCIAL, FIDUCIAL]),
    ("SIMBA", "1P"): np.array([(0.1, *FIDUCIAL[1:]), FIDUCIAL, (0.5, *FIDUCIAL[1:])]),
    ("IllustrisTNG", "EX"): EX,
    ("IllustrisTNG", "SB28"): np.hstack([LH[:2, :2], np.tile(SB28[2:], (2, 1))]),
}
HELD_OUT = int(np.random.RandomState(1).permutation(4)[-1])  # as the benchmark splits, of four
TWIN_RTOL = 1e-4  # of the largest output: float32 through 20 layers, smoothing to 2e-6
SHORT = (
    f"suite=IllustrisTNG,field={FIELD},smoothing_width={WIDTH},source.partial=true,"
    "split.n_valid=1,split.n_test=1,training.batch_size=30,evaluation.saliency_steps=1"
)


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    """`data/` with maps and tables, `inference/` with a database of Optuna 2 and DataParallel's weights."""
    folder = tmp_path_factory.mktemp("released")
    config = MockConfig(n_simulations=4, map_size=256, lattice=64, refine=4, seed=5, n_threads=2)
    maps = [simulate("MockTNG", (FIELD,), config, LH, i)[FIELD] for i in range(4)]
    for (suite, sim_set), table in TABLES.items():
        home = folder / "data" / suite
        n = len(table)
        brighter = 1.25 if suite == "SIMBA" else 1.0  # another code, another temperature
        name = camels.maps_names(FIELD, suite, sim_set)[0]
        save_maps(home / name, np.concatenate(maps[:n]) * np.float32(brighter))
        np.savetxt(home / camels.theta_names(suite, sim_set)[0], table, fmt="%.7g")
    _release_networks(folder / "inference")
    return folder


def _release_networks(folder: Path) -> None:
    database = folder / "databases" / f"IllustrisTNG_o3_{FIELD}_{LABEL}.db"
    database.parent.mkdir(parents=True)
    shutil.copy(OLD_DATABASE, database)
    (folder / "weights").mkdir()
    for trial in rank_trials(load_study(database))[:2]:
        torch.manual_seed(trial.number)
        network = torch.nn.DataParallel(O3Err(trial.params["hidden"], trial.params["dr"], 1))
        for name, tensor in network.state_dict().items():
            if name.endswith("running_mean"):
                tensor.normal_(0, 0.1)
        torch.save(
            network.state_dict(),
            folder / "weights" / f"weights_IllustrisTNG_{FIELD}_{trial.number}_{LABEL}.pt",
        )


OLD_DATABASE = Path(__file__).parent / "unit/tuning/studies/optuna_2.10.0.db"


@pytest.fixture(scope="module")
def project(tmp_path_factory, released) -> Path:
    """A project in which the training suite's maps are ingested and preprocessed, and nothing is trained."""
    project = make_project(tmp_path_factory.mktemp("project") / "project")
    (project / "conf/cmd/parameters.yml").write_text(
        f"source:\n  folder: {released}/data\nmodels_folder: {released}/inference\nparity: true\n"
    )
    done = run_kedro(
        project, "run", "--env", "cmd", "--pipelines", "ingest,preprocess", "--params", SHORT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def evaluate(project: Path, **parameters: object) -> str:
    asked = ",".join([SHORT, *[f"{name}={value}" for name, value in parameters.items()]])
    stages = ("--pipelines", "evaluate,report")
    done = run_kedro(project, "run", "--env", "cmd", *stages, "--params", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def results_file(project: Path, tested: str) -> Path:
    return project / f"data/07_model_output/results_train_{TRAINED}_test_{tested}.txt"


def benchmark_rows(
    released: Path,
    suite: str,
    sim_set: str,
    chosen: list[int],
    trial: int,
    *,
    width: int = WIDTH,
    n_orientations: int = 8,
) -> np.ndarray:
    """18 columns as the benchmark's test makes them, of maps standardized by IllustrisTNG's LH."""
    home = _log_maps(released, "IllustrisTNG", "LH", WIDTH)
    mean, std = np.mean(home), np.std(home)
    rows = [15 * simulation + i for simulation in chosen for i in range(15)]
    x = (_log_maps(released, suite, sim_set, width)[rows] - mean) / std
    copies = []
    for turns in (0, 1, 2, 3):
        turned = np.rot90(x, k=turns, axes=(1, 2))
        copies += [turned, np.flip(turned, axis=1)]
    output = _infer(released, np.concatenate(copies[:n_orientations]), trial)
    theta = np.repeat(TABLES[suite, sim_set][chosen, :6], 15, axis=0)
    low, high = np.array([0.1, 0.6, 0.25, 0.25, 0.5, 0.5]), np.array([0.5, 1, 4, 4, 2, 2])
    return np.hstack(
        [
            np.tile(theta, (n_orientations, 1)),
            low + output[:, :6] * (high - low),
            output[:, 6:] * (high - low),
        ]
    )


def _log_maps(released: Path, suite: str, sim_set: str, width: int) -> np.ndarray:
    maps = np.load(released / f"data/{suite}/Maps_{FIELD}_{suite}_{sim_set}_z=0.00.npy")
    return np.log10(np.stack([gaussian_filter(one, width, mode="wrap") for one in maps]))


@torch.inference_mode()
def _infer(released: Path, x: np.ndarray, trial: int) -> np.ndarray:
    path = released / f"inference/weights/weights_IllustrisTNG_{FIELD}_{trial}_{LABEL}.pt"
    state = torch.load(path, weights_only=True)
    hidden = len(state["module.C01.weight"]) // 2
    network = torch.nn.DataParallel(PlainO3Err(hidden, 1)).eval()
    network.load_state_dict(state)
    parts = torch.from_numpy(np.ascontiguousarray(x[:, None], dtype=np.float32)).split(30)
    return torch.cat([network(part) for part in parts]).double().numpy()


def assert_twins(found: np.ndarray, expected: np.ndarray) -> None:
    known = np.isfinite(expected)
    np.testing.assert_array_equal(np.isnan(found), ~known)
    np.testing.assert_array_equal(found[:, :6][known[:, :6]], expected[:, :6][known[:, :6]])
    scale = scale_of(expected)
    np.testing.assert_allclose(found[:, 6:], expected[:, 6:], rtol=0, atol=TWIN_RTOL * scale)


def scale_of(rows: np.ndarray) -> float:
    return float(np.abs(rows[:, 6:]).max())


def trials(released: Path) -> list[int]:
    study = load_study(released / f"inference/databases/IllustrisTNG_o3_{FIELD}_{LABEL}.db")
    return [trial.number for trial in rank_trials(study)]


@pytest.mark.slow
def test_at_home_the_published_numbers_under_the_published_name(project, released):
    out = evaluate(project)
    assert "does not record what its trials depend on" in " ".join(out.split())
    path = results_file(project, f"{TRAINED}_LH")
    lines = path.read_text().splitlines()
    assert len(lines) == 15 * 8
    assert lines[0] == " ".join(f"{value:.18e}" for value in np.loadtxt(path)[0])  # numpy.savetxt's
    expected = benchmark_rows(released, "IllustrisTNG", "LH", [HELD_OUT], trials(released)[0])
    assert_twins(np.loadtxt(path), expected)
    # or any order of maps and orientations would do
    next_one = np.roll(expected[:, 6:], 1, axis=0)
    assert np.abs(expected[:, 6:] - next_one).max(axis=1).min() > 10 * TWIN_RTOL * scale_of(
        expected
    )
    turned = np.roll(expected[:, 6:], 15, axis=0)
    assert np.abs(expected[:, 6:] - turned).max(axis=1).min() > 10 * TWIN_RTOL * scale_of(expected)
    metrics = json.loads((project / REPORTS / "metrics.json").read_text())
    assert set(metrics["RMSE"]) == set(camels.PARAMETER_NAMES)
    assert (project / REPORTS / "losses.png").is_file()  # none were released


@pytest.mark.slow
def test_another_suite_with_the_training_suites_statistics(project, released):
    some = {"evaluation.top_k": 2, "evaluation.orientations": 2}
    out = evaluate(project, test_suite="SIMBA", **some)
    assert f"tested on SIMBA, {FIELD} maps, LH" in " ".join(out.split())
    path = results_file(project, f"SIMBA_{FIELD}_{LABEL}_LH")
    best, second = trials(released)[:2]
    assert_twins(
        np.loadtxt(path),
        benchmark_rows(released, "SIMBA", "LH", [HELD_OUT], best, n_orientations=2),
    )
    runner_up = path.with_name(f"{path.stem}_trial_{second}.txt")
    assert_twins(
        np.loadtxt(runner_up),
        benchmark_rows(released, "SIMBA", "LH", [HELD_OUT], second, n_orientations=2),
    )
    tested = f"test_SIMBA_{FIELD}_{LABEL}_LH"
    metrics = json.loads((project / REPORTS / tested / "metrics.json").read_text())
    assert tuple(metrics["RMSE"]) == camels.COSMOLOGY
    with (project / REPORTS / tested / "tested_trials.csv").open() as file:
        assert [int(row["trial"]) for row in csv.DictReader(file)] == [best, second]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "sim_set"),
    [("IllustrisTNG", "EX"), ("IllustrisTNG", "CV"), ("SIMBA", "1P"), ("IllustrisTNG", "SB28")],
)
def test_other_sets_whole_and_never_clipped(project, released, suite, sim_set):
    evaluate(project, test_suite=suite, test_set=sim_set, **{"evaluation.orientations": 1})
    results = read_results(results_file(project, f"{suite}_{FIELD}_{LABEL}_{sim_set}"))
    table = TABLES[suite, sim_set]
    n_known = 2 if sim_set == "SB28" else 6
    theta = np.repeat(table, 15, axis=0)
    np.testing.assert_array_equal(results.theta[:, :n_known], theta[:, :n_known])
    assert np.isnan(results.theta[:, n_known:]).all()
    best = trials(released)[0]
    expected = benchmark_rows(released, suite, sim_set, [0], best, n_orientations=1)
    found = np.hstack([results.theta, results.mean, results.std])[:15]
    expected[:, n_known:6] = np.nan
    assert_twins(found, expected)


@pytest.mark.slow
def test_on_maps_of_another_smoothing(project, released):
    evaluate(project, test_smoothing_width=0, **{"evaluation.orientations": 1})
    found = np.loadtxt(results_file(project, f"IllustrisTNG_{FIELD}_all_steps_500_500_o3_LH"))
    best = trials(released)[0]
    expected = benchmark_rows(
        released, "IllustrisTNG", "LH", [HELD_OUT], best, width=0, n_orientations=1
    )
    assert_twins(found, expected)


@pytest.mark.slow
def test_the_released_folder_stays_as_it_was(project, released):
    before = {path: path.read_bytes() for path in released.rglob("*") if path.is_file()}
    evaluate(project, **{"evaluation.orientations": 1})
    assert {path: path.read_bytes() for path in released.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_weights_that_are_not_the_studys_are_refused(tmp_path, project, released):
    other = tmp_path / "inference"
    shutil.copytree(released / "inference", other)
    best, second = trials(released)[:2]
    name = f"weights_IllustrisTNG_{FIELD}_{{}}_{LABEL}.pt"
    shutil.copy(other / "weights" / name.format(second), other / "weights" / name.format(best))
    asked = f"{SHORT},models_folder={other}"
    stages = ("--pipelines", "evaluate,report")
    done = run_kedro(project, "run", "--env", "cmd", *stages, "--params", asked)
    assert done.returncode != 0
    assert "Expected a network with hidden" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.slow
def test_a_released_network_gets_a_card_and_infers_from_new_maps(tmp_path, project, released):
    """The folder gains a card alone, by which maps of another suite, without parameters, are standardized."""
    copy = tmp_path / "inference"
    shutil.copytree(released / "inference", copy)
    asked = f"{SHORT},models_folder={copy}"
    done = run_kedro(
        project,
        *("run", "--env", "cmd", "--pipeline", "describe", "--params", f"{asked},card.top_k=1"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not record what its trials depend on" in " ".join(done.stdout.split())
    there, here = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (released / "inference", copy)
    )
    card = Path("cards") / f"card_{TRAINED}.json"
    assert here - there == {card}
    assert json.loads((copy / card).read_text())["training"] == {}
    source = released / f"data/SIMBA/Maps_{FIELD}_SIMBA_LH_z=0.00.npy"
    asked = f"{asked},maps={source},prediction.orientations=1"
    done = run_kedro(project, "run", "--env", "cmd", "--pipeline", "predict", "--params", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = (project / "data/07_model_output").glob("predictions_*.csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = benchmark_rows(
        released, "SIMBA", "LH", [0, 1, 2, 3], trials(released)[0], n_orientations=1
    )
    found = np.hstack(
        [
            expected[:, :6],
            [[float(row[f"{name}_mean"]) for name in camels.PARAMETER_NAMES] for row in rows],
            [[float(row[f"{name}_std"]) for name in camels.PARAMETER_NAMES] for row in rows],
        ]
    )
    assert_twins(found, expected)
