import struct
from pathlib import Path

import numpy as np
import pytest

from multifield.core.atomic_files import atomic_path
from multifield.data.map_files import (
    check_counts,
    find_file,
    save_maps,
    write_map_files,
)
from multifield.maps.memory import open_maps


class Stream:
    """A stream of one field in blocks of one simulation."""

    def __init__(self, maps: np.ndarray, announced: int | None = None) -> None:
        self.maps = maps
        self.shapes = {"Mtot": (announced or len(maps), *maps.shape[1:])}
        self.origin = {"sum": str(maps.sum())}

    def of_fields(self, fields: tuple[str, ...]) -> "Stream":
        return self

    def __iter__(self):
        for first in range(0, len(self.maps), 15):
            yield {"Mtot": self.maps[first : first + 15]}


class FullDisk(Stream):
    """Fails as a full disk does, in the middle."""

    def __iter__(self):
        yield {"Mtot": self.maps[:15]}
        raise OSError(28, "No space left on device")


def test_maps_are_memory_mapped_and_equal(tmp_path, lognormal_maps):
    save_maps(tmp_path / "maps.npy", lognormal_maps)
    maps = open_maps(tmp_path / "maps.npy")
    assert isinstance(maps, np.memmap)
    assert not maps.flags.writeable
    np.testing.assert_array_equal(maps, lognormal_maps)


def test_a_stream_gives_the_bytes_numpy_would(tmp_path, lognormal_maps):
    write_map_files({"Mtot": tmp_path / "a.npy"}, Stream(lognormal_maps))
    np.save(tmp_path / "b.npy", lognormal_maps)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert (tmp_path / "a.npy").stat().st_size == lognormal_maps.nbytes + 128  # as CMD's files


@pytest.mark.parametrize("cut", [1, 128, 4000])
def test_truncated(tmp_path, lognormal_maps, cut):
    path = tmp_path / "Maps_Mtot_SIMBA_LH_z=0.00.npy"
    save_maps(path, lognormal_maps)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"Maps_Mtot.*Expected 30848 bytes.*truncated"):
        open_maps(path)


def test_bytes_too_many(tmp_path, lognormal_maps):
    path = tmp_path / "maps.npy"
    save_maps(path, lognormal_maps)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="too many bytes"):
        open_maps(path)


@pytest.mark.parametrize(
    ("maps", "error", "message"),
    [
        (np.ones((15, 8, 8)), TypeError, "Expected float32 maps, got <f8"),
        (np.ones((15, 8, 8), ">f4"), TypeError, "Expected float32 maps, got >f4"),
        (np.ones((15, 8, 9), np.float32), ValueError, r"\(N, L, L\), got \(15, 8, 9\)"),
        (np.ones((8, 8), np.float32), ValueError, r"\(N, L, L\), got \(8, 8\)"),
        (np.ones((0, 8, 8), np.float32), ValueError, "at least one map"),
        (np.asfortranarray(np.ones((15, 8, 8), np.float32)), ValueError, "C order"),
    ],
)
def test_wrong_contents(tmp_path, maps, error, message):
    np.save(tmp_path / "maps.npy", maps)
    with pytest.raises(error, match=message):
        open_maps(tmp_path / "maps.npy")


def test_not_npy(tmp_path):
    (tmp_path / "maps.npy").write_text("<html>404</html>")
    with pytest.raises(ValueError, match=r"maps\.npy: Expected a \.npy file"):
        open_maps(tmp_path / "maps.npy")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 64, 64)}", "got \\(-1, 64, 64\\)"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 64, 64)}", "got a header with"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 0, 0)}", "got \\(9, 0, 0\\)"),
        # 2^64 pixels: no number of 64 bits
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2**31, 2**31)}", "malformed"),
        (
            f"{{'descr': '<f4', 'fortran_order': False, 'shape': (4, {2**31}, {2**31})}}",
            "Expected 737869762948382\\d+ bytes",
        ),
        ("(" * 3000 + ")" * 3000, "another format"),
        ("[1, 2]", "not a dictionary"),
    ],
)
def test_a_hostile_header_is_refused_in_one_line(tmp_path, header, message):
    text = header.encode() + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    (tmp_path / "maps.npy").write_bytes(content)
    with pytest.raises(ValueError, match=rf"maps\.npy: .*{message}") as caught:
        open_maps(tmp_path / "maps.npy")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_third_version_of_the_format_is_read(tmp_path, lognormal_maps):
    with (tmp_path / "maps.npy").open("wb") as file:
        np.lib.format.write_array(file, lognormal_maps, version=(3, 0))
    np.testing.assert_array_equal(open_maps(tmp_path / "maps.npy"), lognormal_maps)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"maps\.npy"):
        open_maps(tmp_path / "maps.npy")
    with pytest.raises(FileNotFoundError, match=r"a\.npy or b\.npy"):
        find_file(tmp_path, ("a.npy", "b.npy"))


@pytest.mark.parametrize("stream", [FullDisk, lambda maps: Stream(maps, announced=45)])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path, lognormal_maps, stream):
    path = tmp_path / "maps.npy"
    path.write_bytes(b"old")
    with pytest.raises((OSError, ValueError), match=r"No space left|Expected 45 maps, got 30"):
        write_map_files({"Mtot": path}, stream(lognormal_maps))
    assert [p.name for p in tmp_path.iterdir()] == ["maps.npy"]
    assert path.read_bytes() == b"old"


def test_atomic_path_survives_an_interrupt(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as partial:  # noqa: PT012
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_fifteen_maps_a_row(lognormal_maps):
    check_counts(lognormal_maps, np.ones((2, 6)), "Mtot")
    with pytest.raises(ValueError, match=r"Mtot: Expected 45 maps .* 3 rows .* got 30"):
        check_counts(lognormal_maps, np.ones((3, 6)), "Mtot")
