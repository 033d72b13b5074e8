"""Raw maps to log maps, in one streaming pass a field, with the moments of every map beside them."""

import json
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float32

from multifield import camels
from multifield.config.data import PreprocessingConfig
from multifield.core.arrays import Index, Maps, Moments, StoredMaps
from multifield.core.atomic_files import atomic_path
from multifield.core.progress import progress
from multifield.core.threads import available_threads
from multifield.data.compact import Encoding
from multifield.data.map_files import write_header
from multifield.data.streamed import StreamedMaps
from multifield.maps.memory import aligned_empty, open_maps, read_ahead, source_name
from multifield.maps.transforms import map_moments, preprocess_block

_one_writer = threading.Lock()  # of a file whose position threads share
BLOCK_BYTES = 2 * 2**20  # 8 CMD maps: what was computed is still in cache when it is written
CHUNK_BYTES = 64 * 2**20  # between two signs of progress, where nothing is written
FLUSH_BYTES = 32 * 2**20  # brought to disk while the next are computed; else all waits for the end


@plain_dataclass(frozen=True)
class LogMaps:
    """Preprocessed maps of one field.

    Attributes
    ----------
    maps : (N, L, L) float32 or float16, or StreamedMaps
        log10, or log10(1 + x), of the smoothed maps; a memory map when it comes from disk. In 16 bits they
        are numbers that `encoding` turns into log maps: `read` does. Or those that are made when read.
    moments : (N, 3) float64
        Count, mean and M2 of every map: enough for the statistics of any choice of maps. Of the float32
        maps, whichever are kept.
    provenance : mapping of str to str
        What determines them: field, transform, width, monopole, type and the SHA-256 of the raw file.
    encoding : Encoding or None
        How they are kept in 16 bits.
    """

    maps: StoredMaps | StreamedMaps
    moments: Moments
    provenance: Mapping[str, str]
    encoding: Encoding | None = None

    def read(self, chosen: slice | Index) -> Maps:
        """Give some of the log maps in [dex]."""
        maps: StoredMaps = self.maps[chosen]
        return maps if self.encoding is None else self.encoding.decode(maps)


@plain_dataclass(frozen=True)
class Preprocessing:
    """Log maps of one field that are still to be made; `write` streams them to their file."""

    raw: Maps
    field: str
    config: PreprocessingConfig
    raw_sha256: str

    @property
    def provenance(self) -> dict[str, str]:
        """What determines the log maps."""
        return {
            "field": self.field,
            "transform": camels.FIELDS[self.field].transform,
            "smoothing_width": f"{self.config.smoothing_width:g}",
            "remove_monopole": str(self.config.remove_monopole),
            "kept_as": "float16" if self.config.compact else "float32",
            "raw_sha256": self.raw_sha256,
        }

    def write(self, path: Path) -> None:
        """Stream the log maps to `path` and their moments beside it, whole or not at all.

        Raises
        ------
        ValueError
            If a pixel is not finite or negative, or the argument of a logarithm is zero; names the raw
            file, the map and the pixel. What was at `path` survives.
        """
        moments = np.empty((len(self.raw), 3))
        with atomic_path(moments_path(path)) as moments_partial, atomic_path(path) as partial:
            encoding = None
            if self.config.compact:
                # quicker than to write float32 maps and read them back
                encoding = Encoding.of(moments_of_log_maps(self.raw, self.field, self.config))
            with partial.open("wb") as file:
                write_header(file, self.raw.shape, np.float16 if encoding else np.float32)
                file.flush()
                _preprocess_to_file(self.raw, self.field, self.config, moments, file, encoding)
            with moments_partial.open("wb") as file:
                provenance = np.array(json.dumps(self.provenance))
                how: dict[str, Any] = {"encoding": np.array(encoding)} if encoding else {}
                np.savez(file, moments=moments, provenance=provenance, **how)

    def stream(self) -> LogMaps:
        """Take the moments, and make the log maps anew of the raw ones wherever they are read.

        Returns
        -------
        log_maps : LogMaps
            Reads as those that `write` leaves in float32, bit for bit, and takes no room: neither in
            memory nor on disk.

        Raises
        ------
        ValueError
            As `write`; and if the configuration asks for compact maps, which are for files.
        """
        if self.config.compact:
            raise ValueError(
                "preprocessing.compact: expected false for log maps made when they are read, got True"
            )
        moments = moments_of_log_maps(self.raw, self.field, self.config)
        maps = StreamedMaps(
            self.raw, self.field, self.config.smoothing_width, self.config.remove_monopole
        )
        return LogMaps(maps, moments, self.provenance)


