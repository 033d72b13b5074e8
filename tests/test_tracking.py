"""Runs in a local MLflow, where the extra `mlflow` is installed."""

import json

import pytest

from tests.helpers.projects import make_project, run_python

pytest.importorskip("kedro_mlflow", reason="needs the extra mlflow")
READ = """
import json, mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
(run,) = client.search_runs([client.get_experiment_by_name("multifield").experiment_id])
files = [entry.path for entry in client.list_artifacts(run.info.run_id)]
print(json.dumps([run.info.status, run.data.params, run.data.metrics, files]))
"""


def run(project, *arguments):
    done = run_python(project, *arguments, OMP_NUM_THREADS="1", COLUMNS="200")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_parameters_metrics_figures_and_cards_are_in_the_store(tmp_path):
    project = make_project(tmp_path / "project")
    run(project, "-m", "kedro", "run", "--env", "test")
    status, parameters, metrics, files = json.loads(run(project, "-c", READ).splitlines()[-1])
    assert status == "FINISHED"
    assert (parameters["training.epochs"], parameters["suite"]) == ("2", "MockNbody")
    (stored,) = project.glob("data/08_reporting/*/metrics.json")
    expected = json.loads(stored.read_text())
    assert metrics["RMSE.Omega_m"] == expected["RMSE"]["Omega_m"]
    assert "recalibrated.chi2.sigma_8" in metrics
    assert {"report.html", "calibration.png", "levels.csv", "metrics_intervals.json"} <= set(files)
    assert [name for name in files if name.startswith("card_MockNbody_Mtot_")]
    assert not (project / "mlruns").exists()
