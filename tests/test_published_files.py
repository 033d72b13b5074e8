"""Files named and shaped as CMD's, through the environment `cmd`, from a folder to metrics."""

import json
from pathlib import Path

import numpy as np
import optuna
import pytest

from multifield.config.ingest import MockConfig
from multifield.core.atomic_files import atomic_path
from multifield.data.map_files import save_maps
from multifield.mock import simulate
from multifield.models import load_weights
from tests.helpers.projects import make_project, run_kedro

N_SIMULATIONS = 30
SUITE = "Nbody_IllustrisTNG"
LABEL = "all_steps_500_500_o3"
CONFIG = MockConfig(
    n_simulations=N_SIMULATIONS, map_size=256, lattice=64, refine=4, seed=5, n_threads=2
)


def published_table() -> np.ndarray:
    """Thirty rows in the published format, drawn here: the real tables are not ours to give away."""
    rng = np.random.default_rng(7)
    low, high = np.array([0.1, 0.6, 0.25, 0.25, 0.5, 0.5]), np.array([0.5, 1, 4, 4, 2, 2])
    return np.round(rng.uniform(low, high, (N_SIMULATIONS, 6)), 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What a user who downloaded CMD has; the maps carry an older name."""
    folder = tmp_path_factory.mktemp("CMD")
    theta = published_table()
    np.savetxt(folder / f"params_LH_{SUITE}.txt", theta, fmt="%.5f")
    maps = [
        simulate("MockNbody", ("Mtot",), CONFIG, theta, i)["Mtot"] for i in range(N_SIMULATIONS)
    ]
    save_maps(folder / f"Images_Mtot_{SUITE}_LH_z=0.0.npy", np.concatenate(maps))
    return folder


def cmd_project(path: Path, folder: Path) -> Path:
    project = make_project(path)
    (project / "conf/cmd/parameters.yml").write_text(f"source:\n  folder: {folder}\n")
    return project


SHORT = (
    f"suite={SUITE},n_trials=1,epochs=1,split.n_valid=2,split.n_test=2,source.partial=true,"
    "tuning.search_space.hidden.high=6"
)


@pytest.mark.slow
def test_from_a_folder_to_metrics(tmp_path, folder):
    project = cmd_project(tmp_path / "project", folder)
    done = run_kedro(project, "run", "--env", "cmd", "--params", SHORT)
    assert done.returncode == 0, done.stdout + done.stderr
    data = project / "data"
    raw = data / f"01_raw/{SUITE}/Maps_Mtot_{SUITE}_LH_z=0.00.npy"
    assert raw.resolve().parent == folder  # linked to, not copied
    manifest = json.loads((data / f"01_raw/{SUITE}/manifest_Mtot_{SUITE}_LH.json").read_text())
    assert manifest["files"]["Mtot"]["size"] == 450 * 262_144 + 128
    storage = f"sqlite:///{data}/06_models/databases/Nbody_o3_Mtot_{LABEL}.db"
    study = optuna.load_study(study_name="wd_dr_hidden_lr_o3", storage=storage)
    assert set(study.best_params) == {"lr", "wd", "dr", "hidden"}
    network = load_weights(data / f"06_models/weights/weights_Nbody_Mtot_0_{LABEL}.pt")
    assert sum(parameter.numel() for parameter in network.parameters()) == 8_466_876  # h = 6
    assert (data / f"06_models/losses/losses_Nbody_Mtot_0_{LABEL}.txt").is_file()
    name = f"results_train_Nbody_Mtot_{LABEL}_test_Nbody_Mtot_{LABEL}_LH.txt"
    results = np.loadtxt(data / "07_model_output" / name)
    assert results.shape == (2 * 15 * 8, 18)
    assert (data / f"08_reporting/Nbody_Mtot_{LABEL}/metrics.json").is_file()


def broken_folder(tmp_path: Path, folder: Path, fault: str) -> Path:
    """The folder with one fault."""
    broken = tmp_path / "broken"
    broken.mkdir()
    theta = published_table()[:3]
    maps = np.load(folder / f"Images_Mtot_{SUITE}_LH_z=0.0.npy", mmap_mode="r")[:45].copy()
    path = broken / f"Maps_Mtot_{SUITE}_LH_z=0.00.npy"
    if fault == "fewer simulations":
        theta = theta[:1]
    if fault in ("nan", "inf", "-1", "0"):
        maps[16, 2, 3] = float(fault)
    if fault == "float64":
        maps = maps.astype(np.float64)
    if fault == "not square":
        maps = maps[:, :, :-1].copy()
    np.savetxt(broken / f"params_LH_{SUITE}.txt", theta, fmt="%.5f")
    if fault != "no file":
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.save(file, maps)
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    return broken


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no file", f"Expected a file named Maps_Mtot_{SUITE}_LH_z=0.00.npy or"),
        ("truncated", "truncated"),
        ("float64", "Expected float32 maps, got <f8"),
        ("not square", "Expected shape (N, L, L), got (45, 256, 255)"),
        ("fewer simulations", "Expected 15 maps (15 for each of the 1 rows"),
        ("nan", "map 16, pixel (2, 3): Expected a finite value >= 0, got nan"),
        ("inf", "map 16, pixel (2, 3): Expected a finite value >= 0, got inf"),
        ("-1", "map 16, pixel (2, 3): Expected a finite value >= 0, got -1"),
        ("0", "because Mtot is transformed to log10"),
    ],
)
def test_a_fault_in_the_files_stops_the_run(tmp_path, folder, fault, message):
    project = cmd_project(tmp_path / "project", broken_folder(tmp_path, folder, fault))
    parameters = f"suite={SUITE},split.n_valid=1,split.n_test=1,source.partial=true"
    done = run_kedro(
        project, "run", "--env", "cmd", "--pipelines", "ingest,preprocess", "--params", parameters
    )
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    assert message in output
    assert f"{SUITE}_LH" in output  # the file is named
    assert not list((project / "data").rglob("*.partial"))
    assert not list((project / "data").glob("05_model_input/**/log_*"))
