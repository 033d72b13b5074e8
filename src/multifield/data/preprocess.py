"""Preprocessing of raw maps to log maps and their moments, in one streaming pass per field."""

import json
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float32, UInt64

from multifield import camels
from multifield.config.data import PreprocessingConfig
from multifield.core.arrays import Digests, Index, Maps, Moments, StoredMaps
from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import join_digests, map_digests, sha256
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.data.fills import NONE, Fills, check_and_fill, read_mask_of
from multifield.data.manifest import Manifest
from multifield.data.map_files import write_header
from multifield.data.stored import ArrayMaps, Encoding
from multifield.maps.cutouts import smooth_cutouts
from multifield.maps.instrument import observe
from multifield.maps.memory import aligned_empty, open_maps, read_ahead, source_name
from multifield.maps.transforms import check_pixels, map_moments, preprocess_block

_one_writer = threading.Lock()  # lock of a file whose position is shared by threads
BLOCK_BYTES = 2 * 2**20  # 8 CMD maps, which are still in cache when they are written
CHUNK_BYTES = 64 * 2**20  # between two updates of the progress bar, if nothing is written
FLUSH_BYTES = 32 * 2**20  # flushed while the next maps are computed; else all is flushed at the end


@plain_dataclass(frozen=True)
class LogMaps:
    """Preprocessed maps of one field.

    Attributes
    ----------
    maps : (N, L, L) float32 or float16
        log10(x) or log10(1 + x) of the smoothed maps, as an array or a memory map. Values in 16
        bits are encoded, and `read` decodes them.
    moments : (N, 3) float64
        Count, mean and M2 of every map in float32, from which the statistics of any selection
        follow.
    provenance : mapping of str to str
        Settings that determine the maps: field, transform, width, monopole, type and SHA-256 of the
        raw file.
    encoding : Encoding or None
        Encoding of maps in 16 bits.
    digests : (N,) uint64, or None
        Digests of the stored values of each map. None for maps that are not in a file.
    """

    maps: StoredMaps
    moments: Moments
    provenance: Mapping[str, str]
    encoding: Encoding | None = None
    digests: Digests | None = None

    def read(self, chosen: slice | Index) -> Maps:
        """Read some of the log maps.

        Parameters
        ----------
        chosen : slice or (M,) int64
            Numbers of the maps.

        Returns
        -------
        maps : (M, L, L) float32
            Log maps in [dex].
        """
        maps: StoredMaps = self.maps[chosen]
        return maps if self.encoding is None else self.encoding.decode(maps)

    @property
    def periodic(self) -> bool:
        """Whether the maps are whole periodic maps, not cut-outs."""
        return "cutout" not in self.provenance

    @property
    def share(self) -> float:
        """Side of a map in units of the side of the box; below 1 for cut-outs."""
        if self.periodic:
            return 1.0
        pixels, _, whole, _ = self.provenance["cutout"].split()
        return int(pixels) / int(whole)

    @property
    def floor(self) -> float | None:
        """Value of pixels that were zero. None if there was no floor."""
        return float(self.provenance["floor"]) if "floor" in self.provenance else None

    @property
    def channel(self) -> ArrayMaps:
        """Log maps as a channel of a `MapLoader`."""
        return ArrayMaps(self.maps, self.encoding)


