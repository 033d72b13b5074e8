import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from multifield.data.map_files import save_maps
from multifield.maps.memory import CACHE_LINE, aligned_empty, open_maps, place_in_file, read_ahead


@pytest.fixture
def path(tmp_path, lognormal_maps):
    """A file of 30 maps."""
    save_maps(tmp_path / "maps.npy", lognormal_maps)
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


def read(place, n_bytes):
    descriptor, offset = place
    return np.frombuffer(os.pread(descriptor, n_bytes, offset), np.float32)


READ_TRUNCATED = """
import os, sys
import numpy as np
from multifield.maps import open_maps
others = [open_maps(sys.argv[2]) for _ in range(3)]
del others[1]
maps = open_maps(sys.argv[1])
os.truncate(sys.argv[1], 4096)
print("truncated", flush=True)
print(np.asarray(maps[-1]).sum())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be truncated there")
def test_a_file_truncated_while_it_is_read_is_named(tmp_path, path):
    cut = tmp_path / "Maps_cut.npy"
    save_maps(cut, np.ones((60, 32, 32), np.float32))
    ended = subprocess.run(
        [sys.executable, "-c", READ_TRUNCATED, cut, path], capture_output=True, text=True
    )
    assert ended.stdout == "truncated\n"
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{cut}: The file was truncated")
    assert len(ended.stderr.splitlines()) == 1


UNDER_A_KERNEL = """
import os, sys
import mapkernels
import numpy as np
from multifield.maps import open_maps
maps = open_maps(sys.argv[1])
out, moments = np.empty(maps.shape, np.float32), np.empty((len(maps), 3))
index = np.arange(len(maps))
batch = index, index % 8, np.zeros((len(maps), 2), np.int64), np.zeros(1), np.ones(1)
os.truncate(sys.argv[1], 4096)
{call}
"""

KERNEL_CALLS = [
    "mapkernels.gaussian_smooth(maps, out, 1.0)",
    "mapkernels.log10(maps, out)",
    "mapkernels.log10p1(maps, out)",
    "mapkernels.remove_monopole(maps, out)",
    "mapkernels.map_moments(maps, moments)",
    "mapkernels.find_invalid(maps, True, 2)",
    "mapkernels.preprocess(maps, out, moments, 1.0, False, False, 2)",
    "mapkernels.gather([maps], *batch, out[:, None], 2)",
]


@pytest.mark.skipif(sys.platform == "win32", reason="a mapped file cannot be truncated there")
@pytest.mark.parametrize("call", KERNEL_CALLS)
def test_a_file_truncated_under_a_kernel_is_named(tmp_path, call):
    cut = tmp_path / "Maps_cut.npy"
    save_maps(cut, np.ones((60, 32, 32), np.float32))
    program = UNDER_A_KERNEL.format(call=call)
    ended = subprocess.run([sys.executable, "-c", program, cut], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{cut}: The file was truncated")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no bus errors")
def test_other_bus_errors_are_left_alone(path):
    program = "import os, sys, signal\nfrom multifield.maps import open_maps\n"
    program += "maps = open_maps(sys.argv[1])\nos.kill(os.getpid(), signal.SIGBUS)\n"
    program += "os.kill(os.getpid(), signal.SIGBUS)\n"  # the first puts back what was there before
    ended = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGBUS
    assert ended.stderr == ""


@pytest.mark.parametrize("chosen", [slice(0, 8), slice(20, 23), slice(29, 30)])
def test_a_slice_of_a_memory_map_is_found_in_its_file(path, chosen):
    maps = open_maps(path)[chosen]
    read_ahead(maps)
    np.testing.assert_array_equal(read(place_in_file(maps), maps.nbytes), maps.ravel())


@pytest.mark.parametrize(
    "choose", [lambda m: np.array(m[3:7]), lambda m: m[7:3:-1], lambda m: m[:, 2:5, 3:6]]
)
def test_other_maps_are_in_no_file(path, choose):
    assert place_in_file(choose(open_maps(path))) is None


def test_a_header_longer_than_a_page_is_left_out(tmp_path, path):
    maps = np.load(path)
    header = (
        f"{{'descr': '<f4', 'fortran_order': False, 'shape': {maps.shape}, }}".ljust(8052) + "\n"
    )
    long = tmp_path / "long.npy"
    magic = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    long.write_bytes(magic + maps.tobytes())
    piece = open_maps(long)[3:5]
    np.testing.assert_array_equal(read(place_in_file(piece), piece.nbytes), maps[3:5].ravel())


def test_the_file_that_was_opened_is_meant_whatever_has_its_name_now(path):
    maps, expected = open_maps(path), np.load(path)
    save_maps(path, np.zeros_like(expected))  # another file in its place
    piece = maps[2:4]
    np.testing.assert_array_equal(read(place_in_file(piece), piece.nbytes), expected[2:4].ravel())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux does")
def test_a_file_is_closed_with_its_maps(path):
    def n_open():
        return sum(os.path.realpath(f) == str(path) for f in Path("/proc/self/fd").iterdir())

    maps = open_maps(path)
    piece = maps[3:]
    del maps
    assert place_in_file(piece)[0] >= 0
    assert n_open() > 0
    del piece
    gc.collect()
    assert n_open() == 0
