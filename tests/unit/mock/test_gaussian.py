import numpy as np
import pytest

from multifield import camels
from multifield.config.ingest import MockConfig
from multifield.maps import log_transform
from multifield.mock import MockBlocks, gaussian
from tests.helpers import tolerances

CONFIG = MockConfig(n_simulations=4, map_size=32, lattice=16, refine=1, seed=3, n_threads=1)


def draw(Omega_m: float, sigma_8: float, seed: int = 0, map_size: int = 32) -> np.ndarray:
    return gaussian.draw_simulation(
        Omega_m, sigma_8, map_size=map_size, generator=np.random.default_rng(seed)
    )


def test_the_latin_hypercube_is_a_box_of_slope_and_amplitude():
    k = np.array([gaussian.PIVOT, np.e * gaussian.PIVOT])
    for Omega_m, slope in ((0.1, -3.0), (0.5, -1.0)):
        for sigma_8, amplitude in ((0.6, 1e-3), (1.0, 1e-2)):
            P_k = gaussian.power_law(k, Omega_m, sigma_8)
            np.testing.assert_allclose(P_k[0], amplitude, rtol=1e-12)  # rounding of exp and log
            np.testing.assert_allclose(np.log(P_k[1] / P_k[0]), slope, rtol=1e-12)


def test_the_zero_mode_has_the_power_of_the_fundamental_one():
    k_f = 2 * np.pi / camels.BOX_SIZE
    zero, fundamental = gaussian.power_law(np.array([0.0, k_f]), 0.2, 0.9)
    assert zero == fundamental


def test_the_logarithm_is_the_gaussian_field():
    """The maps are drawn again in float64; only the files are float32."""
    white = np.random.default_rng(0).standard_normal((15, 32, 32))
    full, half = np.fft.fftfreq(32, 1 / 32), np.arange(17)
    k = 2 * np.pi / 25.0 * np.sqrt(full[:, None] ** 2 + half**2)
    amplitude = np.sqrt(gaussian.power_law(k, 0.3, 0.8)) / (25.0 / 32)
    field = 11.0 + np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(32, 32))
    log_maps = log_transform(draw(0.3, 0.8), "Mtot")
    np.testing.assert_allclose(log_maps, field, rtol=0, atol=tolerances.LOG_MAP_ATOL)


def test_amplitude_scales_the_same_structures():
    small, large = (np.log10(draw(0.3, sigma_8)) - 11 for sigma_8 in (0.6, 1.0))
    # a tenfold power; float32 of 11 dex is rounded by 5e-7, of fields of 0.1
    np.testing.assert_allclose(large, np.sqrt(10) * small, atol=1e-5)


def test_siblings_are_independent():
    """The maps of a universe are not independent: slabs of an axis share its mean."""
    k = np.fft.fftn(np.log10(draw(0.5, 0.8, map_size=64)) - 11, axes=(1, 2))
    k[:, 0, 0] = 0  # a single large mode would dominate
    unit = k / np.abs(k).clip(1e-30)
    coherence = np.abs(np.einsum("aij,bij->ab", unit, unit.conj())) / 64**2
    np.fill_diagonal(coherence, 0)
    # mean of 4,095 random phases, half of them independent: 0.022; 4.5 sigma for 105 pairs
    assert coherence.max() < 0.1


def test_simulations_differ_in_their_structures():
    blocks = MockBlocks("MockGaussian", ("Mtot",), CONFIG, np.full((2, 6), 0.5))
    one, other = (np.log10(maps["Mtot"]).mean(axis=(1, 2)) for maps in blocks)
    assert not np.isclose(one, other).any()


@pytest.mark.parametrize("map_size", [16, 64, 256])
def test_every_pixel_is_positive_and_finite(map_size):
    maps = draw(0.1, 1.0, map_size=map_size)
    assert maps.shape == (15, map_size, map_size)
    assert maps.dtype == np.float32
    assert (maps > 0).all()
    assert np.isfinite(maps).all()