@plain_dataclass(frozen=True)
class Preprocessing:
    """Log maps of one field that are not computed yet.

    Attributes
    ----------
    raw : (N, L, L) float32
        Raw maps. A memory map may be larger than memory.
    field : str
        Name of the field, which determines the logarithm.
    config : PreprocessingConfig
        Settings of the preprocessing.
    raw_sha256 : str
        SHA-256 of the raw file.
    raw_digest : str
        Digest of the raw maps, from their manifest. If empty, it is not compared.
    floor : float or None
        Value of zero pixels. None keeps them.
    """

    raw: Maps
    field: str
    config: PreprocessingConfig
    raw_sha256: str
    raw_digest: str = ""
    floor: float | None = None

    @property
    def provenance(self) -> dict[str, str]:
        """Settings that determine the log maps."""
        return {
            "field": self.field,
            "transform": camels.FIELDS[self.field].transform,
            "smoothing_width": f"{self.config.smoothing_width:g}",
            "remove_monopole": str(self.config.remove_monopole),
            "kept_as": "float16" if self.config.compact else "float32",
            "raw_sha256": self.raw_sha256,
        } | self._of_pixels

    @property
    def _of_pixels(self) -> dict[str, str]:
        # absent for whole maps, so that studies of earlier versions keep their fingerprint
        found, whole = {}, self.raw.shape[-1]
        if self.config.cutout:
            found["cutout"] = f"{self.config.pixels(whole)} of {whole} pixels"
        if self.config.mask_file is not None:
            found["mask"] = sha256(self.config.mask_file)
        if self.floor is not None:
            found["floor"] = repr(self.floor)
        if self.config.noise or self.config.beam:
            found["noise"], found["beam"] = f"{self.config.noise:g}", f"{self.config.beam:g}"
        return found

    def write(self, path: Path) -> None:
        """Write the log maps to a file and their moments beside it, atomically.

        Parameters
        ----------
        path : Path
            File of the log maps. It is unchanged if an error is raised.

        Raises
        ------
        ValueError
            If a pixel is negative or not finite, or the argument of a logarithm is zero. The
            message names the raw file, the map and the pixel. Also if the raw maps have changed
            since they were verified.
        """
        fills = Fills(read_mask_of(self.config, self.raw.shape[-1]), self.floor)
        moments = np.empty((len(self.raw), 3))
        digests = np.empty((2, len(self.raw)), np.uint64)
        with atomic_path(moments_path(path)) as moments_partial, atomic_path(path) as partial:
            encoding = None
            if self.config.compact:
                # faster than writing float32 maps and reading them back
                encoding = Encoding.of(
                    moments_of_log_maps(self.raw, self.field, self.config, fills)
                )
            with partial.open("wb") as file:
                size = self.config.pixels(self.raw.shape[-1])
                shape = (len(self.raw), size, size)
                write_header(file, shape, np.float16 if encoding else np.float32)
                file.flush()
                _preprocess_to_file(
                    self.raw, self.field, self.config, fills, moments, digests, file, encoding
                )
            if self.raw_digest not in ("", join_digests(digests[0])):
                raise ValueError(
                    f"{source_name(self.raw, self.field)}: Expected the maps that were verified, "
                    "got other values. Run `multifield run --pipelines ingest`."
                )
            with moments_partial.open("wb") as file:
                provenance = np.array(json.dumps(self.provenance))
                how: dict[str, Any] = {"encoding": np.array(encoding)} if encoding else {}
                np.savez(file, moments=moments, digests=digests[1], provenance=provenance, **how)


def prepare(
    maps: Mapping[str, Maps],
    manifest: Manifest,
    config: PreprocessingConfig,
    floors: Mapping[str, float],
) -> dict[str, Preprocessing]:
    """Check that raw files are those of a manifest, and describe their log maps.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Memory maps of the raw files.
    manifest : Manifest
        Their manifest.
    config : PreprocessingConfig
        Settings of the preprocessing.
    floors : mapping of field to float
        Values of zero pixels; see `multifield.data.fills.find_floors`.

    Returns
    -------
    log_maps : dict of field to Preprocessing
        Log maps that are not computed yet.

    Raises
    ------
    ValueError
        If a file has changed since it was verified.
    """
    manifest.check_files(maps)
    checksums = manifest.checksums(tuple(maps))
    return {
        field: Preprocessing(
            raw, field, config, checksums[field], manifest.files[field].digest, floors.get(field)
        )
        for field, raw in maps.items()
    }


