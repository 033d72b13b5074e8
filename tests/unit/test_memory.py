import gc
import os
from pathlib import Path

import numpy as np
import pytest

from multifield.maps.files import open_maps, save_maps
from multifield.maps.memory import CACHE_LINE, BatchBuffers, aligned_empty, read_ahead, read_block

BUFFER = (8, 16, 16)


@pytest.fixture
def path(tmp_path, lognormal_maps):
    """A file of 30 maps, and room for eight of them."""
    save_maps(tmp_path / "maps.npy", lognormal_maps[:, :16, :16].copy())
    return tmp_path / "maps.npy"


@pytest.mark.parametrize("shape", [(3, 1, 5, 5), (1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_arrays_begin_with_a_cache_line(shape, dtype):
    arrays = [aligned_empty(shape, dtype) for _ in range(8)]  # one could be aligned by chance
    for array in arrays:
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % CACHE_LINE == 0


@pytest.mark.parametrize("chosen", [slice(0, 8), slice(20, 23), slice(29, 30), slice(5, 5)])
def test_a_block_of_a_file_is_read_into_the_buffer(path, chosen):
    maps, buffer = open_maps(path), np.empty(BUFFER, np.float32)
    read_ahead(maps[chosen])
    block = read_block(maps[chosen], buffer, "maps.npy")
    np.testing.assert_array_equal(block, np.load(path)[chosen])
    assert block.base is buffer


@pytest.mark.parametrize("choose", [lambda m: np.array(m[3:7]), lambda m: m[7:3:-1]])
def test_maps_that_are_no_piece_of_a_file_are_given_back(path, choose):
    maps = choose(open_maps(path))
    assert read_block(maps, np.empty(BUFFER, np.float32), "maps.npy") is maps


def test_a_header_longer_than_a_page_is_left_out(tmp_path, path):
    maps = np.load(path)
    header = (
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': {maps.shape}, }}".ljust(8052) + "\n"
    )
    long = tmp_path / "long.npy"
    magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    long.write_bytes(magic + maps.tobytes())
    block = read_block(open_maps(long)[3:5], np.empty(BUFFER, np.float32), "long.npy")
    np.testing.assert_array_equal(block, maps[3:5])


def test_the_file_that_was_opened_is_read_whatever_has_its_name_now(path):
    maps, expected = open_maps(path), np.load(path)
    save_maps(path, np.zeros_like(expected))  # another file in its place
    block = read_block(maps[2:4], np.empty(BUFFER, np.float32), "maps.npy")
    np.testing.assert_array_equal(block, expected[2:4])


def test_a_file_cut_short_is_an_error(path):
    maps = open_maps(path)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(OSError, match=r"maps\.npy: expected 100 more bytes, got the end"):
        read_block(maps[28:30], np.empty(BUFFER, np.float32), "maps.npy")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux does")
def test_a_file_is_closed_with_its_maps(path):
    def n_open():
        return sum(os.path.realpath(f) == str(path) for f in Path("/proc/self/fd").iterdir())

    maps = open_maps(path)
    piece = maps[3:]
    del maps
    assert n_open() > 0
    assert len(read_block(piece[:2], np.empty(BUFFER, np.float32), "maps.npy")) == 2
    del piece
    gc.collect()
    assert n_open() == 0


def test_buffers_are_lent_again():
    buffers = BatchBuffers(aligned_empty, 2, (3, 4), np.float32)
    with buffers.borrow() as first, buffers.borrow() as second:
        assert len(first) == 2
        assert not np.shares_memory(first[0], second[0])
    with buffers.borrow() as again:
        assert any(again is ring for ring in (first, second))
