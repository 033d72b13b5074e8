"""Combined maps against exact combinations: with edges, correlations, and on MockGaussian."""

import numpy as np
import pytest
import torch

from multifield import camels
from multifield.evaluation import Results, combine_maps, combine_posteriors, fit_share
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.results import joint_results
from multifield.mock import gaussian, gaussian_likelihood, gaussian_posterior
from multifield.models.heads import AutoregressiveHead

N_MAPS = 15
LOW = np.array([p.minimum for p in camels.PARAMETERS])
WIDTH = np.array([p.maximum for p in camels.PARAMETERS]) - LOW


def exact_maps(std: float, n_simulations: int, *, shared: float = 0.0, seed: int = 0) -> Results:
    """Maps that measure each parameter with a Gaussian error; their posteriors are exact.

    The variance of the error is the share `shared` for the whole simulation. The unit is the prior
    range.
    """
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n_simulations), N_MAPS)
    theta = rng.random((n_simulations, 6))
    common = np.sqrt(shared) * rng.normal(size=theta.shape)
    own = np.sqrt(1 - shared) * rng.normal(size=(len(of), 6))
    measured = theta[of] + std * (common[of] + own)
    head = AutoregressiveHead(6)
    none = np.zeros((len(of), 6, 6))
    outputs = head.outputs_of(measured, np.full_like(measured, std), none, range(6))
    posterior = JointPosterior((Component(head, outputs),), camels.PARAMETER_NAMES)
    return joint_results(camels.unscale_theta(theta[of]), posterior)


def index(n_simulations: int) -> np.ndarray:
    return np.repeat(np.arange(n_simulations), N_MAPS)


def errors(results: Results) -> np.ndarray:
    """Errors in units of the prior range, (S, P)."""
    columns = [camels.PARAMETER_NAMES.index(name) for name in results.inferred]
    return ((results.mean - results.theta) / WIDTH)[:, columns]


def test_maps_that_say_little_are_combined_exactly() -> None:
    """The mean of the maps' means, which are shrunk by the prior, has far larger errors."""
    n = 60
    maps = exact_maps(0.5, n)
    combined = combine_maps(maps, index(n), 1.0)
    location = torch.as_tensor(
        maps.posterior.components[0].outputs[:, :6].reshape(n, N_MAPS, 6).mean(dim=1)
    )
    head = AutoregressiveHead(6)
    std = np.full((n, 6), 0.5 / np.sqrt(N_MAPS))
    exact = JointPosterior(
        (Component(head, head.outputs_of(location.numpy(), std, np.zeros((n, 6, 6)), range(6))),),
        camels.PARAMETER_NAMES,
    )
    mean, covariance = exact.moments()
    # a few percent of the width: 1,024 points, weighted
    of_width = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    assert np.abs((combined.mean - mean) / of_width).max() < 0.2
    np.testing.assert_allclose(combined.std, of_width, rtol=0.2)
    truth = combined.truth
    np.testing.assert_allclose(
        combine_posteriors(maps, index(n), 1.0).log_prob(truth), exact.log_prob(truth), atol=0.15
    )
    shrunk = maps.mean.reshape(n, N_MAPS, 6).mean(axis=1)
    rmse = np.sqrt(np.mean(errors(combined) ** 2))
    assert np.sqrt(np.mean(((shrunk - combined.theta) / WIDTH) ** 2)) > 1.3 * rmse
    assert rmse == pytest.approx(np.sqrt(np.mean(((mean - combined.theta) / WIDTH) ** 2)), rel=0.03)


