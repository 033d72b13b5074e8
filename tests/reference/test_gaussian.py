"""Compare MockGaussian's likelihood with a pixel covariance, and its posterior with a finer grid.

The calibration tests must fail for posteriors that are too narrow, too wide or biased.
"""

from functools import cache

import numpy as np
import pytest
from scipy.integrate import simpson
from scipy.stats import chisquare, kstest, multivariate_normal, norm

from multifield.camels import BOX_SIZE
from multifield.maps import log_transform
from multifield.mock import gaussian
from multifield.mock import gaussian_likelihood as model
from multifield.mock import gaussian_posterior as exact
from tests.helpers import tolerances
from tests.reference import gaussian_oracle as oracle

N_MAPS, N_SAMPLES = 1500, 63


def draw(theta: np.ndarray, map_size: int, seed: int) -> np.ndarray:
    """Draw one log map per row of `theta`."""
    rng = np.random.default_rng(seed)
    maps = [gaussian.draw_simulation(*row, map_size=map_size, generator=rng)[0] for row in theta]
    return log_transform(np.stack(maps), "Mtot")


def draw_from_prior(n: int, map_size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    theta = np.random.default_rng(seed + 1000).uniform((0.1, 0.6), (0.5, 1.0), (n, 2))
    return theta, draw(theta, map_size, seed)


# ---- likelihood and information ----


@pytest.mark.parametrize("n", [3, 4])  # with and without modes at the Nyquist frequency
def test_likelihood_is_that_of_the_pixels(n):
    """Compare with a multivariate normal of n^2 pixels; its covariance sums all modes."""
    log_maps = np.random.default_rng(5).normal(11, 0.3, (2, n, n)).astype(np.float32)
    theta = np.array([[0.3, 0.8], [0.12, 0.95], [0.5, 0.6]])
    m = np.fft.fftfreq(n, 1 / n)
    modes = np.stack(np.meshgrid(m, m, indexing="ij"), axis=-1).reshape(-1, 2)
    pixels = np.stack(np.meshgrid(*[np.arange(n)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    lags = pixels[:, None] - pixels
    k = 2 * np.pi / BOX_SIZE * np.hypot(*modes.T)
    expected = []
    for row in theta:
        waves = np.cos(2 * np.pi / n * lags @ modes.T)
        covariance = waves @ gaussian.power_law(k, *row) / BOX_SIZE**2
        law = multivariate_normal(np.full(n**2, 11.0), covariance)
        expected.append(law.logpdf(log_maps.reshape(2, -1).astype(np.float64)))
    value = model.log_likelihood(model.summarize(log_maps), theta)
    np.testing.assert_allclose(
        value - value[:, :1], np.transpose(expected) - expected[0][:, None], rtol=1e-9, atol=1e-8
    )  # values of thousands; eigenvalue decomposition in float64


def test_fisher_matrix_is_the_curvature_of_the_likelihood():
    theta, step = np.array([0.3, 0.8]), 1e-3
    statistics = model.summarize(draw(np.tile(theta, (400, 1)), 32, seed=0))
    offsets = step * np.array(
        [[1, 1], [1, -1], [-1, 1], [-1, -1], [1, 0], [-1, 0], [0, 1], [0, -1], [0, 0]]
    )
    value = model.log_likelihood(statistics, theta + offsets).mean(axis=0)
    mixed = (value[0] - value[1] - value[2] + value[3]) / 4
    first, second = value[4] + value[5] - 2 * value[8], value[6] + value[7] - 2 * value[8]
    curvature = -np.array([[first, mixed], [mixed, second]]) / step**2
    # power averages to its mean within sqrt(2 / modes) for 400 x 1,024 modes: 0.2%; 5 sigma
    np.testing.assert_allclose(curvature, model.fisher_matrix(32), rtol=0.01)


def test_maximum_likelihood_scatters_as_the_bound():
    theta = np.array([0.3, 0.8])
    statistics = model.summarize(draw(np.tile(theta, (1500, 1)), 32, seed=1))
    estimate = oracle.maximum_likelihood(statistics)
    bound = model.cramer_rao_bound(32)
    # a variance of 1,500 draws is known to 3.7%; 4 sigma, halved for the standard deviation
    np.testing.assert_allclose(estimate.std(axis=0), bound, rtol=0.075)
    covariance = np.cov(estimate.T)
    inverse = np.linalg.inv(model.fisher_matrix(32))
    correlation, expected = (c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in (covariance, inverse))
    assert abs(correlation - expected) < 4 / np.sqrt(1500)
    # mean: 4 sigma, and the bias of order 1 / modes: 0.02 sigma
    assert np.abs((estimate.mean(axis=0) - theta) / bound).max() < 4 / np.sqrt(1500) + 0.05


def test_maximum_likelihood_is_a_maximum():
    _, log_maps = draw_from_prior(20, 16, seed=2)
    statistics = model.summarize(log_maps)
    best = oracle.maximum_likelihood(statistics)
    for i, row in enumerate(best):
        around = row + 1e-4 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        value = model.log_likelihood(statistics.part(slice(i, i + 1)), around)[0]
        assert np.argmax(value) == 0


def test_information_is_that_of_all_modes():
    """By hand: d ln P / d sigma_8 = 2.5 ln 10 for L^2 modes, so F = L^2 (2.5 ln 10)^2 / 2."""
    np.testing.assert_allclose(model.fisher_matrix(64)[1, 1], 4096 * (2.5 * np.log(10)) ** 2 / 2)
    np.testing.assert_allclose(model.fisher_matrix(16, 15), 15 * model.fisher_matrix(16))


def test_float32_has_the_information_of_float64():
    """Test the faintest small scales: the steepest spectrum at the lowest amplitude, 256 pixels."""
    theta = np.array([[0.1, 0.6]])
    statistics = model.summarize(draw(theta, 256, seed=3))
    white = np.random.default_rng(3).standard_normal((15, 256, 256))[0]
    m = np.fft.fftfreq(256, 1 / 256)
    squared = np.rint(m[:, None] ** 2 + m**2).astype(int)
    k = 2 * np.pi / BOX_SIZE * np.sqrt(squared)
    power = np.abs(np.fft.fft2(white)) ** 2 / 256**2 * gaussian.power_law(k, *theta[0])
    shells, label = np.unique(squared, return_inverse=True)
    sums = np.bincount(label.ravel(), power.ravel(), len(shells))
    ideal = model.Statistics(statistics.x, statistics.n_modes, (sums / statistics.n_modes)[None])
    found, expected = oracle.maximum_likelihood(statistics), oracle.maximum_likelihood(ideal)
    # measured 1e-5 of a standard deviation
    assert np.abs((found - expected) / model.cramer_rao_bound(256)).max() < 1e-3


# ---- posterior ----


def on_a_grid(statistics: model.Statistics, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and covariance of one map's posterior by Simpson's rule over the whole prior."""
    axes = np.linspace(0.1, 0.5, n), np.linspace(0.6, 1.0, n)
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    ln_l = model.log_likelihood(statistics, theta)[0].reshape(n, n)
    density = np.exp(ln_l - ln_l.max())

    def integrate(values: np.ndarray) -> float:
        return simpson(simpson(values * density, axes[1]), axes[0])

    total = integrate(np.ones((n, n)))
    a, b = np.meshgrid(*axes, indexing="ij")
    mean = np.array([integrate(a), integrate(b)]) / total
    a, b = a - mean[0], b - mean[1]
    mixed = integrate(a * b)
    return mean, np.array([[integrate(a * a), mixed], [mixed, integrate(b * b)]]) / total


@pytest.mark.parametrize("theta", [(0.3, 0.8), (0.105, 0.79), (0.495, 0.605)])
def test_posterior_equals_a_fine_grid(theta):
    """Test the middle of the prior, an edge and a corner, where the prior truncates it."""
    statistics = model.summarize(draw(np.array([theta]), 16, seed=4))
    mean, covariance = on_a_grid(statistics, 601)
    found = exact.posterior(statistics)
    atol = tolerances.POSTERIOR_ATOL
    assert np.abs((found.mean[0] - mean) / found.std[0]).max() < atol
    scale = np.outer(found.std[0], found.std[0])
    assert np.abs((found.covariance[0] - covariance) / scale).max() < atol


@pytest.mark.parametrize("map_size", [16, 256])
def test_posterior_does_not_depend_on_its_nodes(map_size, monkeypatch):
    _, log_maps = draw_from_prior(5, map_size, seed=6)
    statistics = model.summarize(log_maps)
    found = exact.posterior(statistics)
    for name in ("N_NODES", "N_CHEBYSHEV"):
        monkeypatch.setattr(exact, name, 96)
    finer = exact.posterior(statistics)
    assert np.abs((found.mean - finer.mean) / found.std).max() < tolerances.POSTERIOR_ATOL
    np.testing.assert_allclose(found.std, finer.std, rtol=tolerances.POSTERIOR_ATOL)


def test_posterior_of_many_modes_is_normal_with_the_inverse_fisher_matrix():
    theta = np.array([0.3, 0.8])
    found = exact.posterior(model.summarize(draw(theta[None], 256, seed=7)))
    # 65,536 modes: skewness and scatter of the curvature are of order 1 / sqrt(modes) = 0.4%
    np.testing.assert_allclose(
        found.covariance[0], np.linalg.inv(model.fisher_matrix(256)), rtol=0.03
    )


def test_maps_do_not_depend_on_each_other(monkeypatch):
    theta, log_maps = draw_from_prior(7, 16, seed=8)
    statistics = model.summarize(log_maps)
    together = exact.posterior(statistics)
    monkeypatch.setattr(exact, "MAPS_AT_ONCE", 2)
    apart = exact.posterior(statistics)
    np.testing.assert_allclose(apart.mean, together.mean, rtol=1e-12)  # sums in another order
    np.testing.assert_allclose(
        oracle.cumulative(statistics, theta)[3:4],
        oracle.cumulative(statistics.part(slice(3, 4)), theta[3:4]),
        rtol=1e-9,
    )


def test_cumulative_is_0_and_1_at_the_edges():
    _, log_maps = draw_from_prior(5, 16, seed=9)
    statistics = model.summarize(log_maps)
    low, high = np.tile([0.1, 0.6], (5, 1)), np.tile([0.5, 1.0], (5, 1))
    np.testing.assert_allclose(oracle.cumulative(statistics, low), 0, atol=1e-12)
    np.testing.assert_allclose(oracle.cumulative(statistics, high), 1, rtol=1e-9)


# ---- calibration ----


@cache
def calibration() -> tuple[np.ndarray, exact.Posterior, np.ndarray, np.ndarray]:
    """Draw maps from the prior; return truth, posterior, PIT and posterior samples."""
    theta, log_maps = draw_from_prior(N_MAPS, 32, seed=10)
    statistics = model.summarize(log_maps)
    samples = oracle.sample_posterior(statistics, N_SAMPLES, np.random.default_rng(11))
    return theta, exact.posterior(statistics), oracle.cumulative(statistics, theta), samples


def chi2_is_one(z: np.ndarray) -> bool:
    """The mean over N maps scatters by sqrt(2 / N); 4 sigma."""
    return bool(np.all(np.abs(np.mean(z**2, axis=0) - 1) < 4 * np.sqrt(2 / len(z))))


def coverage_is_nominal(pit: np.ndarray) -> bool:
    """Coverage of the central 68.3% and 95.4% is a binomial share; 4 sigma."""
    nominal = norm.cdf([[1], [2]]) - norm.cdf([[-1], [-2]])
    covered = np.stack([np.mean(np.abs(pit - 0.5) < share / 2, axis=0) for share in nominal])
    error = np.sqrt(nominal * (1 - nominal) / len(pit))
    return bool(np.all(np.abs(covered - nominal) < 4 * error))


def pit_is_uniform(pit: np.ndarray) -> bool:
    return all(kstest(column, "uniform").pvalue > 1e-3 for column in pit.T)


def ranks_are_uniform(samples: np.ndarray, theta: np.ndarray) -> bool:
    """Simulation-based calibration: 64 ranks in 16 bins of 94 maps."""
    ranks = (samples < theta[:, None]).sum(axis=1)
    counts = [np.bincount(column // 4, minlength=16) for column in ranks.T]
    return all(chisquare(count).pvalue > 1e-3 for count in counts)


def test_exact_posterior_is_calibrated():
    theta, found, pit, samples = calibration()
    assert chi2_is_one((theta - found.mean) / found.std)
    assert coverage_is_nominal(pit)
    assert pit_is_uniform(pit)
    assert ranks_are_uniform(samples, theta)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_wrong_width_is_found(factor):
    theta, found, pit, samples = calibration()
    z = (theta - found.mean) / (factor * found.std)
    assert not chi2_is_one(z)
    stretched = norm.cdf(norm.ppf(pit) / factor)
    assert not coverage_is_nominal(stretched)
    assert not pit_is_uniform(stretched)
    wrong = found.mean[:, None] + factor * (samples - found.mean[:, None])
    assert not ranks_are_uniform(wrong, theta)


def test_a_bias_is_found():
    """Shift by 0.2 standard deviations, which chi2 = 1 + 0.2^2 and coverage do not detect."""
    theta, found, pit, samples = calibration()
    biased = norm.cdf(norm.ppf(pit) + 0.2)
    assert chi2_is_one((theta - found.mean) / found.std + 0.2)
    assert coverage_is_nominal(biased)
    assert not pit_is_uniform(biased)
    assert not ranks_are_uniform(samples - 0.2 * found.std[:, None], theta)


def test_errors_of_the_posterior_mean_are_its_standard_deviations():
    theta, found, _, _ = calibration()
    rmse = np.sqrt(np.mean((theta - found.mean) ** 2, axis=0))
    expected = np.sqrt(np.mean(found.std**2, axis=0))
    np.testing.assert_allclose(rmse, expected, rtol=4 * np.sqrt(0.5 / N_MAPS))  # 4 sigma


def test_samples_have_the_moments_of_the_posterior():
    _, found, _, samples = calibration()
    pull = (samples.mean(axis=1) - found.mean) / found.std * np.sqrt(N_SAMPLES)
    assert np.abs(pull.mean(axis=0)).max() < 4 / np.sqrt(N_MAPS)
    ratio = samples.var(axis=1, ddof=1) / found.std**2
    assert np.abs(ratio.mean(axis=0) - 1).max() < 4 * np.sqrt(2 / N_SAMPLES / N_MAPS)


def test_only_the_power_has_information():
    """Phases do not change the posterior."""
    _, log_maps = draw_from_prior(1, 32, seed=12)
    modes = np.fft.rfft2(log_maps[0].astype(np.float64))
    phases = np.fft.rfft2(np.random.default_rng(0).standard_normal((32, 32)))
    phases[0, 0] = 1.0
    other = np.fft.irfft2(np.abs(modes) * phases / np.abs(phases), s=(32, 32)).astype(np.float32)
    one, two = (exact.posterior(model.summarize(m)) for m in (log_maps, other[None]))
    np.testing.assert_allclose(two.mean, one.mean, rtol=1e-5)  # float32 of 11 dex
