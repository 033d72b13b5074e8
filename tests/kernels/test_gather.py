import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multifield.maps import reference
from tests.helpers.kernel_inputs import FEW, SEEDS, SIDES


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


def gathered_aligned(kernels, fields, index, *rest, n_threads=1, offset=0):
    """Into an array that begins `offset` bytes behind a cache line."""
    side = fields[0].shape[1]
    n_floats = len(index) * len(fields) * side**2
    memory = np.empty(4 * n_floats + 128, np.uint8)
    begin = -memory.ctypes.data % 64 + offset
    out = memory[begin : begin + 4 * n_floats].view(np.float32)
    out = out.reshape(len(index), len(fields), side, side)
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


DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}


def converted(kernels, pixels, from_dtype, to_dtype):
    """Maps (N, L, L) gathered as they are, from one type of pixel into another."""
    n_maps, side, _ = pixels.shape
    out = np.empty((n_maps, 1, side, side), DTYPES[to_dtype])
    zeros = np.zeros(n_maps, np.int64)
    arguments = ([pixels], np.arange(n_maps), zeros, np.stack([zeros, zeros], 1))
    with np.errstate(invalid="ignore"):  # NumPy warns of signalling NaN
        kernels.gather(*arguments, np.zeros(1), np.ones(1), out, 1, from_dtype, to_dtype)
    return out[:, 0]


def any_floats(side):
    """Every kind of float32: normal, denormal, infinite, NaN, of both signs; and ties of float16."""
    rng = np.random.default_rng(12)
    bits = rng.integers(0, 2**32, (4, side, side), np.uint32)
    bits[1] = (bits[1] & 0x8FFFFFFF) + 0x30000000  # about the range of float16
    bits[2] = bits[1] & 0xFFFFF000  # half of them ties
    bits[3] = bits[0] & 0xFFFF8000  # ties of bfloat16
    return bits.view(np.float32)


class TestPixelTypes:
    @pytest.mark.parametrize("side", [5, 256])
    def test_every_float16(self, kernels, side):
        halves = np.resize(np.arange(2**16, dtype=np.uint16).view(np.float16), (side, side))[None]
        ours = converted(kernels, halves, "float16", "float32")
        np.testing.assert_array_equal(ours, halves.astype(np.float32))
        np.testing.assert_array_equal(np.signbit(ours), np.signbit(halves))

    def test_every_bfloat16(self, kernels):
        bits = np.arange(2**16, dtype=np.uint16).reshape(1, 256, 256)
        answer = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
        ours = converted(kernels, bits, "bfloat16", "float32")
        np.testing.assert_array_equal(ours, answer)
        np.testing.assert_array_equal(np.signbit(ours), np.signbit(answer))

    @pytest.mark.parametrize("side", [5, 200])
    def test_rounded_to_float16(self, kernels, side):
        floats = any_floats(side)
        with np.errstate(over="ignore"):
            answer = floats.astype(np.float16)
        np.testing.assert_array_equal(converted(kernels, floats, "float32", "float16"), answer)

    @pytest.mark.parametrize("side", [5, 200])
    def test_rounded_to_bfloat16(self, kernels, side):
        floats = any_floats(side)
        ours = converted(kernels, floats, "float32", "bfloat16")
        np.testing.assert_array_equal(
            torch.from_numpy(ours).view(torch.bfloat16).float().numpy(),
            torch.from_numpy(floats).bfloat16().float().numpy(),
        )

    @pytest.mark.parametrize("field_dtype", DTYPES)
    @pytest.mark.parametrize("out_dtype", DTYPES)
    @FEW
    @given(seed=SEEDS, side=SIDES)
    def test_any_batch(self, kernels, field_dtype, out_dtype, seed, side):
        fields, *rest = draw(seed, side, 5, 2)
        fields = [reference.from_float32(maps, field_dtype) for maps in fields]
        ours, answer = np.empty((2, 5, 2, side, side), DTYPES[out_dtype])
        kernels.gather(fields, *rest, ours, 2, field_dtype, out_dtype)
        reference.gather(fields, *rest, answer, 1, field_dtype, out_dtype)
        np.testing.assert_array_equal(ours, answer)

    @pytest.mark.parametrize("offset", [0, 16])
    @pytest.mark.parametrize("side", [250, 256])
    def test_larger_than_the_caches(self, kernels, side, offset):
        """Written past them: 36 maps of 256 pixels are 9 MB. Whole lines at a time, if they are aligned."""
        fields, index, orientation, shift, mean, std = draw(3, side, 36, 1)
        orientation[:] = np.arange(36) % 8
        shift[:16] = 0  # every orientation also with no band that wraps
        arrays = (index, orientation, shift, mean, std)
        out = gathered_aligned(kernels, fields, *arrays, n_threads=2, offset=offset)
        for b in range(36):
            each = (a[b : b + 1] for a in (index, orientation, shift))
            np.testing.assert_array_equal(
                out[b : b + 1], gathered(reference, fields, *each, mean, std)
            )
