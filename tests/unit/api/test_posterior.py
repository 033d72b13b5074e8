"""The posterior object: shapes, marginals, regions, bad input, figures and files."""

import re
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch

from multifield import camels
from multifield.api.posterior import Posterior
from multifield.camels.selection import Selection
from multifield.evaluation import recalibrate
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.results import average_orientations, joint_results
from multifield.models.heads import AutoregressiveHead

N_MAPS, N_ORIENTATIONS = 4, 2
NAMES = ("Omega_m", "sigma_8", "A_SN1")
FACTORS = dict.fromkeys(NAMES, 1.5)
TNG = Selection(suite="MockTNG", sim_set="LH", field="Mgas_T")


@pytest.fixture(scope="module")
def posterior():
    """Posteriors of four maps in two orientations; truths are draws of them."""
    rng = np.random.default_rng(0)
    head = AutoregressiveHead(len(camels.PARAMETERS))
    n = head.n_parameters
    outputs = rng.normal(size=(N_MAPS, head.n_outputs))
    outputs[:, :n] = rng.random((N_MAPS, n))
    outputs[:, n : 2 * n] = rng.uniform(0.1, 0.4, (N_MAPS, n))
    turned = outputs + 0.02 * rng.random(outputs.shape)
    both = torch.from_numpy(np.concatenate([outputs, turned]))
    joint = JointPosterior((Component(head, both),), NAMES)
    theta = np.full((N_MAPS, 6), np.nan)
    theta[:, :3] = joint.mixed(N_ORIENTATIONS).sample(1, 5)[:, 0]
    results = joint_results(np.tile(theta, (N_ORIENTATIONS, 1)), joint)
    maps = average_orientations(results, N_ORIENTATIONS)
    wider = recalibrate(maps, FACTORS)
    records = [
        {
            "map": row,
            **{f"{name}_mean": maps.of(name)[1][row] for name in NAMES},
            **{f"{name}_std": maps.of(name)[2][row] for name in NAMES},
            **{f"{name}_std_recalibrated": wider.of(name)[2][row] for name in NAMES},
            "unlike_training": False,
        }
        for row in range(N_MAPS)
    ]
    return Posterior(results, N_ORIENTATIONS, records, FACTORS, 0.5, TNG, TNG)


# ---- maps and parameters ----


def test_the_maps_of_a_simulation_are_combined(posterior):
    """Two simulations of two maps. With share 0.5, two maps of one posterior count as one."""
    found = posterior[[0, 0, 3, 3]].of_simulations(2)
    one = posterior[[0, 3]]
    assert len(found) == 2
    assert np.abs((found.mean - one.mean) / one.std).max() < 0.05
    np.testing.assert_allclose(found.std, one.std, rtol=0.05)
    np.testing.assert_allclose(found.covariance[:, 0, 0], found.std[:, 0] ** 2)
    np.testing.assert_allclose(found.log_prob(one.truth), one.log_prob(one.truth), atol=0.05)
    assert found.sample(7).shape == (2, 7, len(NAMES))


@pytest.mark.parametrize("n_maps", [0, -1, 3])
def test_simulations_of_unequal_numbers_of_maps_are_refused(posterior, n_maps):
    with pytest.raises(ValueError, match=f"n_maps: Expected a divisor of 4 maps, got {n_maps}"):
        posterior.of_simulations(n_maps)


def test_marginals_are_not_combined(posterior):
    with pytest.raises(ValueError, match="share: Expected posteriors of all parameters"):
        posterior.marginal("Omega_m").of_simulations(2)


@pytest.mark.parametrize("rows", [2, -2, np.int64(2), slice(2, 3), [2], np.arange(N_MAPS) == 2])
def test_a_map_is_chosen(posterior, rows):
    one = posterior[rows]
    assert len(one) == 1
    for what in ("mean", "std", "covariance", "truth"):
        np.testing.assert_allclose(getattr(one, what), getattr(posterior, what)[2:3], rtol=1e-12)
    np.testing.assert_allclose(one.log_prob(one.truth), posterior.log_prob(posterior.truth)[2])


def test_a_map_that_does_not_exist_is_named(posterior):
    with pytest.raises(IndexError, match="Expected a map from 0 to 3, got 4"):
        posterior[4]
    assert len(list(posterior)) == N_MAPS  # iteration ends


