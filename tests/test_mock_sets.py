"""Mock suites with another box and other parameters than CMD's, from `ingest` to `report`."""

import json

import numpy as np
import pytest

from multifield import camels
from multifield.evaluation import read_results
from tests.helpers.projects import make_project, run_kedro

LABEL = "all_steps_4_4_o3"
SETS = {"MockTNG50": ("LH", 8, 30), "MockSB": ("SB14", 14, 15)}


@pytest.mark.parametrize("suite", SETS)
def test_from_ingest_to_report(tmp_path, suite):
    sim_set, n_parameters, n_maps = SETS[suite]
    project = make_project(tmp_path / "project")
    wanted = f"suite={suite},sim_set={sim_set},field=T,n_trials=1,epochs=1,split.n_test=2"
    done = run_kedro(project, "run", "--env", "test", "--params", wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    data, name = project / "data", f"{suite}_T_{LABEL}"
    raw = np.load(data / f"01_raw/{suite}/Maps_T_{suite}_{sim_set}_z=0.00.npy", mmap_mode="r")
    assert raw.shape == (24 * n_maps, 16, 16)
    results = read_results(data / f"07_model_output/results_train_{name}_test_{name}_{sim_set}.txt")
    assert results.space == camels.find_space(suite, sim_set)
    assert len(results.inferred) == n_parameters
    assert len(results) == 8 * 2 * n_maps  # orientations, test simulations
    assert results.maps_per_simulation == n_maps
    a_sn1 = results.theta[:, results.space.index("A_SN1")]  # its logarithm
    assert (np.abs(a_sn1) < np.log10(4.0)).all()
    metrics = json.loads((data / f"08_reporting/{name}/metrics.json").read_text())
    assert tuple(metrics["RMSE"]) == results.inferred
    assert f"T of {suite} (mock)" in (data / f"08_reporting/{name}/report.html").read_text()
