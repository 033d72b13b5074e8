from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError

from multifield.config.ingest import MockConfig
from multifield.config.studies import BaselinesConfig
from multifield.evaluation import Results, score_results
from multifield.maps import log_transform, maps_of, split_simulations
from multifield.mock import make_suite
from multifield.studies import BASELINES, exact_results, infer_with_baselines

N = 250


@cache
def gaussian_suite() -> tuple[np.ndarray, np.ndarray]:
    """Draw parameters and log maps of 250 simulations of MockGaussian."""
    config = MockConfig(n_simulations=N, map_size=64, lattice=8, refine=1, seed=1, n_threads=1)
    theta, blocks = make_suite("MockGaussian", ("Mtot",), config)
    return theta, log_transform(np.concatenate([block["Mtot"] for block in blocks]), "Mtot")


def noise(n_simulations: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    theta = rng.uniform((0.1, 0.6, 1, 1, 1, 1), (0.5, 1.0, 2, 2, 2, 2), (n_simulations, 6))
    maps = rng.normal(11, 0.5, (15 * n_simulations, 16, 16)).astype(np.float32)
    return theta, maps


def rmse(results: Results) -> np.ndarray:
    return np.array(list(score_results(results)["RMSE"].values()))


def equal(one: Results, other: Results, rtol: float = 0) -> None:
    np.testing.assert_allclose(one.mean, other.mean, rtol=rtol)
    np.testing.assert_allclose(one.std, other.std, rtol=rtol)


def test_the_power_spectrum_of_a_gaussian_field_is_nearly_sufficient(make_loaders):
    """The Cramer-Rao bounds of 16 bins up to Nyquist are 1.15 and 1.09 times those of all modes."""
    theta, log_maps = gaussian_suite()
    config = BaselinesConfig(n_bins=16, n_quantiles=4, degree=2)
    found = infer_with_baselines(make_loaders(theta, log_maps), config)
    maps = maps_of(split_simulations(N, n_valid=N // 5, n_test=N // 5).test)
    best = rmse(exact_results(log_maps[maps], theta[maps // 15]))
    assert np.all(rmse(found["power spectrum"]) < 1.25 * best)
    # nothing is better than the exact posterior, up to the scatter of 750 maps
    assert np.all(rmse(found["power spectrum"]) > 0.97 * best)
    assert np.all(rmse(found["mean"]) > 8 * best)


def test_every_baseline_beats_the_prior(make_loaders, config):
    theta, log_maps = gaussian_suite()
    found = infer_with_baselines(make_loaders(theta, log_maps), config)
    prior = rmse(found["prior"])
    # pixels have a variance: a steep spectrum of small amplitude, or a flat one of a large
    for name in set(BASELINES) - {"prior", "mean"}:
        assert np.all(rmse(found[name]) < 0.95 * prior), name


def test_errors_are_those_of_the_validation_maps(make_loaders, config):
    """Check that chi2 is about 1: 100 simulations give a mean square to 20%."""
    theta, log_maps = gaussian_suite()
    found = infer_with_baselines(make_loaders(theta, log_maps), config)
    for name, results in found.items():
        for value in score_results(results)["chi2"].values():
            assert 0.5 < value < 2, name


def test_the_prior_is_the_mean_and_scatter_of_the_training_simulations(make_loaders, config):
    theta, maps = noise(20)
    results = infer_with_baselines(make_loaders(theta, maps), config)["prior"]
    train = theta[list(split_simulations(20, n_valid=4, n_test=4).train)]
    expected = np.tile([train.mean(axis=0), train.std(axis=0)], (60, 1, 1))
    np.testing.assert_allclose(results.mean[:, :2], expected[:, 0, :2], rtol=1e-9)
    np.testing.assert_allclose(results.std[:, :2], expected[:, 1, :2], rtol=1e-9)


def test_parameters_in_the_mean_are_recovered(make_loaders, config):
    """Omega_m is linear in the mean and sigma_8 is its square: degree two fits both."""
    theta, maps = noise(30)
    theta[:, 1] = 0.6 + theta[:, 0] ** 2
    maps -= maps.mean(axis=(1, 2), keepdims=True)
    maps += np.repeat(10 + theta[:, 0], 15)[:, None, None].astype(np.float32)
    results = infer_with_baselines(make_loaders(theta, maps), config)["mean"]
    assert np.all(rmse(results) < 1e-5)  # mean of many pixels of 10, each rounded by 5e-7
    linear = BaselinesConfig(n_bins=8, n_quantiles=4, degree=1)
    straight = infer_with_baselines(make_loaders(theta, maps), linear)["mean"]
    assert rmse(straight)[0] < 1e-5
    assert rmse(straight)[1] > 1e-3


def test_an_odd_map_does_not_run_away(make_loaders, config):
    """A mean that is 100 standard deviations off is clipped to 4."""
    theta, maps = noise(30)
    maps += np.repeat(theta[:, 0], 15)[:, None, None].astype(np.float32)
    odd = maps_of(split_simulations(30, n_valid=6, n_test=6).test)[:2]
    maps[odd] += np.array([100, 1000], np.float32)[:, None, None]
    mean = infer_with_baselines(make_loaders(theta, maps), config)["mean"].mean[:, 0]
    assert mean[0] == mean[1]
    assert abs(mean[0] - 0.3) < 2


def test_every_channel_is_used(make_loaders, config):
    theta, nothing = noise(30)
    something = nothing + np.repeat(theta[:, 0], 15)[:, None, None].astype(np.float32)
    found = infer_with_baselines(make_loaders(theta, nothing[::-1].copy(), something), config)
    alone = infer_with_baselines(make_loaders(theta, nothing[::-1].copy()), config)
    for name in ("mean", "one-point distribution"):
        assert rmse(found[name])[0] < 0.5 * rmse(alone[name])[0], name


def test_test_simulations_are_not_trained_on(make_loaders, config):
    theta, maps = noise(20)
    before = infer_with_baselines(make_loaders(theta, maps), config)
    test = split_simulations(20, n_valid=4, n_test=4).test
    theta[list(test)] = 0.123
    after = infer_with_baselines(make_loaders(theta, maps), config)
    for name in BASELINES:
        equal(before[name], after[name])
    maps[maps_of(test)] *= 1.1
    for name, results in infer_with_baselines(make_loaders(theta, maps), config).items():
        np.testing.assert_array_equal(results.std, before[name].std)


def test_validation_simulations_give_errors_alone(make_loaders, config):
    theta, maps = noise(20)
    before = infer_with_baselines(make_loaders(theta, maps), config)
    theta[list(split_simulations(20, n_valid=4, n_test=4).valid)] = 0.9
    after = infer_with_baselines(make_loaders(theta, maps), config)
    for name in BASELINES:
        np.testing.assert_array_equal(after[name].mean, before[name].mean)
    assert not np.allclose(after["mean"].std[:, :2], before["mean"].std[:, :2])


def test_standardization_and_batches_do_not_matter(make_loaders, config):
    theta, maps = noise(40)
    expected = infer_with_baselines(make_loaders(theta, maps), config)
    others = make_loaders(theta, maps, mean=5.0, std=2.0, batch_size=7)
    for name, results in infer_with_baselines(others, config).items():
        equal(results, expected[name], rtol=1e-3)  # pixels in float32, rounded at another scale


def test_rows_are_those_of_the_test_maps(make_loaders, config):
    theta, maps = noise(20)
    test = list(split_simulations(20, n_valid=4, n_test=4).test)
    for results in infer_with_baselines(make_loaders(theta, maps), config).values():
        np.testing.assert_array_equal(results.theta, np.repeat(theta[test], 15, axis=0))


def test_parameters_that_do_not_act_are_not_inferred(make_loaders, config):
    theta, maps = noise(20)
    results = infer_with_baselines(make_loaders(theta, maps), config)["mean"]
    assert results.inferred == ("Omega_m", "sigma_8")
    assert np.isnan(results.mean[:, 2:]).all()
    everything = make_loaders(theta, maps, inferred=tuple(range(6)))
    assert len(infer_with_baselines(everything, config)["mean"].inferred) == 6


def test_too_many_bins_are_refused(make_loaders):
    theta, maps = noise(20)
    wrong = BaselinesConfig(n_bins=9, n_quantiles=4, degree=1)
    with pytest.raises(
        ValueError, match=r"baselines\.n_bins: Expected 1 to 8, half the pixels .*, got 9"
    ):
        infer_with_baselines(make_loaders(theta, maps), wrong)


def test_a_map_without_power_is_refused(make_loaders, config):
    theta, maps = noise(20)
    maps[7] = 11.0
    with pytest.raises(
        ValueError, match="Expected power > 0 in every bin of k, got an empty bin in map 7"
    ):
        infer_with_baselines(make_loaders(theta, maps), config)


@pytest.mark.parametrize("name", ["n_bins", "n_quantiles", "degree"])
def test_wrong_configuration_names_the_parameter(name):
    values = {"n_bins": 4, "n_quantiles": 4, "degree": 1}
    with pytest.raises(ValidationError, match=name):
        BaselinesConfig(**(values | {name: 0}))
