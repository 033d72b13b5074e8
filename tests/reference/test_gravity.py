"""Compare the gravity of the mock universes with JaxPM, and with halofit from CCL."""

from pathlib import Path

import numpy as np
import pytest
import scipy.fft

from multifield.camels import BOX_SIZE
from multifield.maps.particles import deposit_mesh
from multifield.maps.power_spectrum import power_spectrum
from multifield.mock.particle_mesh import simulate_matter, squared
from multifield.mock.universe import linear_field, make_universe
from tests.reference import matter

PAIRS = 32  # pairs of fixed-amplitude universes with opposite phases: power of 64 is known to 3%
OMEGAS = (0.1, 0.3, 0.5)


# ---- JaxPM, from the same initial conditions ----


@pytest.fixture(scope="module")
def beside_jaxpm():
    """Load modes of this package and JaxPM, wave numbers in fundamental modes, and weights."""
    stored = np.load(Path(__file__).parent / "data" / "jaxpm_modes.npz")
    n, highest = int(stored["n"]), stored["modes"].shape[2] - 1
    Omega_m, sigma_8 = float(stored["Omega_m"]), float(stored["sigma_8"])
    generator = np.random.default_rng(int(stored["seed"]))
    displacement, _ = simulate_matter(linear_field(n, Omega_m, sigma_8, generator), Omega_m)
    modes = scipy.fft.rfftn(deposit_mesh(displacement, 2 * n)) / (2 * n) ** 3
    kept = np.r_[0 : highest + 1, -highest:0]
    ours = modes[np.ix_(kept, kept, np.arange(highest + 1))]
    k = np.sqrt(kept[:, None, None] ** 2 + kept[None, :, None] ** 2 + np.arange(highest + 1) ** 2)
    twice = np.broadcast_to(np.where(np.arange(highest + 1) == 0, 1, 2), k.shape)
    return ours, stored["modes"], np.rint(k).astype(int), twice


@pytest.mark.parametrize("shell", range(1, 9))
def test_structures_are_jaxpm_s(beside_jaxpm, shell):
    """Test up to 2 h/Mpc: measured 0.998 there, with 1.05 of the power."""
    ours, theirs, k, twice = beside_jaxpm
    inside = k == shell
    cross, own, other = (
        np.sum(twice[inside] * product[inside])
        for product in ((ours * theirs.conj()).real, np.abs(ours) ** 2, np.abs(theirs) ** 2)
    )
    assert cross / np.sqrt(own * other) > 0.99
    assert own / other == pytest.approx(1, abs=0.08)


