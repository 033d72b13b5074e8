"""Scores of predictions of any program."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from multifield import camels
from multifield.cli import program
from multifield.config.evaluation import BootstrapConfig, CalibrationConfig
from multifield.evaluation import (
    Results,
    estimate_intervals,
    score_results,
    simulation_of_rows,
    write_results,
)
from multifield.studies.scoring import (
    Layout,
    Predictions,
    read_predictions,
    score_files,
    score_predictions,
)
from multifield.studies.scoring.draws import rank_distances, rank_truth
from multifield.studies.scoring.scores import compare_scores

BOOTSTRAP = BootstrapConfig(n_resamples=200, level=0.95, seed=1)
CALIBRATION = CalibrationConfig(n_draws=50, seed=1)
N_MAPS = 60  # of four simulations
NAMES = camels.COSMOLOGY


@pytest.fixture
def results(make_results):
    return make_results(N_MAPS, NAMES, n_simulations=4)


def as_table(results, forms=("{}_true", "{}_mean", "{}_std")):
    columns = {}
    for name in results.inferred:
        for form, values in zip(forms, results.of(name), strict=True):
            columns[form.format(name)] = values
    return pd.DataFrame(columns)


def as_draws(results, n_draws=40, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(len(results)), n_draws)
    table = {"map": rows, "draw": np.tile(np.arange(n_draws), len(results))}
    for name in results.inferred:
        truth, mean, std = results.of(name)
        table[name] = mean[rows] + std[rows] * rng.normal(size=len(rows))
        table[f"{name}_true"] = truth[rows]
    return pd.DataFrame(table)


def same(found: Results, expected: Results) -> bool:
    return all(
        np.array_equal(a, b)
        for name in expected.inferred
        for a, b in zip(found.of(name), expected.of(name), strict=True)
    )


@pytest.mark.parametrize(
    "forms",
    [
        ("{}_true", "{}_mean", "{}_std"),
        ("true_{}", "mean_{}", "err_{}"),
        ("{} truth", "{}.mu", "{}-sigma"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_are_found_by_name(tmp_path, results, forms, suffix):
    table = as_table(results, forms).iloc[:, ::-1]  # in any order
    path = tmp_path / f"table{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    assert same(read_predictions(path, Layout()).results, results)


@pytest.fixture
def many():
    """Means and standard deviations of the 28 parameters of SB28, of four simulations of 30 maps."""
    space = camels.find_space("IllustrisTNG", "SB28")
    rng = np.random.default_rng(1)
    theta = np.repeat(space.unscale(rng.random((4, 28))), 30, axis=0)
    std = space.unscale_std(rng.uniform(0.05, 0.1, theta.shape))
    mean = theta + std * rng.normal(size=theta.shape)
    return Results(theta, mean, std, space.names, space=space, maps_per_simulation=30)


@pytest.mark.parametrize("form", ["moments", "draws", "text"])
def test_any_table_is_scored(tmp_path, many, form):
    """By name, in any order of the columns; 18 columns are 84 here."""
    layout = Layout(table=many.space.name, maps_per_simulation=30)
    if form == "text":
        path, layout = tmp_path / "results.txt", Layout()  # the file tells both
        write_results(path, many)
    else:
        path = tmp_path / "table.parquet"
        table = as_table(many) if form == "moments" else as_draws(many)
        table.iloc[:, ::-1].to_parquet(path)
    predictions = read_predictions(path, layout)
    assert predictions.results.space == many.space
    assert predictions.results.inferred == many.inferred
    assert predictions.maps_per_simulation == 30
    if form != "draws":
        assert same(predictions.results, many)
    scores = score_predictions(predictions, BOOTSTRAP, CALIBRATION)
    expected = score_results(many)["RMSE"]
    for name in many.inferred:  # moments of 40 draws differ by a sixth of a standard deviation
        assert scores.metrics["RMSE"][name] == pytest.approx(expected[name], rel=0.1)


def test_values_of_a_published_table_are_converted(tmp_path, many):
    """--truth with a text of physical values; results are logarithms of some."""
    truth, path = tmp_path / "params.txt", tmp_path / "table.csv"
    np.savetxt(truth, many.space.physical(many.theta[::30]), fmt="%.17g")
    as_table(many).drop(columns=[f"{name}_true" for name in many.inferred]).to_csv(path)
    layout = Layout(table=many.space.name, maps_per_simulation=30, truth=truth)
    found = read_predictions(path, layout).results
    np.testing.assert_allclose(found.theta, many.theta, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"table: Expected one of CMD, .*got 'SB28'"):
        read_predictions(path, replace(layout, table="SB28"))


def test_columns_may_be_told(tmp_path, results):
    path = tmp_path / "table.csv"
    table = as_table(results).rename(columns={"Omega_m_true": "om", "sigma_8_std": "width"})
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"--true Omega_m=COLUMN|--std sigma_8=COLUMN"):
        read_predictions(path, Layout())
    layout = Layout(columns={"true": {"Omega_m": "om"}, "std": {"sigma_8": "width"}})
    assert same(read_predictions(path, layout).results, results)
    with pytest.raises(ValueError, match="--true Omega_m=omm: Expected one of the columns"):
        read_predictions(path, Layout(columns={"true": {"Omega_m": "omm"}}))


def test_two_columns_for_one_number_are_refused(tmp_path, results):
    path = tmp_path / "table.csv"
    as_table(results).assign(err_Omega_m=1.0).to_csv(path, index=False)
    with pytest.raises(ValueError, match="got Omega_m_std, err_Omega_m"):
        read_predictions(path, Layout())


@pytest.mark.parametrize("value", [-0.01, 0.0, np.nan, np.inf])
def test_a_bad_standard_deviation_is_refused_with_row_and_value(tmp_path, results, value):
    path = tmp_path / "table.csv"
    table = as_table(results)
    table.loc[17, "sigma_8_std"] = value
    table.to_csv(path, index=False)
    message = rf"{re.escape(str(path))}: std of sigma_8: .*{value:g}.* in row 17"
    with pytest.raises(ValueError, match=message):
        read_predictions(path, Layout())


def test_a_truth_that_varies_within_a_simulation_is_refused(tmp_path, results):
    path = tmp_path / "table.csv"
    table = as_table(results)
    table.loc[16, "Omega_m_true"] = 0.123
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"0\.123 in row 16"):
        read_predictions(path, Layout())
    assert len(read_predictions(path, Layout(maps_per_simulation=1)).results) == N_MAPS


def test_incomplete_simulations_are_refused(tmp_path, results):
    path = tmp_path / "table.csv"
    as_table(results)[:50].to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"multiple of 15 .* got 50"):
        read_predictions(path, Layout())


def test_copies_of_maps_must_be_told(tmp_path, results):
    path = tmp_path / "table.csv"
    pd.concat([as_table(results)] * 8).to_csv(path, index=False)
    with pytest.raises(ValueError, match="repeat 8 times"):
        read_predictions(path, Layout())
    assert read_predictions(path, Layout(orientations=8)).n_orientations == 8


@pytest.mark.parametrize("per_simulation", [False, True])
def test_the_truth_may_be_in_another_file(tmp_path, results, per_simulation):
    path, truth = tmp_path / "table.csv", tmp_path / "truth.csv"
    table = as_table(results)
    true = [f"{name}_true" for name in NAMES]
    table.drop(columns=true).to_csv(path, index=False)
    table[true][:: 15 if per_simulation else 1].to_csv(truth, index=False)
    assert same(read_predictions(path, Layout(truth=truth)).results, results)
    table[true][:7].to_csv(truth, index=False)
    with pytest.raises(ValueError, match=r"truth.csv: Expected 60 rows"):
        read_predictions(path, Layout(truth=truth))


def test_some_parameters_of_a_results_file(tmp_path, make_results):
    path = tmp_path / "results.txt"
    whole = make_results(N_MAPS, n_simulations=4)
    write_results(path, whole)
    found = read_predictions(path, Layout(parameters=NAMES)).results
    assert found.inferred == NAMES
    assert same(found, Results(whole.theta, found.mean, found.std, NAMES))
    with pytest.raises(ValueError, match="got 'h'"):
        read_predictions(path, Layout(parameters=("h",)))


# ---- draws ----


def test_draws_give_their_moments(tmp_path, results):
    path = tmp_path / "draws.parquet"
    table = as_draws(results)
    table.sample(frac=1, random_state=1).to_parquet(path)  # in any order of rows
    found = read_predictions(path, Layout())
    expected = table.groupby("map")["sigma_8"].agg(["mean", "std"])
    _, mean, std = found.results.of("sigma_8")
    np.testing.assert_allclose(mean, expected["mean"], rtol=1e-12)
    np.testing.assert_allclose(std, expected["std"], rtol=1e-10)
    assert found.draws.shape == (N_MAPS, 40, 2)


def test_bad_draws_are_refused(tmp_path, results):
    path, table = tmp_path / "draws.parquet", as_draws(results)
    table[1:].to_parquet(path)
    with pytest.raises(ValueError, match="39 to 40"):
        read_predictions(path, Layout())
    table.assign(Omega_m=table["Omega_m"].where(table.index != 81)).to_parquet(path)
    with pytest.raises(ValueError, match="got nan in draw 1 of map 2"):
        read_predictions(path, Layout())
    table.assign(Omega_m_true=np.arange(len(table)) * 1.0).to_parquet(path)
    with pytest.raises(ValueError, match="one value per map, got 0 to 39 for map 0"):
        read_predictions(path, Layout())


def test_log_probability_of_draws_sees_correlations(results):
    rng = np.random.default_rng(0)
    n_draws, correlation = 4000, 0.9
    covariance = np.array([[1, correlation], [correlation, 1]])
    noise = rng.multivariate_normal(np.zeros(2), covariance, (N_MAPS, n_draws + 1))
    std = np.stack([results.of(name)[2] for name in NAMES], axis=1)[:, None]
    mean = results.truth[:, None] + std * noise[:, :1]
    correlated = Predictions(results, 1, 15, mean + std * noise[:, 1:])
    shuffled = rng.permuted(correlated.draws, axis=1)
    apart = Predictions(results, 1, 15, shuffled)
    gain = [score_predictions(each, BOOTSTRAP, CALIBRATION) for each in (correlated, apart)]
    found = gain[0].log_prob.mean() - gain[1].log_prob.mean()
    # both have the same marginals; the gain is the mutual information
    assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.25)


def test_ranks_of_calibrated_draws_are_uniform_and_of_narrow_ones_are_not():
    rng = np.random.default_rng(0)
    low, width = np.array([0.1, 0.6]), np.array([0.4, 0.4])
    truth = low + width * rng.random((1000, 2))
    mean = truth + 0.03 * rng.normal(size=truth.shape)
    noise = rng.normal(size=(1000, 99, 2))
    for factor, passes in ((1.0, True), (0.5, False)):
        draws = mean[:, None] + 0.03 * factor * noise
        for ranks in (rank_truth(draws, truth, 1)[:, 0], rank_distances(draws, truth, NAMES, 1)):
            spread = np.var(ranks) * 12  # 1 for uniform numbers
            assert (abs(spread - 1) < 0.15) == passes


# ---- scores and files ----


def test_scores_are_those_of_evaluate(tmp_path, make_results):
    single = make_results(N_MAPS, n_simulations=4)
    results = Results(*(np.tile(t, (2, 1)) for t in (single.theta, single.mean, single.std)))
    path = tmp_path / "results.txt"
    write_results(path, results)
    page, _ = score_files([path], Layout(orientations=2), tmp_path / "out", BOOTSTRAP, CALIBRATION)
    assert json.loads((tmp_path / "out/metrics.json").read_text()) == score_results(results)
    expected = estimate_intervals(results, simulation_of_rows(results, 2), BOOTSTRAP)
    found = json.loads((tmp_path / "out/metrics_intervals.json").read_text())
    for metric, intervals in expected.items():
        for name, interval in intervals.items():
            assert found[metric][name]["low"] == interval.low
    text = page.read_text()
    assert "Scores of results" in text
    assert text.count("<img") == 3


def test_several_files_are_compared_in_pairs(tmp_path, results):
    table = as_table(results)
    table.to_csv(tmp_path / "ours.csv", index=False)
    table.assign(Omega_m_std=2 * table["Omega_m_std"]).to_csv(tmp_path / "wide.csv", index=False)
    as_draws(results).to_parquet(tmp_path / "draws.parquet")
    paths = [tmp_path / name for name in ("ours.csv", "wide.csv", "draws.parquet")]
    page, found = score_files(paths, Layout(), tmp_path / "out", BOOTSTRAP, CALIBRATION)
    listed = pd.read_csv(tmp_path / "out/scores.csv").set_index(["file", "parameter", "metric"])
    for name, scores in found.items():
        row, expected = listed.loc[name, "Omega_m+sigma_8", "log_prob"], scores.log_prob_interval
        values = [expected.value, expected.low, expected.high]
        assert row[["value", "low", "high"]].tolist() == pytest.approx(values)
    differences = pd.read_csv(tmp_path / "out/differences.csv").set_index(
        ["file", "parameter", "metric"]
    )
    before = score_results(results)["chi2"]["Omega_m"]
    assert differences.loc["wide", "Omega_m", "chi2"]["difference"] == pytest.approx(-0.75 * before)
    assert differences.loc["wide", "sigma_8", "chi2"]["difference"] == 0
    assert ("draws", "Omega_m+sigma_8", "log_prob") in differences.index
    assert "Differences from ours" in page.read_text()
    with pytest.raises(ValueError, match="different names"):
        score_files([paths[0], paths[0]], Layout(), tmp_path, BOOTSTRAP, CALIBRATION)


def test_other_maps_are_not_paired(results, make_results):
    other = make_results(N_MAPS, NAMES, seed=1, n_simulations=4)
    scores = {
        name: score_predictions(Predictions(each, 1, 15), BOOTSTRAP, CALIBRATION)
        for name, each in (("a", results), ("b", other))
    }
    assert compare_scores(scores, BOOTSTRAP) == []
    scores["b"] = replace(scores["a"])
    assert compare_scores(scores, BOOTSTRAP)[0]["difference"] == 0


def test_the_command_writes_a_page_and_ends_with_2_after_a_bad_file(tmp_path, results, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = as_table(results).rename(columns={"Omega_m_true": "om"})
    table.to_csv("table.csv", index=False)
    arguments = ["score", "table.csv", "--true", "Omega_m=om", "--output", "out"]
    done = CliRunner().invoke(program, arguments)
    assert done.exit_code == 0
    *shown, last = done.output.splitlines()
    assert last == "Wrote out/report.html."
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    for name, value in metrics["R2"].items():
        assert any(name in line and f" {value:.3f} " in line for line in shown)
    table.loc[3, "sigma_8_std"] = -1.0
    table.to_csv("table.csv", index=False)
    failed = CliRunner().invoke(program, arguments)
    assert failed.exit_code == 2
    assert "Error: table.csv: std of sigma_8: Expected > 0, got -1.0 in row 3." in failed.stderr
    for wrong in (
        ["no.csv"],
        ["table.csv", "--true", "Omega=om"],
        ["table.csv", "--orientations", "0"],
    ):
        assert CliRunner().invoke(program, ["score", *wrong]).exit_code == 2