@pytest.mark.parametrize("shared", [0.0, 0.3])
def test_the_effective_number_of_maps_is_found(shared: float) -> None:
    """Maps with correlated errors: n_eff = n / (1 + (n - 1) rho)."""
    n = 60
    share = fit_share(exact_maps(0.1, n, shared=shared, seed=1), index(n))
    # six parameters of 60 simulations: 10% to one sigma
    assert share == pytest.approx(1 / (1 + (N_MAPS - 1) * shared), rel=0.35)
    test = exact_maps(0.1, n, shared=shared, seed=2)
    combined = combine_maps(test, index(n), share)
    z = (combined.mean - combined.theta) / combined.std
    assert np.mean(z**2) == pytest.approx(1, abs=0.3)


def test_on_gaussian_maps_it_is_as_good_as_the_exact_posterior() -> None:
    """Exact posteriors of 15 maps each, combined, against that of all maps together."""
    n, size = 40, 64
    rng = np.random.default_rng(3)
    # away from the edges, where the moments of a map do not describe its posterior
    theta = LOW + WIDTH * rng.uniform(0.15, 0.85, (n, 6))
    log_maps = np.concatenate(
        [
            gaussian.draw_simulation(*row[:2], map_size=size, generator=rng).reshape(-1, size, size)
            for row in theta
        ]
    )
    n_drawn = len(log_maps) // n
    statistics = gaussian_likelihood.summarize(np.log10(log_maps))
    of_maps = gaussian_posterior.posterior(statistics)
    joint = JointPosterior.of_gaussians(of_maps.mean, of_maps.covariance, camels.COSMOLOGY)
    maps = joint_results(np.repeat(theta, n_drawn, axis=0), joint)
    combined = combine_maps(maps, np.repeat(np.arange(n), n_drawn), 1.0)
    pooled = gaussian_likelihood.Statistics(
        statistics.x,
        n_drawn * statistics.n_modes,
        statistics.power.reshape(n, n_drawn, -1).mean(axis=1),
    )
    exact = gaussian_posterior.posterior(pooled).mean
    rmse = [
        np.sqrt(np.mean((mean - theta[:, :2]) ** 2, axis=0))
        for mean in (combined.mean[:, :2], exact)
    ]
    np.testing.assert_allclose(rmse[0], rmse[1], rtol=0.05)
    z = (combined.mean - combined.theta)[:, :2] / combined.std[:, :2]
    assert np.mean(z**2) == pytest.approx(1, abs=0.5)  # 40 simulations


def test_draws_are_inside_and_have_the_moments() -> None:
    combined = combine_posteriors(exact_maps(0.3, 4), index(4), 1.0)
    assert "4 simulations, each from 15 maps that count as 15.0 independent ones" in repr(combined)
    draws = combined.sample(4000, seed=1)
    assert ((draws >= LOW) & (draws <= LOW + WIDTH)).all()
    mean, covariance = combined.moments()
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) / 4000)
    assert (np.abs(draws.mean(axis=1) - mean) < 5 * error).all()
    part = combined.take(slice(1, 3))
    np.testing.assert_allclose(part.log_prob(mean[1:3]), combined.log_prob(mean)[1:3])


def test_independent_gaussians_are_truncated_with_their_moments() -> None:
    mean = camels.unscale_theta(np.array([[0.5] * 6, [0.1] * 6]))
    std = np.array([[0.05] * 6, [0.08] * 6]) * WIDTH
    inside = JointPosterior.of_moments(mean, std, camels.PARAMETER_NAMES).inside_prior()
    found, covariance = inside.moments()
    np.testing.assert_allclose(found, mean, atol=1e-3)
    of_width = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)) / WIDTH
    np.testing.assert_allclose(of_width, std / WIDTH, rtol=0.02)


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share: Expected a number in \(0, 1\]"):
        combine_maps(exact_maps(0.1, 2), index(2), share)


def test_simulations_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same number of maps per simulation.* got 10 to 20"):
        fit_share(exact_maps(0.1, 2), np.repeat([0, 1], [10, 20]))


def test_an_index_that_mixes_truths_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected one truth per simulation"):
        combine_maps(exact_maps(0.1, 2), np.tile([0, 1], N_MAPS), 1.0)
