import threading

import numpy as np
import pytest

from multifield.camels import BOX_SIZE, PARAMETERS, find_space
from multifield.maps.power_spectrum import power_spectrum
from multifield.mock.universe import (
    INITIAL_CONDITIONS,
    Background,
    linear_field,
    linear_power,
    make_universe,
    mean_surface_density,
    random_generator,
    sample_theta,
    total_matter,
)

# float32 maps of 5 L^2 pixels: 2^-24 per rounding; the sum itself is float64
MEAN_RTOL = 1e-6


def make(Omega_m=0.3, sigma_8=0.8, map_size=32, lattice=32, refine=2, seed=0):
    return make_universe(
        Omega_m,
        sigma_8,
        map_size=map_size,
        lattice=lattice,
        refine=refine,
        generator=np.random.default_rng(seed),
    )


def test_theta_is_a_latin_hypercube_in_the_bounds():
    theta = sample_theta(40, seed=7)
    for column, parameter in zip(theta.T, PARAMETERS, strict=True):
        unit = (column - parameter.minimum) / (parameter.maximum - parameter.minimum)
        assert unit.min() >= 0
        assert unit.max() <= 1
        # one value per stratum of 40, unless rounding to 5 decimals moved it to the next
        assert len(np.unique(np.floor(unit * 40))) >= 39


def test_energies_are_drawn_in_the_logarithm():
    space = find_space("MockTNG50", "LH")
    theta = sample_theta(40, 7, 3, space)
    for column, parameter in zip(theta.T, space, strict=True):
        scale = np.log if parameter.name in ("A_SN1", "A_AGN1") else np.asarray
        low, high = scale(np.array(parameter.range))
        strata = np.floor((scale(column) - low) / (high - low) * 40)
        assert len(np.unique(strata)) >= 39


def test_a_sobol_sequence_fills_every_stratum():
    space = find_space("MockSB", "SB14")
    unit = space.scale(space.coordinates(sample_theta(32, 7, 4, space, sobol=True)))
    assert unit.shape == (32, 14)
    for column in unit.T:
        assert len(np.unique(np.floor(column * 32))) >= 31  # but for rounding
    assert len(sample_theta(24, 7, 4, space, sobol=True)) == 24


def test_theta_survives_a_text_file(tmp_path):
    theta = sample_theta(30, seed=3)
    np.savetxt(tmp_path / "params.txt", theta, fmt="%.5f")
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "params.txt"), theta)


def test_theta_comes_from_the_seed():
    np.testing.assert_array_equal(sample_theta(5, seed=1), sample_theta(5, seed=1))
    assert not np.array_equal(sample_theta(5, seed=1), sample_theta(5, seed=2))


def test_streams_of_random_numbers_differ():
    draws = {random_generator(0, 0, stream).random() for stream in range(3)}
    assert len(draws) == 3
    assert random_generator(5, 9, INITIAL_CONDITIONS).random() in {
        np.random.default_rng([5, 9]).random()
    }


def test_linear_power_does_not_depend_on_other_threads():
    k = np.geomspace(0.3, 10, 50)
    alone = [linear_power(k, Omega_m, 0.8) for Omega_m in (0.1, 0.3, 0.5)]
    together: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        together[i] = linear_power(k, (0.1, 0.3, 0.5)[i], 0.8)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(3):
        np.testing.assert_array_equal(together[i], alone[i])


def test_linear_power_grows_as_sigma_8_squared():
    k = np.geomspace(0.3, 10, 50)
    ratio = linear_power(k, 0.3, 1.0) / linear_power(k, 0.3, 0.6)
    np.testing.assert_allclose(ratio, (1.0 / 0.6) ** 2, rtol=1e-10)


def test_a_larger_box_has_the_power_at_its_wave_numbers():
    """The same white noise in two boxes: modes m have k = 2 pi m / box, and cells are 8 times as big."""
    large = Background(box=50.0)
    ours, of_cmd = (
        linear_field(16, 0.3, 0.8, np.random.default_rng(4), background)
        for background in (large, Background())
    )
    k = 2 * np.pi * np.arange(1, 8) / np.array([[50.0], [25.0]])
    ratio = np.sqrt(linear_power(k[0], 0.3, 0.8) / linear_power(k[1], 0.3, 0.8) / 8)
    np.testing.assert_allclose(np.abs(ours[1:8, 0, 0] / of_cmd[1:8, 0, 0]), ratio, rtol=1e-5)
    assert large.n_slabs == 10


def test_linear_field_is_proportional_to_sigma_8():
    high, low = (linear_field(16, 0.3, s, np.random.default_rng(4)) for s in (1.0, 0.5))
    np.testing.assert_allclose(high, 2.0 * low, rtol=1e-5, atol=1e-4 * np.abs(low).max())


def test_linear_field_has_the_same_phases_in_another_cosmology():
    one, other = (
        linear_field(16, Omega_m, 0.8, np.random.default_rng(4)) for Omega_m in (0.1, 0.5)
    )
    angle = np.angle(one * np.conj(other))[np.abs(one) > 0]
    np.testing.assert_allclose(angle, 0.0, atol=1e-5)


@pytest.mark.parametrize("Omega_m", [0.1, 0.3, 0.5])
def test_omega_m_is_the_mean_of_mtot(Omega_m):
    mean = total_matter(make(Omega_m)).reshape(3, -1).mean(axis=1, dtype=np.float64)
    np.testing.assert_allclose(mean, mean_surface_density(Omega_m), rtol=MEAN_RTOL)


def test_mean_surface_density_is_cmd_s():
    # CMD's Mtot LH has a mean of 4.163e11, and the mean of Omega_m there is 0.3
    assert mean_surface_density(0.3) == pytest.approx(4.163e11, rel=1e-3)


@pytest.mark.parametrize("sigma_8", [0.1, 0.6, 1.0, 3.0])
@pytest.mark.parametrize("Omega_m", [0.1, 0.5])
def test_matter_everywhere(Omega_m, sigma_8):
    universe = make(Omega_m, sigma_8, map_size=64, lattice=16, refine=1)  # 0.06 elements per pixel
    assert universe.density.min() > 0
    assert universe.speed.min() > 0
    assert np.isfinite(universe.density).all()


def test_sigma_8_makes_contrast():
    contrast = [np.log(make(sigma_8=s, lattice=32).density).std() for s in (0.6, 0.8, 1.0)]
    assert np.all(np.diff(contrast) > 0.05)


@pytest.mark.parametrize("Omega_m", [0.1, 0.3, 0.5])
def test_small_scales_grow_with_sigma_8(Omega_m):
    """At the same phases, d ln P / d ln sigma_8 is 1.2 to 4 from 1.3 to 2.6 h/Mpc."""
    low, high = (
        small_scale_power(make(Omega_m, s, map_size=64, lattice=64, refine=1)) for s in (0.6, 1.0)
    )
    assert 1.2 < np.log(high / low) / np.log(1.0 / 0.6) < 4


def small_scale_power(universe):
    k, power, _ = power_spectrum(universe.density, BOX_SIZE)
    return power[:, (k > 1.3) & (k < 2.6)].mean()


def test_speeds_are_those_of_a_small_box():
    # sigma_v of 25 Mpc/h without larger modes: 150 to 250 km/s at Omega_m 0.3; Vcdm of CMD alike
    assert 80 < make().speed.mean() < 400


def test_box_is_cmd_s():
    assert BOX_SIZE == 25.0
