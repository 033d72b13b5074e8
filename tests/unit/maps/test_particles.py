"""Slabs, meshes and forces of displaced lattices."""

import numpy as np
import pytest

from multifield.maps import particles, reference
from tests.helpers import tolerances


class TestDepositSlabs:
    def test_equals_the_reference(self, rng):
        displacement = rng.normal(0, 0.02, (3, 6, 6, 6)).astype(np.float32)
        moduli = rng.uniform(1, 2, (6, 6, 6)).astype(np.float32)
        mass, speed = particles.deposit_slabs(displacement, moduli, 9, 2, n_threads=2)
        expected_mass, expected_speed = np.empty_like(mass), np.empty_like(speed)
        reference.deposit_slabs(displacement, moduli, 2, expected_mass, expected_speed)
        np.testing.assert_allclose(mass, expected_mass, rtol=tolerances.DEPOSIT_RTOL)
        np.testing.assert_allclose(speed, expected_speed, rtol=tolerances.DEPOSIT_RTOL)

    def test_no_pixels(self):
        with pytest.raises(ValueError, match="n_pixels: Expected >= 1, got 0"):
            particles.deposit_slabs(
                np.zeros((3, 2, 2, 2), np.float32), np.zeros((2, 2, 2), np.float32), 0, 1
            )


class TestParticleMesh:
    def test_equals_the_reference(self, rng):
        displacement = rng.normal(0, 0.02, (3, 6, 6, 6)).astype(np.float32)
        density = particles.deposit_mesh(displacement, 8)
        expected = np.empty_like(density)
        reference.deposit_mesh(displacement, expected)
        np.testing.assert_allclose(
            density, expected, atol=tolerances.MESH_RTOL * expected.max(), rtol=0
        )
        force, expected_force = particles.accelerate(displacement, density), displacement.copy()
        reference.accelerate(displacement, density, expected_force)
        scale = np.abs(expected_force).max()
        np.testing.assert_allclose(
            force, expected_force, atol=4 * tolerances.MESH_RTOL * scale, rtol=0
        )

    def test_no_nodes(self):
        with pytest.raises(ValueError, match="n_mesh: Expected >= 1, got 0"):
            particles.deposit_mesh(np.zeros((3, 2, 2, 2), np.float32), 0)