def moments_of_log_maps(raw: Maps, field: str, config: PreprocessingConfig) -> Moments:
    """Take count, mean and M2 of every log map, without keeping the log maps.

    For statistics of maps that are not going to be trained on, such as those of a suite on which a
    network of another is tested.

    Parameters
    ----------
    raw : (N, L, L) float32
        Raw maps; a memory map may be larger than memory.
    field : str
        Name of the field; it decides the logarithm.
    config : PreprocessingConfig

    Returns
    -------
    moments : (N, 3) float64
        Equal to what `Preprocessing.write` keeps, bit for bit.

    Raises
    ------
    ValueError
        As `Preprocessing.write`.
    """
    moments = np.empty((len(raw), 3))
    n_block = max(1, CHUNK_BYTES // max(1, raw[0].nbytes))
    n_threads = available_threads(config.n_threads)
    with progress(f"preprocess {field}", len(raw), "maps") as advance:
        for first in range(0, len(raw), n_block):
            read_ahead(raw[first + n_block :][:n_block])
            chunk = slice(first, first + n_block)
            _preprocess_block(raw, chunk, None, moments, field, config, n_threads)
            advance(len(raw[chunk]))
    return moments


def _preprocess_to_file(
    raw: Maps,
    field: str,
    config: PreprocessingConfig,
    moments: Moments,
    file: BinaryIO,
    encoding: Encoding | None,
) -> None:
    """Fill `moments`, and write the log maps, encoded if they are to be, behind what is in the file.

    Each thread takes a block, computes it and writes it: from its own cache, while others compute. One
    thread more than cores, so that none is idle while one waits for the disk.
    """
    n_block = max(1, BLOCK_BYTES // max(1, raw[0].nbytes))
    n_threads = available_threads(config.n_threads) + 1
    begin = file.tell()
    n_bytes = raw[0].nbytes // 2 if encoding else raw[0].nbytes  # of a map in the file

    def preprocess(first: int) -> int:
        block = slice(first, first + n_block)
        read_ahead(raw[first + n_threads * n_block :][:n_block])
        out = aligned_empty(raw[block].shape, np.float32)
        _preprocess_block(raw, block, out, moments, field, config, n_threads=1)
        kept = encoding.encode(out) if encoding else out
        _write_block(file, kept, begin + first * n_bytes)
        return len(out)

    with (
        progress(f"preprocess {field}", len(raw), "maps") as advance,
        ThreadPoolExecutor(n_threads) as pool,
    ):
        # In order, so that the first bad pixel is named; what has not begun is then cancelled.
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
    out: Float32[np.ndarray, "M L L"] | None,
    moments: Moments,
    field: str,
    config: PreprocessingConfig,
    n_threads: int,
) -> None:
    preprocess_block(
        raw[block],
        out,
        moments[block],
        field=field,
        width=config.smoothing_width,
        without_monopole=config.remove_monopole,
        n_threads=n_threads,
        first_map=block.start,
        source=source_name(raw, field),
    )


def _write_block(file: BinaryIO, block: StoredMaps, offset: int) -> None:
    """Write a block at its place in the file, whoever else writes into it."""
    rest = block.view(np.uint8).data.cast("B")
    if not hasattr(os, "pwrite"):  # Windows
        with _one_writer:
            file.seek(offset)
            file.write(rest)
        return
    while rest:
        rest = rest[os.pwrite(file.fileno(), rest, offset + block.nbytes - len(rest)) :]


def moments_path(path: Path) -> Path:
    """Return the file beside log maps that holds their moments and provenance."""
    return path.with_suffix(".moments.npz")


def open_log_maps(path: Path) -> LogMaps:
    """Open preprocessed maps as `Preprocessing.write` left them.

    Raises
    ------
    FileNotFoundError, ValueError
        If the maps or their moments are absent, or their numbers disagree.
    """
    if not moments_path(path).is_file():
        raise FileNotFoundError(
            f"{moments_path(path)}: expected the moments of preprocessed maps; found none; "
            "run `multifield run --pipelines preprocess`"
        )
    with np.load(moments_path(path), allow_pickle=False) as archive:
        moments, provenance = archive["moments"], json.loads(str(archive["provenance"]))
        encoding = Encoding(*archive["encoding"].tolist()) if "encoding" in archive else None
    maps = open_maps(path, np.float16 if encoding else np.float32)
    # A kill between the renames of the two files leaves moments of other maps. Absolute too: the mean of a
    # map without its monopole is 0 to rounding, which differs from one machine's instructions to another's.
    log_maps, tolerance = LogMaps(maps, moments, provenance, encoding), 1e-3 if encoding else 1e-9
    found = map_moments(log_maps.read(np.array([0, -1])))
    if moments.shape != (len(maps), 3) or not np.allclose(
        found, moments[[0, -1]], rtol=tolerance, atol=tolerance
    ):
        raise ValueError(
            f"{moments_path(path)}: expected the moments of {path.name}, got those of other maps; "
            "run `multifield run --pipelines preprocess`"
        )
    return log_maps


def check_current(log_maps: Mapping[str, LogMaps], checksums: Mapping[str, str]) -> None:
    """Require log maps made from the raw files that are in place now.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
    checksums : mapping of field to SHA-256
        Of the raw files, from the manifest.

    Raises
    ------
    ValueError
        Naming the field and both checksums.
    """
    for field, entry in log_maps.items():
        made_from = entry.provenance["raw_sha256"]
        if made_from != checksums[field]:
            raise ValueError(
                f"{source_name(entry.maps, field)}: expected log maps of the raw file with SHA-256 "
                f"{checksums[field][:12]}..., got those of {made_from[:12]}...; "
                "run `multifield run --pipelines preprocess`"
            )