@pytest.fixture(scope="module")
def power_beside_jaxpm():
    """Compute cosmologies and the power at fixed phases, here and in JaxPM, in 3D and of slabs."""
    stored = np.load(Path(__file__).parent / "data" / "jaxpm_power.npz")
    ours = []
    for Omega_m, sigma_8 in stored["cosmologies"]:
        generator = np.random.default_rng(int(stored["seed"]))
        modes = linear_field(matter.N, Omega_m, sigma_8, generator)
        displacement, _ = simulate_matter(modes, Omega_m)
        power_3d = matter.power_3d(displacement, BOX_SIZE, matter.EDGES)
        ours.append((power_3d, matter.power_2d(displacement)))
    theirs = zip(stored["power_3d"], stored["power_2d"], strict=True)
    return stored["cosmologies"], ours, list(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("pair", range(6))
def test_responses_are_jaxpm_s(power_beside_jaxpm, pair):
    """Response to sigma_8 and Omega_m, to 3 h/Mpc in 3D and 5 h/Mpc of slabs.

    Within 30%; measured within 8% in 3D and 20% of slabs.
    """
    cosmologies, ours, theirs = power_beside_jaxpm
    low, high = 2 * pair, 2 * pair + 1
    step = np.log(cosmologies[high].prod() / cosmologies[low].prod())
    for dimension in range(2):
        mine, reference = (
            np.log(power[high][dimension] / power[low][dimension]) / step
            for power in (ours, theirs)
        )
        assert np.all(np.abs(mine / reference - 1) < 0.30)


# ---- growth ----


@pytest.mark.parametrize("Omega_m", OMEGAS)
def test_largest_modes_grow_as_in_linear_theory(Omega_m):
    """Agree within 2% in weak fields, where linear theory holds; measured within 0.2%."""
    n = 64
    modes = linear_field(n, Omega_m, 1e-3, np.random.default_rng(3))
    displacement, _ = simulate_matter(modes, Omega_m)
    # displacements are exact to first order; the density of particles shows their lattice
    k = [np.fft.fftfreq(n, 1 / n), np.fft.fftfreq(n, 1 / n), np.fft.rfftfreq(n, 1 / n)]
    grown = -sum(
        2j * np.pi * component * scipy.fft.rfftn(psi)
        for component, psi in zip(np.meshgrid(*k, indexing="ij"), displacement, strict=True)
    )
    largest = (squared(n) > 0) & (squared(n) <= 4)
    np.testing.assert_allclose(grown[largest] / modes[largest], 1, atol=0.02)


# ---- power ----


def k_of(edges):
    return matter.mean_k(BOX_SIZE, matter.N, edges)


@pytest.mark.slow
def test_power_is_halofit_s():
    """Agree within 20% from 0.7 to 3 h/Mpc, without modes beyond the box; measured 0.85 to 1.01."""
    power, _ = matter.measure(0.3, 0.8, PAIRS)
    ratio = power / matter.in_the_box(k_of(matter.EDGES), 0.3, 0.8)
    np.testing.assert_allclose(ratio, 1, atol=0.20)


@pytest.mark.slow
def test_power_of_slabs_is_halofit_s():
    """Agree within 20% from 0.7 to 3.1 h/Mpc; a mesh of 64 nodes keeps 72% at 4 and 65% at 5."""
    _, power = matter.measure(0.3, 0.8, PAIRS)
    k = 0.5 * (matter.EDGES_2D[:-1] + matter.EDGES_2D[1:])
    ratio = power / matter.slabs_in_the_box(0.3, 0.8)(k)
    np.testing.assert_allclose(ratio[:5], 1, atol=0.20)
    assert np.all((ratio[5:] > 0.5) & (ratio[5:] < 1))


@pytest.mark.slow
def test_response_to_sigma_8_is_halofit_s():
    """Agree in d ln P / d ln sigma_8 within 30%, 0.7 to 3 h/Mpc in 3D, to 5 h/Mpc of slabs."""
    low, high = (0.3, 0.7), (0.3, 0.9)
    step = np.log(high[1] / low[1])
    k, k_2d = k_of(matter.EDGES), 0.5 * (matter.EDGES_2D[:-1] + matter.EDGES_2D[1:])
    ours = [matter.measure(*each, PAIRS) for each in (low, high)]
    theirs = [
        (matter.in_the_box(k, *each), matter.slabs_in_the_box(*each)(k_2d)) for each in (low, high)
    ]
    for dimension in range(2):
        mine, reference = (
            np.log(pair[1][dimension] / pair[0][dimension]) / step for pair in (ours, theirs)
        )
        np.testing.assert_allclose(mine, reference, rtol=0.30)


# ---- maps ----


@pytest.mark.slow
def test_width_of_the_distribution_at_256_pixels():
    """The log10 of CMD's Mcdm has a standard deviation of 0.51 over the latin hypercube."""
    density = make_universe(
        0.3, 0.8, map_size=256, lattice=160, refine=3, generator=np.random.default_rng(3)
    ).density
    assert np.log10(density).std() == pytest.approx(0.5, abs=0.06)
    assert density.min() > 0.011  # minimum in CMD's IllustrisTNG


@pytest.mark.slow
def test_voids_show_no_lattice():
    """Eight times as many mass elements do not change the power of log maps."""
    from multifield.maps.particles import deposit_slabs

    modes = linear_field(64, 0.3, 0.8, np.random.default_rng(3))
    displacement, _ = simulate_matter(modes, 0.3)
    still = np.zeros((64, 64, 64), np.float32)
    few, many = (
        power_spectrum(np.log10(deposit_slabs(displacement, still, 64, r)[0] + 0.01), BOX_SIZE)[1]
        for r in (2, 4)
    )
    np.testing.assert_allclose(few.mean(axis=0) / many.mean(axis=0), 1, atol=0.25)


def test_axes_have_the_same_power():
    """Average slabs along each axis over four universes, because modes of one universe scatter."""
    power = []
    for seed in range(4):
        universe = make_universe(
            0.3, 0.8, map_size=64, lattice=64, refine=2, generator=np.random.default_rng(seed)
        )
        k, each, _ = power_spectrum(universe.density, BOX_SIZE)
        inside = (k > 1) & (k < 5)
        power.append(each[:, inside].mean(axis=1).reshape(3, 5).mean(axis=1))
    mean = np.mean(power, axis=0)
    np.testing.assert_allclose(mean / mean.mean(), 1, atol=0.3)