def moments_of_log_maps(
    raw: Maps, field: str, config: PreprocessingConfig, fills: Fills = NONE
) -> Moments:
    """Return count, mean and M2 of every log map, without storing the log maps.

    Parameters
    ----------
    raw : (N, L, L) float32
        Raw maps. A memory map may be larger than memory.
    field : str
        Name of the field, which determines the logarithm.
    config : PreprocessingConfig
        Settings of the preprocessing.
    fills : Fills, optional
        Values of pixels without data.

    Returns
    -------
    moments : (N, 3) float64
        Moments that are bitwise identical to those of `Preprocessing.write`.

    Raises
    ------
    ValueError
        If a pixel is invalid, as in `Preprocessing.write`.
    """
    moments = np.empty((len(raw), 3))
    n_block = max(1, CHUNK_BYTES // max(1, raw[0].nbytes))
    n_threads = available_threads(config.n_threads)
    with progress(f"preprocess {field}", len(raw), "maps") as advance:
        for first in range(0, len(raw), n_block):
            read_ahead(raw[first + n_block :][:n_block])
            chunk = slice(first, first + n_block)
            _preprocess_block(raw, chunk, None, moments, field, config, fills, n_threads)
            advance(len(raw[chunk]))
    return moments


def compute_log_maps(
    raw: Maps, block: slice, field: str, config: PreprocessingConfig, fills: Fills = NONE
) -> Float32[np.ndarray, "M K K"]:
    """Compute the log maps of a block of raw maps in memory.

    Parameters
    ----------
    raw : (N, L, L) float32
        Raw maps.
    block : slice
        First and last number of the maps of the block.
    field : str
        Name of the field, which determines the logarithm.
    config : PreprocessingConfig
        Settings of the preprocessing.
    fills : Fills, optional
        Values of pixels without data.

    Returns
    -------
    log_maps : (M, K, K) float32
        Log maps of K pixels per side, bitwise identical to those of `Preprocessing.write`.
    """
    n_maps, size = len(raw[block]), config.pixels(raw.shape[-1])
    log_maps = np.empty((n_maps, size, size), np.float32)
    moments = np.empty((len(raw), 3))
    n_threads = available_threads(config.n_threads)
    _preprocess_block(raw, block, log_maps, moments, field, config, fills, n_threads)
    return log_maps


def _preprocess_to_file(
    raw: Maps,
    field: str,
    config: PreprocessingConfig,
    fills: Fills,
    moments: Moments,
    digests: UInt64[np.ndarray, "2 N"],
    file: BinaryIO,
    encoding: Encoding | None,
) -> None:
    """Fill moments and digests (of raw and log maps), and append the log maps to the file.

    Each thread computes a block and writes it from its own cache. There is one more thread than
    cores, so that no core is idle while a thread waits for the disk.
    """
    n_block = max(1, BLOCK_BYTES // max(1, raw[0].nbytes))
    n_threads = available_threads(config.n_threads) + 1
    begin = file.tell()
    size = config.pixels(raw.shape[-1])
    n_bytes = size**2 * (2 if encoding else 4)  # per map in the file

    def preprocess(first: int) -> int:
        block = slice(first, first + n_block)
        read_ahead(raw[first + n_threads * n_block :][:n_block])
        out = aligned_empty((len(raw[block]), size, size), np.float32)
        _preprocess_block(raw, block, out, moments, field, config, fills, n_threads=1)
        kept = encoding.encode(out) if encoding else out
        digests[:, block] = map_digests(raw[block]), map_digests(kept)
        _write_block(file, kept, begin + first * n_bytes)
        return len(out)

    with (
        progress(f"preprocess {field}", len(raw), "maps") as advance,
        ThreadPoolExecutor(n_threads) as pool,
    ):
        # in order, so that the first invalid pixel is named and later blocks are cancelled
        n_unflushed = 0
        for n_done in pool.map(preprocess, range(0, len(raw), n_block)):
            advance(n_done)
            n_unflushed += n_done * n_bytes
            if n_unflushed >= FLUSH_BYTES:
                os.fsync(file.fileno())
                n_unflushed = 0


def _preprocess_block(
    raw: Maps,
    block: slice,
    out: Float32[np.ndarray, "M K K"] | None,
    moments: Moments,
    field: str,
    config: PreprocessingConfig,
    fills: Fills,
    n_threads: int,
) -> None:
    maps, width = raw[block], config.smoothing_width
    if config.noise or config.beam:
        # the sky behind a mask enters the beam, so its pixels are checked too
        check_pixels(maps, field, allow_zero=True, first_map=block.start, n_threads=n_threads)
        maps = observe(
            maps,
            range(block.start, block.start + len(maps)),
            field,
            noise=config.noise,
            beam=config.beam,
            periodic=config.cutout != maps.shape[-1],
        )
    if config.cutout or not fills.are_none:
        size = config.pixels(maps.shape[-1])
        maps = check_and_fill(maps, field, size, fills, block.start, n_threads)
    if config.cutout:
        maps, width = smooth_cutouts(maps, width, n_threads=n_threads), 0.0
    preprocess_block(
        maps,
        out,
        moments[block],
        field=field,
        width=width,
        without_monopole=config.remove_monopole,
        n_threads=n_threads,
        first_map=block.start,
    )


def _write_block(file: BinaryIO, block: StoredMaps, offset: int) -> None:
    """Write a block at its offset in the file, while other threads write other blocks."""
    rest = block.view(np.uint8).data.cast("B")
    if not hasattr(os, "pwrite"):  # Windows
        with _one_writer:
            file.seek(offset)
            file.write(rest)
        return
    while rest:
        rest = rest[os.pwrite(file.fileno(), rest, offset + block.nbytes - len(rest)) :]


def moments_path(path: Path) -> Path:
    """Return the path of the moments and provenance of a file of log maps."""
    return path.with_suffix(".moments.npz")


def open_log_maps(path: Path) -> LogMaps:
    """Open log maps that were written by `Preprocessing.write`.

    Parameters
    ----------
    path : Path
        File of the log maps.

    Returns
    -------
    log_maps : LogMaps
        Memory map, moments and provenance.

    Raises
    ------
    FileNotFoundError
        If the maps or their moments do not exist.
    ValueError
        If the moments do not match the maps.
    """
    if not moments_path(path).is_file():
        raise FileNotFoundError(
            f"{moments_path(path)}: Expected the moments of log maps, got none. "
            "Run `multifield run --pipelines preprocess`."
        )
    with np.load(moments_path(path), allow_pickle=False) as archive:
        if "digests" not in archive:
            raise ValueError(
                f"{moments_path(path)}: Expected digests of the log maps, got a file of an older "
                "version. Run `multifield run --pipelines preprocess`."
            )
        moments, provenance = archive["moments"], json.loads(str(archive["provenance"]))
        digests = archive["digests"]
        encoding = Encoding(*archive["encoding"].tolist()) if "encoding" in archive else None
    maps = open_maps(path, np.float16 if encoding else np.float32)
    # A kill between the renames of the two files leaves moments of other maps. The tolerance is
    # absolute too: the mean of a map without its monopole is 0 within rounding, which depends on
    # the instruction set.
    log_maps = LogMaps(maps, moments, provenance, encoding, digests)
    tolerance = 1e-3 if encoding else 1e-9
    found = map_moments(log_maps.read(np.array([0, -1])))
    if moments.shape != (len(maps), 3) or not np.allclose(
        found, moments[[0, -1]], rtol=tolerance, atol=tolerance
    ):
        raise ValueError(
            f"{moments_path(path)}: Expected the moments of {path.name}, got those of other maps. "
            "Run `multifield run --pipelines preprocess`."
        )
    return log_maps


def check_current(log_maps: Mapping[str, LogMaps], checksums: Mapping[str, str]) -> None:
    """Check that log maps were computed from the current raw files, and have not changed since.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        Log maps of each field.
    checksums : mapping of field to str
        SHA-256 of the raw files, from the manifest.

    Raises
    ------
    ValueError
        If a checksum or the digest of a map differs.
    """
    for field, entry in log_maps.items():
        made_from = entry.provenance["raw_sha256"]
        if made_from != checksums[field]:
            raise ValueError(
                f"{source_name(entry.maps, field)}: Expected log maps of the raw file with SHA-256 "
                f"{checksums[field][:12]}..., got those of {made_from[:12]}... "
                "Run `multifield run --pipelines preprocess`."
            )
        _check_digests(entry, field)


def _check_digests(log_maps: LogMaps, field: str) -> None:
    """Compare the digest of every map with the one of the pass that wrote it."""
    maps, expected = log_maps.maps, log_maps.digests
    if expected is None:
        return
    n_block = max(1, BLOCK_BYTES // maps[0].nbytes)

    def find_changed(first: int) -> Index:
        block = slice(first, first + n_block)
        return first + np.flatnonzero(map_digests(maps[block]) != expected[block])

    with ThreadPoolExecutor(available_threads(0)) as pool:
        for changed in pool.map(find_changed, range(0, len(maps), n_block)):
            if len(changed):
                raise ValueError(
                    f"{source_name(maps, field)}: Map {changed[0]} has changed since it was "
                    "written. Run `multifield run --pipelines preprocess`."
                )
