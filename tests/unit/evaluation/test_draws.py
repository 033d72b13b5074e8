"""Draws agree with the posterior, and GetDist, ArviZ and pandas read what is written."""

import numpy as np
import pandas as pd
import pytest
import torch

from multifield import camels
from multifield.evaluation import Draws, Results, draw, read_results, write_results
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.results import joint_path, joint_results
from multifield.models.heads import AutoregressiveHead

N_MAPS, N_DRAWS = 3, 4000
MEAN_ERROR = 5 / np.sqrt(N_DRAWS)  # five standard errors of a mean of draws, in std
STD_ERROR = 5 / np.sqrt(2 * N_DRAWS)


def joint_posterior(parameters=camels.COSMOLOGY, n_rows=N_MAPS, seed=0):
    """Make correlated posteriors inside the prior, some of them at its edges."""
    rng = np.random.default_rng(seed)
    head = AutoregressiveHead(len(camels.PARAMETERS))
    n = head.n_parameters
    outputs = rng.normal(size=(n_rows, head.n_outputs))
    outputs[:, :n] = rng.random((n_rows, n))
    outputs[:, n : 2 * n] = rng.uniform(0.1, 0.4, (n_rows, n))
    return JointPosterior((Component(head, torch.from_numpy(outputs)),), parameters)


@pytest.fixture
def results():
    theta = camels.unscale_theta(np.random.default_rng(1).random((N_MAPS, 6)))
    return joint_results(theta, joint_posterior())


@pytest.fixture
def draws(results):
    return draw(results, N_DRAWS, 7)


def test_draws_have_the_moments_of_the_posterior(results, draws):
    mean, covariance = results.posterior.moments()
    std = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert np.abs((draws.theta.mean(axis=1) - mean) / std).max() < MEAN_ERROR
    assert np.abs(draws.theta.std(axis=1) / std - 1).max() < STD_ERROR
    np.testing.assert_array_equal(draws.truth, results.theta[:, :2])


def test_log_prob_is_that_of_each_draw(results, draws):
    for column in (0, 17):
        expected = results.posterior.log_prob(draws.theta[:, column])
        np.testing.assert_allclose(draws.log_prob[:, column], expected, rtol=1e-12)


def test_orientations_are_mixed(results):
    twice = Results(*(np.tile(t, (2, 1)) for t in (results.theta, results.mean, results.std)),
                    results.inferred, JointPosterior.joined([results.posterior] * 2))  # fmt: skip
    mixed = draw(twice, 50, 7, n_orientations=2)
    assert len(mixed) == N_MAPS
    expected = results.posterior.log_prob(mixed.theta[:, 3])
    np.testing.assert_allclose(mixed.log_prob[:, 3], expected, rtol=1e-12)


def test_a_share_of_new_draws_is_inside_a_region(results, draws):
    """The interval of a share of 4,000 draws is 0.68 +- 0.0074."""
    other = draw(results, N_DRAWS, 8)
    inside = (other.log_prob >= draws.threshold(0.68)[:, None]).mean(axis=1)
    np.testing.assert_allclose(inside, 0.68, atol=0.05)
    lower, upper = np.moveaxis(draws.intervals(0.68), -1, 0)
    between = (lower[:, None] < other.theta) & (other.theta < upper[:, None])
    np.testing.assert_allclose(between.mean(axis=1), 0.68, atol=0.05)


@pytest.mark.parametrize("level", [0.0, 1.0, 68.0, float("nan")])
def test_a_level_is_a_probability(draws, level):
    for method in (draws.threshold, draws.intervals):
        with pytest.raises(ValueError, match="level: Expected a probability between 0 and 1"):
            method(level)


def test_no_draws_are_refused(results):
    with pytest.raises(ValueError, match="n: Expected a number of draws >= 1, got 0"):
        draw(results, 0, 1)


# ---- files ----


def assert_same(found, expected):
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-6)
    np.testing.assert_allclose(found.log_prob, expected.log_prob, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.truth, expected.truth, rtol=1e-6)
    assert found.parameters == expected.parameters


def test_parquet(draws, tmp_path):
    draws.write_parquet(tmp_path / "new" / "draws.parquet")
    table = pd.read_parquet(tmp_path / "new" / "draws.parquet")
    assert list(table) == ["map", "draw", *camels.COSMOLOGY, "log_prob",
                           "Omega_m_true", "sigma_8_true"]  # fmt: skip
    means = table.groupby("map")[list(camels.COSMOLOGY)].mean().to_numpy()
    np.testing.assert_allclose(means, draws.theta.mean(axis=1), rtol=1e-5)
    assert_same(Draws.from_table(table), draws)
    assert_same(Draws.from_table(table.sample(frac=1, random_state=1)), draws)