def test_moments_agree_with_draws(posterior):
    draws = posterior.sample(4000, seed=2)
    std = np.sqrt(np.diagonal(posterior.covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(posterior.std, std, rtol=1e-10)
    for row in range(N_MAPS):
        error = np.abs(np.cov(draws[row].T) - posterior.covariance[row])
        assert (error / np.outer(std[row], std[row])).max() < 5 * np.sqrt(2 / 4000)
        pull = (draws[row].mean(axis=0) - posterior.mean[row]) / std[row]
        assert np.abs(pull).max() < 5 / np.sqrt(4000)


def test_a_marginal_keeps_names_moments_and_records(posterior):
    one = posterior.marginal("sigma_8")
    assert one.parameters == ("sigma_8",)
    np.testing.assert_array_equal(one.mean, posterior.mean[:, 1:2])
    assert not [key for key in one.records[0] if key.startswith("Omega_m")]
    assert one.log_prob(np.array([0.8])).shape == (N_MAPS,)
    assert posterior.marginal(["sigma_8", "Omega_m"]).parameters == ("Omega_m", "sigma_8")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("sigma8", "got 'sigma8'. Did you mean 'sigma_8'?"),
        (["omega_m"], "got 'omega_m'. Did you mean 'Omega_m'?"),
        (["H_0"], "Expected some of Omega_m, sigma_8, A_SN1, got 'H_0'."),
        ([], "got none"),
    ],
)
def test_unknown_parameters_get_a_suggestion(posterior, names, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        posterior.marginal(names)


# ---- log-probabilities and regions ----


def test_shapes_of_log_prob(posterior):
    theta = posterior.truth
    per_map = posterior.log_prob(theta)
    assert per_map.shape == (N_MAPS,)
    np.testing.assert_array_equal(posterior.log_prob(theta[0])[0], per_map[0])
    several = posterior.log_prob(np.stack([theta, theta], axis=1))
    np.testing.assert_array_equal(several, np.stack([per_map, per_map], axis=1))
    grid = posterior[1].log_prob(np.tile(theta[1], (5, 1)))
    np.testing.assert_allclose(grid, np.full(5, per_map[1]), rtol=1e-12)


def test_the_density_integrates_to_one(posterior):
    """Averaged over the prior, posterior over prior density is 1."""
    one = posterior.marginal(["Omega_m", "sigma_8"])[0]
    middles = (np.arange(60) + 0.5) / 60
    grid = np.stack(np.meshgrid(0.1 + 0.4 * middles, 0.6 + 0.4 * middles), axis=-1)
    ratio = np.exp(one.log_prob(grid.reshape(-1, 2)))
    np.testing.assert_allclose(ratio.mean(), 1, atol=2e-3)


def test_outside_the_prior_the_density_is_zero(posterior):
    assert np.isneginf(posterior.log_prob(np.array([0.3, 1.2, 1.0]))).all()


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.zeros((N_MAPS, 2)), r"got \(4, 2\)"),
        (np.zeros((N_MAPS + 1, 3)), r"got \(5, 3\)"),
        (np.zeros(2), r"Expected shape \(4, 3\), \(3,\) or \(4, n, 3\) for 4 maps"),
        (np.full((N_MAPS, 3), np.nan), "theta: Expected numbers, got NaN for Omega_m"),
        (np.array([0.3, np.nan, 1.0]), "got NaN for sigma_8"),
    ],
)
def test_wrong_parameters_are_refused(posterior, theta, message):
    region = posterior.credible_region(n=50)
    for method in (posterior.log_prob, region.contains):
        with pytest.raises(ValueError, match=message):
            method(theta)


@pytest.mark.parametrize("n", [0, -3])
def test_no_draws_are_refused(posterior, n):
    for method in (posterior.sample, posterior.draws):
        with pytest.raises(ValueError, match=f"n: Expected a number of draws >= 1, got {n}"):
            method(n)


def test_a_region_contains_its_share_of_draws(posterior):
    region = posterior.credible_region(0.68, n=4000)
    inside = region.contains(posterior.sample(2000, seed=9))
    assert inside.shape == (N_MAPS, 2000)
    np.testing.assert_allclose(inside.mean(axis=1), 0.68, atol=0.05)
    assert region.contains(posterior.truth).shape == (N_MAPS,)
    ends = posterior.intervals(0.68)
    assert (ends[..., 0] < ends[..., 1]).all()


def test_recalibrated_posteriors_are_wider(posterior):
    wider = posterior.recalibrated()
    np.testing.assert_array_equal(wider.std, posterior.std_recalibrated)
    assert len(wider[:2]) == 2


# ---- figures and files ----


def test_a_corner_plot_leaves_the_style_of_matplotlib(posterior):
    before = dict(mpl.rcParams)
    posterior.plot_corner(0, names=["Omega_m", "sigma_8"], n=100)
    assert dict(mpl.rcParams) == before
    assert "getdist.plots" not in sys.modules


def test_figures(posterior):
    one = posterior.plot_corner(1, n=300)
    assert sum(ax.axison for ax in one.axes) == 6
    legend = [text.get_text() for text in one.legends[0].get_texts()]
    assert legend == ["Map 1, Mgas + T", "Truth"]
    beside = {"Map 3": posterior[3]}
    several = posterior.plot_corner(range(3), beside=beside, names=["Omega_m", "sigma_8"], n=300)
    assert sum(ax.axison for ax in several.axes) == 3
    assert [t.get_text() for t in several.legends[0].get_texts()] == ["Map 3", "3 maps", "Truth"]
    assert posterior.plot_contours(n=300).axes[0].get_xlabel() == camels.PARAMETERS[0].label
    with pytest.raises(
        ValueError, match=r"beside\['all'\]: Expected the posterior of one map, got 4"
    ):
        posterior.plot_corner(0, beside={"all": posterior})


def test_files(posterior, tmp_path):
    getdist, xarray = pytest.importorskip("getdist"), pytest.importorskip("xarray")
    posterior.to_parquet(tmp_path / "draws.parquet", n=100)
    assert len(pd.read_parquet(tmp_path / "draws.parquet")) == 100 * N_MAPS
    posterior.to_netcdf(tmp_path / "draws.nc", n=100)
    with xarray.open_datatree(tmp_path / "draws.nc", engine="h5netcdf") as tree:
        np.testing.assert_array_equal(tree["constant_data/A_SN1_true"], posterior.truth[:, 2])
    posterior.to_getdist(tmp_path, number=3, n=100)
    chain = getdist.loadMCSamples(str(tmp_path / "map_3"))
    expected = posterior.to_getdist_samples(3, n=100)
    np.testing.assert_allclose(chain.getMeans(), expected.getMeans(), rtol=1e-6)
    assert posterior.to_arviz(n=7)["posterior"].sizes["draw"] == 7
