import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multifield.maps import reference
from tests.kernels.support import FEW, SEEDS, SIDES


def draw(seed, side, n_batch, n_channels):
    """Fields of different lengths, and a batch of them at random."""
    rng = np.random.default_rng(seed)
    fields = [
        rng.normal(11, 0.5, (4 + c, side, side)).astype(np.float32) for c in range(n_channels)
    ]
    index = rng.integers(0, 4, n_batch)
    orientation = rng.integers(0, 8, n_batch)
    shift = rng.integers(-3 * side, 3 * side + 1, (n_batch, 2))
    mean, std = rng.normal(11, 1, n_channels), rng.uniform(0.3, 2, n_channels)
    return fields, index, orientation, shift, mean, std


def gathered(kernels, fields, index, *rest, n_threads=1):
    side = fields[0].shape[1]
    out = np.full((len(index), len(fields), side, side), np.nan, np.float32)
    kernels.gather(fields, index, *rest, out, n_threads)
    return out


def one_map(kernels, pixels, orientation=0, shift=(0, 0)):
    """One map, oriented and shifted, not standardized."""
    arrays = ([0], [orientation], [shift])
    index, orientations, shifts = (np.array(values, np.int64) for values in arrays)
    return gathered(kernels, [pixels[None]], index, orientations, shifts, np.zeros(1), np.ones(1))


class TestGather:
    @FEW
    @given(
        seed=SEEDS,
        side=SIDES,
        n_batch=st.integers(0, 9),
        n_channels=st.integers(1, 3),
        n_threads=st.sampled_from([1, 2, 7]),
    )
    def test_equals_numpy(self, kernels, seed, side, n_batch, n_channels, n_threads):
        batch = draw(seed, side, n_batch, n_channels)
        ours = gathered(kernels, *batch, n_threads=n_threads)
        np.testing.assert_array_equal(ours, gathered(reference, *batch))

    @pytest.mark.parametrize("side", [1, 2, 3, 16, 35])
    @pytest.mark.parametrize("orientation", range(8))
    def test_orientations_are_the_benchmark_copies(self, kernels, side, orientation):
        pixels = np.arange(side**2, dtype=np.float32).reshape(side, side)
        copies = [np.rot90(pixels, k=k) for k in range(4) for _ in range(2)]
        copies = [np.flip(copy, axis=0) if o % 2 else copy for o, copy in enumerate(copies)]
        np.testing.assert_array_equal(
            one_map(kernels, pixels, orientation)[0, 0], copies[orientation]
        )

    def test_orientations_differ(self, kernels):
        pixels = np.arange(9, dtype=np.float32).reshape(3, 3)
        assert len({one_map(kernels, pixels, o).tobytes() for o in range(8)}) == 8

    @pytest.mark.parametrize("shift", [(0, 1), (4, 0), (-7, 13), (2**62, -(2**63))])
    def test_shift_is_np_roll(self, kernels, shift):
        pixels = np.arange(25, dtype=np.float32).reshape(5, 5)
        expected = np.roll(pixels, (shift[0] % 5, shift[1] % 5), (0, 1))
        np.testing.assert_array_equal(one_map(kernels, pixels, 0, shift)[0, 0], expected)

    @FEW
    @given(seed=SEEDS, side=SIDES)
    def test_pixels_are_only_moved(self, kernels, seed, side):
        fields, index, orientation, shift, _, _ = draw(seed, side, 3, 1)
        out = gathered(kernels, fields, index, orientation, shift, np.zeros(1), np.ones(1))
        for ours, i in zip(out, index, strict=True):
            np.testing.assert_array_equal(
                np.sort(ours, axis=None), np.sort(fields[0][i], axis=None)
            )

    def test_a_map_does_not_depend_on_its_batch(self, kernels):
        fields, *per_map, mean, std = draw(1, 18, 6, 2)
        whole = gathered(kernels, fields, *per_map, mean, std)
        for b in range(6):
            alone = (np.ascontiguousarray(values[b : b + 1]) for values in per_map)
            np.testing.assert_array_equal(gathered(kernels, fields, *alone, mean, std)[0], whole[b])

    def test_memory_map(self, kernels, tmp_path):
        fields, *rest = draw(2, 12, 4, 1)
        np.save(tmp_path / "maps.npy", fields[0])
        mapped = np.load(tmp_path / "maps.npy", mmap_mode="r")
        np.testing.assert_array_equal(
            gathered(kernels, [mapped], *rest), gathered(kernels, fields, *rest)
        )