def test_rounded_draws_stay_inside_the_prior():
    ends = np.array(
        [[p.minimum for p in camels.PARAMETERS], [p.maximum for p in camels.PARAMETERS]]
    )
    draws = Draws(ends[None], np.zeros((1, 2)), camels.PARAMETER_NAMES, np.full((1, 6), np.nan))
    rounded = draws.to_table()[list(camels.PARAMETER_NAMES)].to_numpy().astype(np.float64)
    assert (rounded[0] >= ends[0]).all()
    assert (rounded[1] <= ends[1]).all()


def test_an_unknown_truth_has_no_column(draws):
    unknown = Draws(draws.theta, draws.log_prob, draws.parameters, np.full((N_MAPS, 2), np.nan))
    table = unknown.to_table()
    assert not [name for name in table if name.endswith("_true")]
    assert np.isnan(Draws.from_table(table).truth).all()
    assert "constant_data" not in unknown.to_arviz()


def test_tables_of_others_are_refused(draws):
    table = draws.to_table()
    with pytest.raises(ValueError, match=r"Expected the columns map, .* got map, draw, H_0"):
        Draws.from_table(table[["map", "draw"]].assign(H_0=70.0))
    with pytest.raises(
        ValueError, match="Expected equal numbers of draws per map, got 3999 to 4000"
    ):
        Draws.from_table(table[1:])


def test_arviz_opens_netcdf(draws, tmp_path):
    xarray = pytest.importorskip("xarray")
    draws.write_netcdf(tmp_path / "draws.nc")
    with xarray.open_datatree(tmp_path / "draws.nc", engine="h5netcdf") as tree:
        assert set(tree.children) == {"posterior", "sample_stats", "constant_data"}
        assert dict(tree["posterior"].sizes) == {"chain": 1, "draw": N_DRAWS, "map": N_MAPS}
        means = tree["posterior/sigma_8"].mean(("chain", "draw"))
        np.testing.assert_allclose(means, draws.theta[:, :, 1].mean(axis=1), rtol=1e-12)
        np.testing.assert_array_equal(tree["sample_stats/lp"][0, :, 2], draws.log_prob[2])
        np.testing.assert_array_equal(tree["constant_data/Omega_m_true"], draws.truth[:, 0])


def test_getdist_opens_a_chain(draws, tmp_path):
    getdist = pytest.importorskip("getdist")
    draws.write_getdist(tmp_path / "new" / "map_1", 1)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["map_1.paramnames", "map_1.ranges", "map_1.txt"]
    samples = getdist.loadMCSamples(str(tmp_path / "new" / "map_1"))
    assert samples.numrows == N_DRAWS
    np.testing.assert_allclose(samples.getMeans(), draws.theta[1].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(samples.getCov(), np.cov(draws.theta[1].T, ddof=0), rtol=1e-4)
    np.testing.assert_allclose(-samples.loglikes, draws.log_prob[1], atol=1e-5)
    assert samples.ranges.getLower("Omega_m") == 0.1
    assert samples.paramNames.parWithName("sigma_8").label == camels.PARAMETERS[1].label.strip("$")


def test_draws_outside_the_prior_have_no_range():
    """Where draws of `diagonal` cross a bound, GetDist must not treat it as a hard edge."""
    mean, std = np.array([[0.3, 0.99]]), np.array([[0.01, 0.05]])
    posterior = JointPosterior.of_moments(mean, std, camels.COSMOLOGY)
    samples = draw(joint_results(np.full((1, 6), np.nan), posterior), 500, 1).to_getdist()
    assert samples.ranges.getUpper("Omega_m") == 0.5
    assert samples.ranges.getUpper("sigma_8") is None


# ---- joint posteriors beside the results ----


def test_joint_posteriors_survive_in_files(results, tmp_path):
    path = tmp_path / "results.txt"
    write_results(path, results)
    found = read_results(path)
    at = results.truth
    np.testing.assert_array_equal(found.posterior.log_prob(at), results.posterior.log_prob(at))
    assert found.inferred == results.inferred
    write_results(path, Results(results.theta, results.mean, results.std, results.inferred))
    assert read_results(path).joint is None
    assert not joint_path(path).exists()


def test_joint_posteriors_of_other_results_are_refused(results, tmp_path):
    path = tmp_path / "results.txt"
    write_results(path, results)
    path.write_text(path.read_text() + " ")
    with pytest.raises(
        ValueError, match=r"results_joint\.pt: Expected the joint posteriors of res"
    ):
        read_results(path)
