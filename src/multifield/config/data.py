"""Settings of preprocessing, split and normalization. Values and reasons are in ``conf/``."""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

from multifield.core.checksums import sha256
from multifield.core.strict_types import Flag, Integer, Real, Text


def pixels_suffix(
    cutout: int, mask: str | None, zeros: str, noise: float | int, beam: float | int
) -> str:
    """Return the end of the names of files that depend on cut-outs, mask, zeros and instrument.

    Parameters
    ----------
    cutout : int
        Pixels per side of the cut-outs. 0: whole maps.
    mask : str or None
        File of the mask. None: no pixel is masked.
    zeros : {"refuse", "floor"}
        Treatment of zero pixels.
    noise : float
        Largest relative noise of a pixel.
    beam : float
        Largest width of the beam [pixels].

    Returns
    -------
    suffix : str
        ``_cutout_<pixels>``, ``_mask_<checksum>``, ``_floor``, ``_noise_<level>`` and
        ``_beam_<width>``, if they apply.
    """
    suffix = f"_cutout_{cutout}" if cutout else ""
    if mask is not None and Path(mask).expanduser().is_file():  # else rejected with the parameters
        suffix += f"_mask_{sha256(Path(mask).expanduser())[:6]}"
    suffix += "_floor" if zeros == "floor" else ""
    suffix += f"_noise_{noise:g}" if noise else ""
    return suffix + (f"_beam_{beam:g}" if beam else "")


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PreprocessingConfig:
    """Preprocessing of each map.

    Attributes
    ----------
    smoothing_width : float
        Width of the Gaussian smoothing [pixels].
    remove_monopole : bool
        Whether the mean of each log map is subtracted.
    compact : bool
        Whether log maps are stored in 16 bits.
    cutout : int
        Pixels per side of the cut-out of each map, which is not periodic. 0 keeps whole periodic
        maps.
    mask : str or None
        File of the mask of all maps. None: no pixel is masked.
    zeros : {"refuse", "floor"}
        Treatment of a zero pixel under log10: an error, or replacement by the smallest positive
        pixel of the training maps.
    noise : float
        Largest noise that is added to a map, as standard deviation relative to each pixel. Each map
        has a level of its own. 0 adds none.
    beam : float
        Largest width of the Gaussian beam that smooths a map [pixels]. Each map has a width of its
        own. 0 smooths none.
    n_threads : int
        Number of threads. 0 uses all cores.
    """

    smoothing_width: Real = Field(ge=0)
    remove_monopole: Flag
    compact: Flag
    cutout: Integer = Field(ge=0)
    mask: Text | None
    zeros: Literal["refuse", "floor"]
    noise: Real = Field(ge=0, le=1)
    beam: Real = Field(ge=0)
    n_threads: Integer = Field(ge=0)

    @field_validator("mask")
    @classmethod
    def _mask_is_a_file(cls, mask: str | None) -> str | None:
        if mask is not None and not Path(mask).expanduser().is_file():
            raise ValueError(f"Expected a .npy file, got {mask!r}, which is none.")
        return mask

    @property
    def mask_file(self) -> Path | None:
        """File of the mask of all maps. None if no pixel is masked."""
        return None if self.mask is None else Path(self.mask).expanduser()

    @property
    def suffix(self) -> str:
        """End of the names of files that depend on the pixels; see `pixels_suffix`."""
        return pixels_suffix(self.cutout, self.mask, self.zeros, self.noise, self.beam)

    def pixels(self, map_size: int) -> int:
        """Return the number of pixels per side of a log map.

        Parameters
        ----------
        map_size : int
            Pixels per side of the raw map.

        Returns
        -------
        pixels : int
            Pixels per side of the log map.

        Raises
        ------
        ValueError
            If the cut-out is larger than the map.
        """
        if self.cutout > map_size:
            raise ValueError(
                f"preprocessing.cutout: Expected at most {map_size} pixels, the side of the maps, "
                f"got {self.cutout}. Use --params cutout=..."
            )
        return self.cutout or map_size


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SplitConfig:
    """Split of the simulations into training, validation and test.

    Attributes
    ----------
    seed : int
        Seed of the random split.
    n_valid, n_test : int
        Number of validation and of test simulations.
    """

    seed: Integer = Field(ge=0, lt=2**32)
    n_valid: Integer = Field(ge=1)
    n_test: Integer = Field(ge=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NormalizationConfig:
    """Mean and standard deviation that standardize the maps.

    Attributes
    ----------
    over : {"training", "all"}
        Simulations whose maps are averaged. ``all`` is the published way, which includes validation
        and test maps.
    """

    over: Literal["training", "all"]
