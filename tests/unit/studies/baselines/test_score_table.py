import numpy as np
import pytest

from multifield.evaluation import Results
from multifield.studies import compare

THETA = np.array([[0.2, 0.7, 1, 1, 1, 1], [0.4, 0.9, 1, 1, 1, 1], [0.3, 0.8, 1, 1, 1, 1]])


def results(error: np.ndarray, theta: np.ndarray = THETA) -> Results:
    """Make results with given errors of Omega_m per row; sigma_8 is exact."""
    mean, std = np.full(theta.shape, np.nan), np.full(theta.shape, np.nan)
    mean[:, :2], std[:, :2] = theta[:, :2], 0.1
    mean[:, 0] += error
    return Results(theta, mean, std, ("Omega_m", "sigma_8"))


def value(records: list[dict], method: str, parameter: str, metric: str) -> float:
    (record,) = [r for r in records if (r["method"], r["parameter"]) == (method, parameter)]
    return record[metric]


def test_one_row_per_method_and_parameter():
    records = compare({"prior": results(np.array([0.1, -0.1, 0.0]))}, {})
    assert [(r["method"], r["parameter"]) for r in records] == [
        ("prior", "Omega_m"),
        ("prior", "sigma_8"),
    ]
    assert records[0]["RMSE"] == pytest.approx(np.sqrt(0.02 / 3))
    assert records[0]["R2"] == pytest.approx(1 - 0.02 / 0.02)
    assert records[0]["chi2"] == pytest.approx(2 / 3)
    assert records[0]["epsilon"] == pytest.approx((0.1 / 0.2 + 0.1 / 0.4) / 3)


def test_what_was_found_is_said(caplog):
    with caplog.at_level("INFO"):
        compare({"prior": results(np.array([0.1, -0.1, 0.1]))}, {})
    assert "prior: RMSE Omega_m 0.1, sigma_8 0" in caplog.text


def test_orientations_are_averaged_before_they_are_scored():
    """Errors that cancel between two orientations of a map do not count."""
    twice = results(np.array([0.1, 0.1, 0.1, -0.1, -0.1, 0.1]), np.tile(THETA, (2, 1)))
    records = compare({"prior": results(np.zeros(3))}, {"network": twice})
    assert value(records, "network", "Omega_m", "RMSE") == pytest.approx(np.sqrt(0.01 / 3))


def test_a_network_is_scored_on_what_the_baselines_infer():
    everything = Results(THETA, THETA + 0.1, np.full(THETA.shape, 0.1))
    records = compare({"prior": results(np.zeros(3))}, {"network": everything})
    assert {record["parameter"] for record in records} == {"Omega_m", "sigma_8"}


def test_other_maps_are_refused():
    other = results(np.zeros(3), THETA + 0.01)
    with pytest.raises(ValueError, match="network: Expected the true parameters of the test maps"):
        compare({"prior": results(np.zeros(3))}, {"network": other})


def test_another_order_is_refused():
    other = results(np.zeros(3), THETA[::-1].copy())
    with pytest.raises(ValueError, match="network: Expected the true parameters of the test maps"):
        compare({"prior": results(np.zeros(3))}, {"network": other})


def test_another_number_of_maps_is_refused():
    other = results(np.zeros(2), THETA[:2])
    with pytest.raises(
        ValueError, match="network: Expected results of the 3 test maps, got 2 rows"
    ):
        compare({"prior": results(np.zeros(3))}, {"network": other})


def test_an_undefined_metric_is_none():
    theta = np.tile(THETA[:1], (3, 1))
    records = compare({"prior": results(np.full(3, 0.1), theta)}, {})
    assert value(records, "prior", "Omega_m", "R2") is None
