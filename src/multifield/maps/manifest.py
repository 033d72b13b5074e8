"""What was ingested: sizes, checksums and ranges of the files, checked once against the rules."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.arrays import Maps, Theta
from multifield.maps.files import blocks_of, check_counts, find_file, source_name
from multifield.maps.transforms import check_pixels


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FileRecord:
    """One file as it was when it was verified."""

    name: str
    size: int  # [bytes]
    sha256: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    zeros: int


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """Every verified file of a suite and set, by field; the parameter table under ``theta``."""

    suite: str
    sim_set: str
    files: dict[str, FileRecord]

    def checksums(self, names: tuple[str, ...]) -> dict[str, str]:
        """SHA-256 of the files of these fields.

        Raises
        ------
        ValueError
            Naming the field that was never ingested.
        """
        for name in names:
            if name not in self.files:
                raise ValueError(
                    f"manifest of {self.suite} {self.sim_set}: expected field {name}, got "
                    f"{', '.join(self.files)}; run `kedro run --pipeline ingest` for it"
                )
        return {name: self.files[name].sha256 for name in names}

    def merged_over(self, older: "Manifest") -> "Manifest":
        """Keep the records that `older` has of other fields of the same simulations.

        They are kept only where the parameter table is the same file; otherwise they describe another
        suite's maps.
        """
        if older.files["theta"] != self.files["theta"]:
            return self
        files = {**older.files, **self.files}
        return Manifest(suite=self.suite, sim_set=self.sim_set, files=files)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, read as a stream."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_suite(suite: str, sim_set: str, maps: Mapping[str, Maps], theta: Theta) -> Manifest:
    """Check every pixel and count of the files of a suite, and record what they are.

    Parameters
    ----------
    suite, sim_set : str
    maps : mapping of field to (15 S, L, L) float32
        Memory maps of the files; the parameter table lies in the same folder.
    theta : (S, 6) float64

    Returns
    -------
    manifest : Manifest

    Raises
    ------
    ValueError
        If a field has not 15 maps a row of `theta`, or a pixel is not finite or negative; names the file,
        the map and the pixel.
    """
    files = {field: _verify_maps(field, field_maps, theta) for field, field_maps in maps.items()}
    shapes = {record.shape for record in files.values()}
    if len(shapes) > 1:
        raise ValueError(f"{suite} {sim_set}: expected fields of one shape, got {sorted(shapes)}")
    folder = Path(source_name(next(iter(maps.values())), ".")).parent
    theta_path = find_file(folder, camels.theta_names(suite, sim_set))
    files["theta"] = _record(
        theta_path, theta.shape, theta.min(), theta.max(), int(np.sum(theta == 0))
    )
    return Manifest(suite=suite, sim_set=sim_set, files=files)


def _verify_maps(field: str, maps: Maps, theta: Theta) -> FileRecord:
    check_counts(maps, theta, field)
    source = source_name(maps, field)
    minimum, maximum, zeros = np.inf, -np.inf, 0
    for first, block in blocks_of(maps):
        check_pixels(block, field, source, allow_zero=True, first_map=first)
        lowest = float(block.min())
        minimum, maximum = min(minimum, lowest), max(maximum, float(block.max()))
        zeros += int(np.count_nonzero(block == 0)) if lowest == 0 else 0
    return _record(Path(source), maps.shape, minimum, maximum, zeros)


def _record(
    path: Path, shape: tuple[int, ...], minimum: float, maximum: float, zeros: int
) -> FileRecord:
    return FileRecord(
        name=path.name,
        size=path.stat().st_size,
        sha256=sha256(path),
        shape=shape,
        minimum=float(minimum),
        maximum=float(maximum),
        zeros=int(zeros),
    )
