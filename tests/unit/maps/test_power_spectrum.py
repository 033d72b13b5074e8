import numpy as np
import pytest

from multifield.camels import BOX_SIZE
from multifield.data import save_maps
from multifield.maps import memory, open_maps, power_spectrum
from multifield.maps.power_spectrum import shell_power
from multifield.mock import gaussian
from tests.helpers import tolerances


def noise(n_maps: int, n_pixels: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(11, 1, (n_maps, n_pixels, n_pixels)).astype(np.float32)


def direct_modes(one_map: np.ndarray, box_size: float) -> dict[tuple[int, int], float]:
    """Power of every mode of the full plane, summed over pixels one by one from the definition."""
    n = len(one_map)
    power = {}
    for a in range(-((n - 1) // 2), n // 2 + 1):
        for b in range(-((n - 1) // 2), n // 2 + 1):
            amplitude = 0j
            for x in range(n):
                for y in range(n):
                    amplitude += one_map[x, y] * np.exp(-2j * np.pi * (a * x + b * y) / n)
            power[a, b] = abs(amplitude) ** 2 * box_size**2 / n**4
    return power


@pytest.mark.parametrize("n_pixels", [2, 5, 6, 8])  # odd sides have no Nyquist mode
def test_equals_a_direct_sum(n_pixels):
    maps = noise(2, n_pixels)
    k, P_k, n_modes = power_spectrum(maps, 10.0)
    for i, one_map in enumerate(maps.astype(np.float64)):
        modes = direct_modes(one_map, 10.0)
        for b in range(n_pixels // 2):
            inside = {m: P for m, P in modes.items() if b + 0.5 <= np.hypot(*m) < b + 1.5}
            assert n_modes[b] == len(inside)
            expected = np.mean(list(inside.values()))
            np.testing.assert_allclose(P_k[i, b], expected, rtol=tolerances.SPECTRUM_RTOL)
            length = np.mean([2 * np.pi / 10.0 * np.hypot(*m) for m in inside])
            np.testing.assert_allclose(k[b], length, rtol=tolerances.SPECTRUM_RTOL)


@pytest.mark.parametrize("n_pixels", [5, 16, 64])
def test_parseval(n_pixels):
    """The mean square of the pixels is the sum of the power over all modes, corners and zero mode too."""
    maps = noise(3, n_pixels)
    shells = shell_power(maps, BOX_SIZE)
    assert shells.n_modes.sum() == n_pixels**2
    total = (shells.power * shells.n_modes).sum(axis=1) / BOX_SIZE**2
    expected = np.mean(maps.astype(np.float64) ** 2, axis=(1, 2))
    np.testing.assert_allclose(total, expected, rtol=tolerances.SPECTRUM_RTOL)


def test_variance_is_the_power_but_of_the_mean():
    maps = noise(3, 16)
    shells = shell_power(maps, BOX_SIZE)
    variance = (shells.power * shells.n_modes)[:, 1:].sum(axis=1) / BOX_SIZE**2
    expected = np.var(maps.astype(np.float64), axis=(1, 2))
    np.testing.assert_allclose(variance, expected, rtol=tolerances.SPECTRUM_RTOL)


def test_a_wave_has_its_power_in_its_bin():
    x = np.arange(32)
    wave = 3.0 * np.cos(2 * np.pi * (3 * x[:, None] + 4 * x[None, :]) / 32)
    k, P_k, n_modes = power_spectrum(wave[None].astype(np.float32), BOX_SIZE)
    # amplitude^2 / 4 in each of two modes of length 5
    expected = np.zeros(16)
    expected[4] = 2 * 9 / 4 * BOX_SIZE**2 / n_modes[4]
    np.testing.assert_allclose(P_k[0], expected, atol=1e-9)  # pixels are rounded to 1e-7 of 3
    assert abs(k[4] / (2 * np.pi / BOX_SIZE) - 5) < 0.5


@pytest.mark.parametrize("Omega_m", [0.1, 0.3, 0.5])
def test_measures_a_known_spectrum(Omega_m):
    rng = np.random.default_rng(7)
    drawn = [gaussian.draw_simulation(Omega_m, 0.8, map_size=64, generator=rng) for _ in range(20)]
    log_maps = np.log10(np.concatenate(drawn))
    shells = shell_power(log_maps - np.float32(gaussian.MEAN_LOG), BOX_SIZE)
    ratio = shells.power.mean(axis=0) / gaussian.power_law(shells.k, Omega_m, 0.8)
    # each mode of each map is one squared normal variable, whose variance is 2
    deviation = (ratio - 1) / np.sqrt(2 / (len(log_maps) * shells.n_modes))
    assert np.abs(deviation).max() < 4.5  # of 560 shells: chance 0.4 %
    # mean square of 560 shells: 1 within 5 sigma of sqrt(2 / 560)
    assert abs(np.mean(deviation**2) - 1) < 0.3


def test_scatter_is_cosmic_variance():
    maps = noise(2000, 16)
    _, P_k, n_modes = power_spectrum(maps, BOX_SIZE)
    measured = P_k.var(axis=0) / P_k.mean(axis=0) ** 2 * n_modes / 2
    # of 2,000 maps a variance is known to sqrt(2 / 2000) and more where the law has tails: 5 sigma
    assert np.abs(measured - 1).max() < 0.25


@pytest.mark.parametrize("n_bins", [1, 4, 16])
def test_wider_bins_hold_the_same_modes(n_bins):
    maps = noise(2, 32)
    _, P_k, n_modes = power_spectrum(maps, BOX_SIZE)
    _, wide, n_wide = power_spectrum(maps, BOX_SIZE, n_bins)
    assert n_wide.sum() == n_modes.sum()
    np.testing.assert_allclose(
        (wide * n_wide).sum(axis=1), (P_k * n_modes).sum(axis=1), rtol=tolerances.SPECTRUM_RTOL
    )


def test_symmetries_of_the_square_and_shifts_change_nothing():
    maps = noise(1, 16)
    _, expected, _ = power_spectrum(maps, BOX_SIZE)
    for turn in range(4):
        for other in (np.rot90(maps, turn, (1, 2)), np.rot90(maps, turn, (1, 2))[:, ::-1]):
            _, P_k, _ = power_spectrum(np.roll(other, (3, 5), (1, 2)), BOX_SIZE)
            np.testing.assert_allclose(P_k, expected, rtol=tolerances.SPECTRUM_RTOL)


def test_units_are_of_the_box():
    """P is an area times maps squared, k an inverse length."""
    maps = noise(1, 16)
    k, P_k, _ = power_spectrum(maps, 1.0)
    k_large, P_large, _ = power_spectrum(maps, 50.0)
    np.testing.assert_allclose(k_large * 50, k, rtol=tolerances.SPECTRUM_RTOL)
    np.testing.assert_allclose(P_large / 2500, P_k, rtol=tolerances.SPECTRUM_RTOL)


@pytest.mark.parametrize("n_threads", [2, 7])
def test_threads_do_not_matter(n_threads):
    maps = noise(5, 32)
    _, one, _ = power_spectrum(maps, BOX_SIZE)
    _, many, _ = power_spectrum(maps, BOX_SIZE, n_threads=n_threads)
    np.testing.assert_array_equal(many, one)


def test_memory_maps_are_read_block_by_block(tmp_path, monkeypatch):
    maps = noise(7, 16)
    save_maps(tmp_path / "maps.npy", maps)
    monkeypatch.setattr(memory, "BLOCK_BYTES", 2 * maps[0].nbytes)
    _, streamed, _ = power_spectrum(open_maps(tmp_path / "maps.npy"), BOX_SIZE)
    _, whole, _ = power_spectrum(maps, BOX_SIZE)
    np.testing.assert_array_equal(streamed, whole)


def test_the_mean_does_not_drown_small_scales():
    """As it would in float32: 1e10 of power in the zero mode, 1e-6 in a wave."""
    x = np.arange(32)
    wave = 1e-3 * np.cos(2 * np.pi * 12 * x / 32)
    maps = np.broadcast_to(64.0 + wave, (1, 32, 32)).astype(np.float32)
    _, P_k, n_modes = power_spectrum(maps, BOX_SIZE)
    exact = np.mean((maps.astype(np.float64) - 64.0) ** 2) * BOX_SIZE**2
    np.testing.assert_allclose(P_k[0, 11] * n_modes[11], exact, rtol=1e-4)  # pixels have 4e-6 of it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"box_size": 0.0}, "box_size: Expected > 0 Mpc/h, got 0"),
        ({"box_size": np.inf}, "box_size: .* got inf"),
        ({"n_bins": 0}, "n_bins: Expected 1 to 8, got 0"),
        ({"n_bins": 9}, "n_bins: Expected 1 to 8, got 9"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        power_spectrum(noise(1, 16), **({"box_size": BOX_SIZE} | change))


def test_no_map_is_refused():
    with pytest.raises(ValueError, match=r"maps: Expected shape .* got \(0, 16, 16\)"):
        power_spectrum(noise(1, 16)[:0], BOX_SIZE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pixel_that_is_no_number_is_refused(value):
    maps = noise(3, 16)
    maps[1, 2, 3] = value
    with pytest.raises(ValueError, match="Expected finite pixels, got NaN or inf in map 1"):
        power_spectrum(maps, BOX_SIZE)
