"""Manifest of ingested files: sizes, checksums and ranges, verified once."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.core.arrays import Maps, Theta
from multifield.core.checksums import join_digests, map_digests, sha256
from multifield.data.map_files import check_counts, find_file
from multifield.maps.memory import blocks_of, source_name
from multifield.maps.transforms import check_pixels


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FileRecord:
    """Properties of a file when it was verified.

    Attributes
    ----------
    name : str
        Name of the file.
    size : int
        Size in [bytes].
    modified : int
        Modification time in [ns since 1970]. A file with the same size and time counts as
        unchanged.
    sha256 : str
        SHA-256 of the content.
    shape : tuple of int
        Shape of the array in the file.
    minimum, maximum : float
        Smallest and largest value.
    zeros : int
        Number of values that are 0.
    digest : str
        Digest of the maps, which `Preprocessing.write` compares. Empty for parameter tables.
    """

    name: str
    size: int
    modified: int
    sha256: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    zeros: int
    digest: str = ""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Manifest:
    """Verified files of a selection of fields.

    Each selection has its own manifest, so that fields of different universes are never mixed.

    Attributes
    ----------
    suite, sim_set : str
        Names of the suite and of the set.
    files : dict of field to FileRecord
        Map files by field, and the parameter table under ``theta``.
    theta_sha256 : str
        SHA-256 of the values of the parameter table, as float64.
    made_by : str, optional
        Version of the physics of a mock suite. Empty for other suites.
    """

    suite: str
    sim_set: str
    files: dict[str, FileRecord]
    theta_sha256: str
    made_by: str = ""

    def __post_init__(self) -> None:
        """Reject maps of another version of a mock suite."""
        expected = camels.find_suite(self.suite).made_by
        if self.made_by != expected:
            raise ValueError(
                f"maps of {self.suite} {self.sim_set}: Expected version {expected}, got "
                f"{self.made_by or 'an older version'}. Run `multifield run --pipelines "
                "ingest,preprocess` to make them again. Networks and studies that were trained on "
                "the old maps are not valid for the new ones."
            )

    def side(self, n_pixels: int) -> float:
        """Return the side of maps or cut-outs of the files.

        Parameters
        ----------
        n_pixels : int
            Pixels per side of the map or cut-out.

        Returns
        -------
        side : float
            Side [Mpc/h].
        """
        box = camels.find_set(self.sim_set, self.suite).box
        (whole,) = {record.shape[-1] for name, record in self.files.items() if name != "theta"}
        return box * n_pixels / whole

    def checksums(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the SHA-256 of the files of some fields.

        Parameters
        ----------
        names : tuple of str
            Names of the fields.

        Returns
        -------
        checksums : dict of str to str
            SHA-256 of each file by field.

        Raises
        ------
        ValueError
            If a field was never ingested.
        """
        for name in names:
            if name not in self.files:
                raise ValueError(
                    f"manifest of {self.suite} {self.sim_set}: Expected field {name}, got "
                    f"{', '.join(self.files)}. Run `multifield run --pipelines ingest` for it."
                )
        return {name: self.files[name].sha256 for name in names}

    def check_files(self, maps: Mapping[str, Maps]) -> None:
        """Check that map files are unchanged since they were verified.

        Parameters
        ----------
        maps : mapping of field to (N, L, L) float32
            Memory maps of the files.

        Raises
        ------
        ValueError
            If the size or modification time of a file has changed.
        """
        self.checksums(tuple(maps))
        for field, field_maps in maps.items():
            path, record = Path(source_name(field_maps, field)), self.files[field]
            found = path.stat()
            if (found.st_size, found.st_mtime_ns) != (record.size, record.modified):
                raise ValueError(
                    f"{path}: Expected the file that was verified, got another size or date. "
                    "Run `multifield run --pipelines ingest`."
                )

    def check_theta(self, theta: Theta) -> None:
        """Check that parameters are those that were verified with the maps.

        Parameters
        ----------
        theta : (S, P) float64
            Parameters of the simulations.

        Raises
        ------
        ValueError
            If a parameter differs.
        """
        if theta_sha256(theta) != self.theta_sha256:
            raise ValueError(
                f"parameters of {self.suite} {self.sim_set}: Expected the values that were "
                "verified with the maps, got others. Run `multifield run --pipelines ingest`."
            )


def theta_sha256(theta: Theta) -> str:
    """Return the SHA-256 of the values of a parameter table, (S, P)."""
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
    """Check every pixel and count of the files of a suite, and record their properties.

    Parameters
    ----------
    suite, sim_set : str
        Names of the suite and of the set.
    maps : mapping of field to (15 S, L, L) float32
        Memory maps of the files.
    theta : (S, 6) float64
        Parameters of the simulations. NaN for parameters that the table does not give in CMD's
        units.
    partial : bool, optional
        Whether the files may contain fewer simulations than the set.
    table : Path, optional
        File of the parameters, by default the one in the folder of the maps.

    Returns
    -------
    manifest : Manifest
        Properties of the files.

    Raises
    ------
    ValueError
        If the number of simulations or the map size is wrong, a parameter is outside its latin
        hypercube, a field does not have the set's number of maps per row of `theta`, or a pixel is
        negative or not finite. The message names the file, the map and the pixel.
    """
    camels.check_n_simulations(len(theta), suite, sim_set, partial=partial)
    camels.check_ranges(theta, suite, sim_set)
    for field_maps in maps.values():
        camels.check_map_size(field_maps.shape[-1], suite, sim_set, partial=partial)
    files = {
        field: _verify_maps(field, field_maps, theta, suite, sim_set)
        for field, field_maps in maps.items()
    }
    shapes = {record.shape for record in files.values()}
    if len(shapes) > 1:
        raise ValueError(f"{suite} {sim_set}: Expected fields of one shape, got {sorted(shapes)}.")
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


def _verify_maps(field: str, maps: Maps, theta: Theta, suite: str, sim_set: str) -> FileRecord:
    check_counts(maps, theta, field, camels.find_set(sim_set, suite).maps_per_simulation)
    source = source_name(maps, field)
    minimum, maximum, zeros = np.inf, -np.inf, 0
    digests = []
    for first, block in blocks_of(maps):
        check_pixels(block, field, allow_zero=True, first_map=first)
        lowest = float(block.min())
        minimum, maximum = min(minimum, lowest), max(maximum, float(block.max()))
        zeros += int(np.count_nonzero(block == 0)) if lowest == 0 else 0
        digests.append(map_digests(block))
    digest = join_digests(np.concatenate(digests))
    return _record(Path(source), maps.shape, minimum, maximum, zeros, digest)


def _record(
    path: Path,
    shape: tuple[int, ...],
    minimum: float,
    maximum: float,
    zeros: int,
    digest: str = "",
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
        digest=digest,
    )
