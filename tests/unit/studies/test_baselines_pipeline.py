"""`kedro run --pipeline baselines`, with and without the results of a network."""

import csv

import numpy as np
import pytest
from kedro.io import DatasetError

from multifield.camels import PARAMETER_NAMES
from multifield.data import read_theta
from multifield.datasets import FoundResultsDataset
from multifield.evaluation import Results, write_results
from multifield.maps import split_simulations
from tests.helpers.projects import make_project, run_kedro

LABEL = "all_steps_4_4_o3"
NAME = f"results_train_MockGaussian_Mtot_{LABEL}_test_MockGaussian_Mtot_{LABEL}_LH.txt"
REPORT = f"data/08_reporting/MockGaussian_Mtot_{LABEL}/baselines.csv"
SUITE = ("--env", "test", "--params", "suite=MockGaussian")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("baselines") / "project")
    done = run_kedro(project, "run", "--pipelines", "ingest,preprocess,baselines", *SUITE)
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def scores(project):
    with (project / REPORT).open(newline="") as file:
        return {(row["method"], row["parameter"]): row for row in csv.DictReader(file)}


def write_network(project, theta):
    path = project / "data/07_model_output" / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    write_results(path, Results(theta, theta, np.full(theta.shape, 0.01), PARAMETER_NAMES))


def test_without_a_network(prepared):
    rows = scores(prepared)
    methods = {method for method, _ in rows}
    assert {"prior", "mean", "power spectrum", "exact posterior"} <= methods
    assert "network" not in methods
    for parameter in ("Omega_m", "sigma_8"):
        exact, prior = (float(rows[m, parameter]["RMSE"]) for m in ("exact posterior", "prior"))
        assert exact < 0.7 * prior  # sigma_8: 0.04 from 16 pixels, 0.12 from the prior


def test_with_results_of_a_network(prepared):
    table = prepared / "data/01_raw/MockGaussian/params_LH_MockGaussian.txt"
    theta = read_theta(table)[list(split_simulations(24, n_valid=4, n_test=6).test)]
    write_network(prepared, np.tile(np.repeat(theta, 15, axis=0), (8, 1)))
    done = run_kedro(prepared, "run", "--pipeline", "baselines", *SUITE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(scores(prepared)["network", "Omega_m"]["RMSE"]) == pytest.approx(0, abs=1e-12)


def test_results_that_are_found_are_not_written_here(tmp_path):
    names = {"suite": "MockGaussian", "field": "Mtot", "label": LABEL, "sim_set": "LH"}
    tested = {f"test_{name}": names[name] for name in ("suite", "field", "label")}
    dataset = FoundResultsDataset(path=str(tmp_path), **names, **tested)
    assert dataset.load() == {}
    with pytest.raises(DatasetError, match="Expected only loads of this dataset"):
        dataset.save({})


def test_what_is_missing_is_named(tmp_path):
    project = make_project(tmp_path / "project")
    done = run_kedro(project, "run", "--pipeline", "baselines", *SUITE)
    assert done.returncode != 0
    assert "`multifield run --pipelines ingest,preprocess` first" in done.stdout + done.stderr
    assert "network_results" not in done.stdout + done.stderr


def test_results_of_other_maps_stop_the_run(prepared):
    write_network(prepared, np.full((90, 6), 0.5))
    before = (prepared / REPORT).read_bytes()
    done = run_kedro(prepared, "run", "--pipeline", "baselines", *SUITE)
    assert done.returncode != 0
    assert "network: Expected the true parameters of the test maps" in done.stdout + done.stderr
    assert (prepared / REPORT).read_bytes() == before
