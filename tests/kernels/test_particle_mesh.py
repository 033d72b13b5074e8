import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multifield.maps import reference
from tests.helpers import tolerances
from tests.helpers.kernel_inputs import FEW, SEEDS
from tests.kernels.test_deposit_slabs import random_displacement


def density_of(kernels, displacement, side):
    density = np.full((side, side, side), np.nan, np.float32)
    kernels.deposit_mesh(displacement, density)
    return density


def acceleration_of(kernels, displacement, potential):
    acceleration = np.full_like(displacement, np.nan)
    kernels.accelerate(displacement, potential, acceleration)
    return acceleration


def random_potential(seed, side):
    return np.random.default_rng(seed).normal(0, 1, (side, side, side)).astype(np.float32)


PARTICLES = {
    "seed": SEEDS,
    "n": st.integers(1, 7),
    "side": st.integers(1, 9),
    "scale": st.sampled_from([0.02, 0.3, 1.0]),
}


class TestDepositMesh:
    @FEW
    @given(**PARTICLES)
    def test_equals_float64(self, kernels, seed, n, side, scale):
        displacement = random_displacement(seed, n, scale)
        ours, answer = (density_of(each, displacement, side) for each in (kernels, reference))
        np.testing.assert_allclose(ours, answer, atol=tolerances.MESH_RTOL * answer.max(), rtol=0)

    def test_one_particle_by_hand(self, kernels):
        # the center of the box moves to (0.5, 0.25, 0.125): a node, a node, and between two
        displacement = np.array([0, -0.25, -0.375], np.float32).reshape(3, 1, 1, 1)
        expected = np.zeros((4, 4, 4))
        expected[2, 1, :2] = 32  # 64 nodes, halved
        np.testing.assert_array_equal(density_of(kernels, displacement, 4), expected)

    def test_mean_is_one(self, kernels):
        density = density_of(kernels, random_displacement(1, 8), 12)
        assert abs(density.mean(dtype=np.float64) - 1) < tolerances.MESH_RTOL


class TestAccelerate:
    @FEW
    @given(**PARTICLES)
    def test_equals_float64(self, kernels, seed, n, side, scale):
        displacement, potential = random_displacement(seed, n, scale), random_potential(seed, side)
        ours, answer = (
            acceleration_of(each, displacement, potential) for each in (kernels, reference)
        )
        # differences of potentials of 1 over nodes 1 / side apart
        np.testing.assert_allclose(ours, answer, atol=tolerances.MESH_RTOL * 4 * side, rtol=0)

    def test_a_wave(self, kernels):
        """A four-point difference is off by (2 pi / side)^4 / 30 of a wave over the box: 8e-6."""
        side, n = 48, 24
        phase = 2 * np.pi * np.arange(side) / side
        potential = np.broadcast_to(np.sin(phase), (side, side, side)).astype(np.float32, order="C")
        acceleration = acceleration_of(kernels, np.zeros((3, n, n, n), np.float32), potential)
        at = 2 * np.pi * (np.arange(n) + 0.5) / n  # particles at nodes
        expected = np.broadcast_to(-2 * np.pi * np.cos(at), (n, n, n))
        np.testing.assert_allclose(acceleration[2], expected, atol=2e-4)
        np.testing.assert_allclose(acceleration[:2], 0, atol=1e-4)

    def test_no_net_force(self, kernels):
        """Particles that feel their own density through a symmetric kernel keep their momentum."""
        displacement = random_displacement(5, 8, 0.1)
        modes = np.fft.rfftn(density_of(kernels, displacement, 12))
        k = [np.fft.fftfreq(12), np.fft.fftfreq(12), np.fft.rfftfreq(12)]
        squared = sum(c**2 for c in np.meshgrid(*k, indexing="ij"))
        squared[0, 0, 0] = np.inf
        potential = np.fft.irfftn(-modes / squared, s=(12, 12, 12), axes=(0, 1, 2)).astype(
            np.float32
        )
        force = acceleration_of(kernels, displacement, potential)
        net = force.sum(axis=(1, 2, 3), dtype=np.float64)
        assert np.abs(net).max() < tolerances.MESH_RTOL * np.abs(force).sum()
