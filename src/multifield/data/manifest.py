"""What was ingested: sizes, checksums and ranges of the files, checked once against the rules."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.core.checksums import sha256
from multifield.data.map_files import check_counts, find_file
from multifield.maps.memory import blocks_of, source_name
from multifield.maps.transforms import check_pixels


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FileRecord:
    """One file as it was when it was verified."""

    name: str
    size: int  # [bytes]
    modified: int  # [ns since 1970]; with the size it tells later that the file is still the same
    sha256: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    zeros: int


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """Every verified file of a selection, by field; the parameter table under ``theta``.

    A selection has a manifest of its own, so that fields of different universes never meet in one.
    """

    suite: str
    sim_set: str
    files: dict[str, FileRecord]
    theta_sha256: str  # of the values of the table, float64
    # version of the physics of a mock suite; files of before 2026-11-29 say nothing
    made_by: str = ""

    def __post_init__(self) -> None:
        """Refuse maps of an older version of a mock suite; ValueError says how to make them again."""
        expected = camels.find_suite(self.suite).made_by
        if self.made_by != expected:
            raise ValueError(
                f"maps of {self.suite} {self.sim_set}: expected those of {expected!r}, got those of "
                f"{self.made_by or 'an older version of the mock universes'!r}; run `multifield run "
                "--pipelines ingest,preprocess` to make them again. Networks and studies that were "
                "trained on the old maps do not hold for the new ones"
            )

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
                    f"{', '.join(self.files)}; run `multifield run --pipelines ingest` for it"
                )
        return {name: self.files[name].sha256 for name in names}

    def check_files(self, maps: Mapping[str, Maps]) -> None:
        """Require the files that were verified.

        Raises
        ------
        ValueError
            Naming the file that has another size or date now.
        """
        self.checksums(tuple(maps))
        for field, field_maps in maps.items():
            path, record = Path(source_name(field_maps, field)), self.files[field]
            found = path.stat()
            if (found.st_size, found.st_mtime_ns) != (record.size, record.modified):
                raise ValueError(
                    f"{path}: expected the file that was verified, got one of another date or size; "
                    "run `multifield run --pipelines ingest`"
                )

    def check_theta(self, theta: Theta) -> None:
        """Require the parameters that were verified with the maps; ValueError if they are others."""
        if theta_sha256(theta) != self.theta_sha256:
            raise ValueError(
                f"parameters of {self.suite} {self.sim_set}: expected those that were verified with "
                "the maps, got others; run `multifield run --pipelines ingest`"
            )


def theta_sha256(theta: Theta) -> str:
    """SHA-256 of the values of a parameter table."""
    return hashlib.sha256(np.ascontiguousarray(theta, dtype="<f8").tobytes()).hexdigest()


def verify_suite(
    suite: str,
    sim_set: str,
    maps: Mapping[str, Maps],
    theta: Theta,
    *,
    partial: bool = False,
    table: Path | None = None,
) -> Manifest:
    """Check every pixel and count of the files of a suite, and record what they are.

    Parameters
    ----------
    suite, sim_set : str
    maps : mapping of field to (15 S, L, L) float32
        Memory maps of the files.
    theta : (S, 6) float64
        NaN in the columns of parameters that the table does not give as CMD does.
    partial : bool, optional
        Whether the files may hold fewer simulations than the set has.
    table : Path, optional
        File of the parameters. If not given, that in the folder of the maps.

    Returns
    -------
    manifest : Manifest

    Raises
    ------
    ValueError
        If the set has another number of simulations or size of maps, a parameter lies outside its
        latin hypercube, a field has not 15 maps per row of `theta`, or a pixel is not finite or
        negative. The message names the file, the map and the pixel.
    """
    camels.check_n_simulations(len(theta), suite, sim_set, partial=partial)
    camels.check_ranges(theta, suite, sim_set)
    for field_maps in maps.values():
        camels.check_map_size(field_maps.shape[-1], suite, partial=partial)
    files = {field: _verify_maps(field, field_maps, theta) for field, field_maps in maps.items()}
    shapes = {record.shape for record in files.values()}
    if len(shapes) > 1:
        raise ValueError(f"{suite} {sim_set}: expected fields of one shape, got {sorted(shapes)}")
    if table is None:
        folder = Path(source_name(next(iter(maps.values())), ".")).parent
        table = find_file(folder, camels.theta_names(suite, sim_set))
    files["theta"] = _record(
        table, theta.shape, np.nanmin(theta), np.nanmax(theta), int(np.sum(theta == 0))
    )
    return Manifest(
        suite=suite,
        sim_set=sim_set,
        files=files,
        theta_sha256=theta_sha256(theta),
        made_by=camels.find_suite(suite).made_by,
    )


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
        modified=path.stat().st_mtime_ns,
        sha256=sha256(path),
        shape=shape,
        minimum=float(minimum),
        maximum=float(maximum),
        zeros=int(zeros),
    )
