"""Files of raw maps that are averaged over larger pixels."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from multifield.core.arrays import Maps
from multifield.core.progress import progress
from multifield.data.manifest import Manifest
from multifield.data.map_files import write_map_files
from multifield.maps.memory import blocks_of, open_maps, source_name
from multifield.maps.regrid import regrid

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RegriddedMaps:
    """Maps of one field that are regridded while they are written.

    Attributes
    ----------
    field : str
        Name of the field.
    raw : (N, L, L) float32
        Raw maps.
    n_pixels : int
        Pixels per side of the regridded maps.
    raw_sha256 : str
        SHA-256 of the raw file.

    Yields
    ------
    maps : dict of (M, K, K) float32
        Block of regridded maps of K = `n_pixels`.
    """

    field: str
    raw: Maps
    n_pixels: int
    raw_sha256: str

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """Shape of all maps."""
        return {self.field: (len(self.raw), self.n_pixels, self.n_pixels)}

    @property
    def origin(self) -> dict[str, str]:
        """Values that determine the pixels."""
        return {"raw_sha256": self.raw_sha256, "regridded": f"to {self.n_pixels} pixels"}

    def of_fields(self, fields: tuple[str, ...]) -> "RegriddedMaps":
        """Return the stream itself, which has one field."""
        return self

    def __iter__(self) -> Iterator[dict[str, Maps]]:
        """Regrid block by block."""
        with progress(f"regrid {self.field}", len(self.raw), "maps") as advance:
            for _, block in blocks_of(self.raw):
                yield {self.field: regrid(block, self.n_pixels)}
                advance(len(block))


def bring_regridded(
    maps: Mapping[str, Maps], manifest: Manifest, n_pixels: int, folder: Path
) -> dict[str, Float32[np.ndarray, "N K K"]]:
    """Average raw maps over larger pixels, in files of the same names. Existing files are reused.

    Parameters
    ----------
    maps : mapping of field to (N, L, L) float32
        Memory maps of the raw files.
    manifest : Manifest
        Manifest with the checksums of the raw files.
    n_pixels : int
        Pixels per side of the regridded maps, K.
    folder : Path
        Folder of the regridded maps.

    Returns
    -------
    regridded : dict of field to (N, K, K) float32
        Memory maps.
    """
    paths = {field: folder / Path(source_name(raw, field)).name for field, raw in maps.items()}
    for field, raw in maps.items():
        logger.info("%s: regridding %d to %d pixels", paths[field], raw.shape[-1], n_pixels)
        stream = RegriddedMaps(field, raw, n_pixels, manifest.files[field].sha256)
        write_map_files({field: paths[field]}, stream)
    return {field: open_maps(path) for field, path in paths.items()}
