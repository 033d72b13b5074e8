"""Compare the matter of the mock universes with colossus, JaxPM and CCL."""

import numpy as np
import pytest
import scipy.fft
from colossus.cosmology.cosmology import Cosmology

from multifield.camels import BOX_SIZE
from multifield.mock.universe import linear_field, linear_power

N = 32  # lattice points per side


def measured_power(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute wave number [h/Mpc], power [(Mpc/h)^3] and number of independent modes in shells."""
    modes = linear_field(N, 0.3, 0.8, np.random.default_rng(seed))
    field = scipy.fft.fftn(scipy.fft.irfftn(modes, s=(N, N, N)).astype(np.float64))
    m = np.fft.fftfreq(N, 1 / N)
    k = np.sqrt(sum(c**2 for c in np.meshgrid(m, m, m, indexing="ij")))
    shell = np.digitize(k, np.arange(1.0, N // 2, 2.0))  # 0 below the fundamental mode
    power = np.abs(field) ** 2 * BOX_SIZE**3 / N**6
    k = 2 * np.pi / BOX_SIZE * k
    inside = range(1, N // 4)
    ratio = [np.mean(power[shell == i] / linear_power(k[shell == i], 0.3, 0.8)) for i in inside]
    count = [np.sum(shell == i) / 2 for i in inside]
    return np.array(ratio), np.array(count)


def test_linear_field_has_the_input_power():
    ratio, count = measured_power(seed=0)
    # mean of `count` exponential variables
    assert np.all(np.abs(ratio - 1) < 4 / np.sqrt(count))
    assert count[-1] > 2000  # so the last shell is tested to 9%


@pytest.mark.parametrize("Omega_m", [0.1, 0.3, 0.5])
def test_linear_power_is_colossus_s(Omega_m):
    """This normalization uses adaptive quadrature without colossus' global cosmology or cache."""
    cosmology = Cosmology(
        name="reference",
        flat=True,
        H0=67.0,
        Om0=Omega_m,
        Ob0=0.049,
        ns=0.9624,
        sigma8=0.8,
        relspecies=False,
        interpolation=False,
        persistence="",
    )
    k = np.geomspace(1e-2, 50, 100)
    reference = cosmology.matterPowerSpectrum(k)
    # 2e-5: here a trapezoid rule of 4,000 points, in colossus a tolerance of 1e-6
    np.testing.assert_allclose(linear_power(k, Omega_m, 0.8), reference, rtol=2e-5)


def test_linear_power_turns_over_where_matter_and_radiation_are_equal():
    """k_eq = 0.0746 Omega_m h^2 /Mpc; Eisenstein and Hu 1998, equation 3."""
    k = np.geomspace(1e-3, 1, 2000)
    for Omega_m in (0.2, 0.3, 0.5):
        peak = k[np.argmax(linear_power(k, Omega_m, 0.8))]
        k_eq = 0.0746 * Omega_m * 0.67  # [h/Mpc]
        assert 0.5 * k_eq < peak < 2.0 * k_eq
