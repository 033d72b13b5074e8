"""Raw maps to log maps, in one streaming pass a field, with the moments of every map beside them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass as plain_dataclass
from pathlib import Path

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.arrays import Maps, Moments
from multifield.atomic import atomic_path
from multifield.maps.files import blocks_of, open_maps, source_name, write_header
from multifield.maps.transforms import map_moments, preprocess_block
from multifield.progress import progress
from multifield.threads import available_threads


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PreprocessingConfig:
    """What is done to each map before a network sees it."""

    smoothing_width: float = Field(ge=0, allow_inf_nan=False)  # [pixels]
    remove_monopole: bool  # subtract each log map's own mean
    n_threads: int = Field(ge=0)  # 0: all cores


@plain_dataclass(frozen=True)
class LogMaps:
    """Preprocessed maps of one field.

    Attributes
    ----------
    maps : (N, L, L) float32
        log10, or log10(1 + x), of the smoothed maps; a memory map when it comes from disk.
    moments : (N, 3) float64
        Count, mean and M2 of every map: enough for the statistics of any choice of maps.
    provenance : mapping of str to str
        What determines them: field, transform, width, monopole and the SHA-256 of the raw file.
    """

    maps: Maps
    moments: Moments
    provenance: Mapping[str, str]


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
            with partial.open("wb") as file:
                write_header(file, self.raw.shape)
                for block in self._blocks(moments):
                    file.write(block.data)
            with moments_partial.open("wb") as file:
                np.savez(file, moments=moments, provenance=np.array(json.dumps(self.provenance)))

    def _blocks(self, moments: Moments) -> Iterator[Maps]:
        """Yield preprocessed blocks in one reused buffer, and fill `moments`."""
        source = source_name(self.raw, self.field)
        buffer: Maps | None = None
        with progress(f"preprocess {self.field}", len(self.raw), "maps") as advance:
            for first, block in blocks_of(self.raw):
                buffer = np.empty_like(block) if buffer is None else buffer
                out = buffer[: len(block)]
                preprocess_block(
                    block,
                    out,
                    moments[first : first + len(block)],
                    field=self.field,
                    width=self.config.smoothing_width,
                    without_monopole=self.config.remove_monopole,
                    n_threads=available_threads(self.config.n_threads),
                    first_map=first,
                    source=source,
                )
                yield out
                advance(len(block))


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
            "run `kedro run --pipeline preprocess`"
        )
    maps = open_maps(path)
    with np.load(moments_path(path), allow_pickle=False) as archive:
        moments, provenance = archive["moments"], json.loads(str(archive["provenance"]))
    ends = [0, -1]  # a kill between the renames of the two files leaves moments of other maps
    if moments.shape != (len(maps), 3) or not np.allclose(
        map_moments(maps[ends]), moments[ends], rtol=1e-9, atol=0
    ):
        raise ValueError(
            f"{moments_path(path)}: expected the moments of {path.name}, got those of other maps; "
            "run `kedro run --pipeline preprocess`"
        )
    return LogMaps(maps, moments, provenance)


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
                "run `kedro run --pipeline preprocess`"
            )
