import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from multifield.maps import reference
from tests.helpers import tolerances
from tests.helpers.kernel_inputs import FEW, SEEDS


def deposited(kernels, displacement, side, refine=1, n_threads=1, n_slabs=5):
    """Mass and mean speed, where the speed of a lattice point is the modulus of its displacement."""
    mass = np.full((3 * n_slabs, side, side), np.nan, np.float32)
    mean_speed = np.full_like(mass, np.nan)
    kernels.deposit_slabs(displacement, moduli(displacement), refine, mass, mean_speed, n_threads)
    return mass, mean_speed


def moduli(displacement):
    return np.sqrt(np.sum(displacement**2, axis=0))


def random_displacement(seed, n, scale=0.05):
    return np.random.default_rng(seed).normal(0, scale, (3, n, n, n)).astype(np.float32)


class TestDepositSlabs:
    @FEW
    @given(
        seed=SEEDS,
        n=st.integers(1, 7),
        refine=st.integers(1, 3),
        side=st.integers(1, 12),
        scale=st.sampled_from([0.02, 0.3, 5.0]),
        n_slabs=st.sampled_from([1, 5, 10]),
    )
    def test_equals_float64(self, kernels, seed, n, refine, side, scale, n_slabs):
        displacement = random_displacement(seed, n, scale)
        ours = deposited(kernels, displacement, side, refine, n_slabs=n_slabs)
        answers = deposited(reference, displacement, side, refine, n_slabs=n_slabs)
        for maps, answer in zip(ours, answers, strict=True):
            np.testing.assert_allclose(maps, answer, rtol=tolerances.DEPOSIT_RTOL)

    def test_mass_is_conserved_along_each_axis(self, kernels):
        mass, _ = deposited(kernels, random_displacement(1, 8), 16, 2)
        means = mass.reshape(3, -1).mean(axis=1, dtype=np.float64)
        np.testing.assert_allclose(means, 1, rtol=tolerances.DEPOSIT_RTOL)

    def test_axes_agree_where_two_slabs_cross(self, kernels):
        # Slab s of axis 0 seen along axis 1 or 2 is the same mass: rows of the other axes' maps.
        mass, _ = deposited(kernels, random_displacement(2, 6), 10, 2)
        total = [mass[axis * 5 : axis * 5 + 5].sum(axis=0) for axis in range(3)]
        np.testing.assert_allclose(
            total[1].sum(axis=1), total[2].sum(axis=1), rtol=tolerances.DEPOSIT_RTOL
        )

    def test_no_displacement_is_uniform(self, kernels):
        mass, speed = deposited(kernels, np.zeros((3, 5, 5, 5), np.float32), 10, 2)
        np.testing.assert_allclose(mass, 1, rtol=tolerances.DEPOSIT_RTOL)
        np.testing.assert_array_equal(speed, 0)

    def test_everything_moves_alike(self, kernels):
        displacement = np.empty((3, 5, 5, 5), np.float32)
        displacement[:] = np.array([3, 0, 4], np.float32).reshape(3, 1, 1, 1)  # whole box sides
        mass, speed = deposited(kernels, displacement, 5, 1)
        np.testing.assert_allclose(mass, 1, rtol=tolerances.DEPOSIT_RTOL)
        np.testing.assert_allclose(speed, 5, rtol=tolerances.DEPOSIT_RTOL)

    def test_one_element_by_hand(self, kernels):
        # The center of the box moves to (0.5, 0.25, 0.125): slab 2 of axis 0, and on 4 x 4 pixels
        # half-way between rows 0 and 1 and at the center of column 0.
        displacement = np.array([0, -0.25, -0.375], np.float32).reshape(3, 1, 1, 1)
        mass, speed = deposited(kernels, displacement, 4)
        expected = np.zeros((5, 4, 4))
        expected[2, :2, 0] = 40  # 5 slabs * 16 pixels, halved
        np.testing.assert_array_equal(mass[:5], expected)
        np.testing.assert_allclose(
            speed[:5],
            np.where(expected > 0, np.hypot(0.25, 0.375), 0),
            rtol=tolerances.ROUNDING_RTOL,
        )

    def test_periodic(self, kernels):
        displacement = random_displacement(3, 5)
        shifted = displacement + np.float32(1)
        np.testing.assert_allclose(
            deposited(kernels, shifted, 8, 2)[0],
            deposited(kernels, displacement, 8, 2)[0],
            atol=tolerances.DEPOSIT_SHIFT_ATOL,
        )

    def test_speed_is_a_mean_by_mass(self, kernels):
        displacement, speed = random_displacement(4, 6), np.full((6, 6, 6), 3, np.float32)
        speed[0] = 5
        mass, mean_speed = np.empty((2, 15, 8, 8), np.float32)
        kernels.deposit_slabs(displacement, speed, 1, mass, mean_speed)
        for axis in range(3):
            slabs = slice(5 * axis, 5 * axis + 5)
            momentum = np.mean(mass[slabs] * mean_speed[slabs], dtype=np.float64)
            np.testing.assert_allclose(momentum, 3 + 2 / 6, rtol=tolerances.DEPOSIT_RTOL)

    def test_elements_stay_with_particles_that_have_crossed(self, kernels):
        """Two of four particles along axis 2 exchange places: refined or not, each is a point."""
        displacement = np.zeros((3, 4, 4, 4), np.float32)
        displacement[2, :, :, 1], displacement[2, :, :, 2] = 0.25, -0.25
        (points, _), (refined, _) = (deposited(kernels, displacement, 32, r) for r in (1, 3))
        # rows of maps of axis 1 are axis 0, columns axis 2: particles 1 and 2 are at 3 / 8 and 5 / 8
        columns = [11, 12, 19, 20]
        np.testing.assert_allclose(
            refined[5:10].sum(axis=(0, 1))[columns],
            points[5:10].sum(axis=(0, 1))[columns],
            rtol=tolerances.DEPOSIT_RTOL,
        )
