"""Log maps in 16 bits: float16 of a field standardized by its own mean and std over all maps.

A file of half the size is read in half the time, and twice as many maps stay in memory. Standardized
first, because float16 has 11 bits: of log10 maps near 11 it keeps 0.004 dex, of standardized ones, which
lie near 0, about 2^-12 of the std.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, BinaryIO, Literal

import numpy as np

from multifield.arrays import HalfMaps, Maps, Moments, StoredMaps
from multifield.maps.files import write_header
from multifield.maps.kernels import mapkernels
from multifield.maps.normalization import Normalization
from multifield.maps.transforms import combine_moments, map_moments

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Encoding:
    """How a field is kept in 16 bits, and what that cost: log map = mean + std * number kept.

    Attributes
    ----------
    mean, std : float
        Of the float32 log maps, over all maps [dex].
    max_error, rms_error : float
        Of the numbers kept against the float32 log maps, measured over every pixel [dex].
    """

    mean: float
    std: float
    max_error: float
    rms_error: float

    @property
    def max_error_in_std(self) -> float:
        """The largest error, in units of the field's standard deviation."""
        return self.max_error / self.std

    @property
    def rms_error_in_std(self) -> float:
        """The root mean square error, in units of the field's standard deviation."""
        return self.rms_error / self.std

    def decode(self, kept: HalfMaps) -> Maps:
        """Give log maps in [dex]."""
        return (self.mean + self.std * kept.astype(np.float64)).astype(np.float32)


class Encoder:
    """Encodes log maps block by block, and measures what is lost.

    Parameters
    ----------
    mean, std : float
        Of all maps [dex]; the mean is rounded to float32, in which the kernels compute.
    n_threads : int
        The result does not depend on it.
    """

    def __init__(self, mean: float, std: float, n_threads: int) -> None:
        self._mean, self._std, self._n_threads = float(np.float32(mean)), std, n_threads
        self._exact = self._kept = self._widened = np.empty(0)
        self._max_error, self._squares, self._n_pixels = 0.0, 0.0, 0

    def encode(self, maps: Maps) -> HalfMaps:
        """Standardize maps and round them to float16, in a buffer that the next block overwrites."""
        if len(self._exact) < len(maps):
            self._exact, self._widened = np.empty((2, *maps.shape), np.float32)
            self._kept = np.empty(maps.shape, np.float16)
        n = len(maps)
        exact, kept, widened = self._exact[:n], self._kept[:n], self._widened[:n]
        affine_copy(maps, exact, self._mean, self._std, self._n_threads)
        affine_copy(maps, kept, self._mean, self._std, self._n_threads)
        affine_copy(kept, widened, 0.0, 1.0, self._n_threads)
        widened -= exact
        self._add(widened)
        return kept

    def encoding(self) -> Encoding:
        """Sum up.

        Raises
        ------
        ValueError
            If a pixel was beyond the range of float16.
        """
        if not np.isfinite(self._max_error):
            raise ValueError(
                "log maps: expected pixels within 65504 standard deviations of the mean, which float16 "
                "holds, got one beyond; set preprocessing.compact to false"
            )
        rms_error = float(np.sqrt(self._squares / self._n_pixels))
        std = self._std
        return Encoding(self._mean, std, std * self._max_error, std * rms_error)

    def _add(self, errors: Maps) -> None:
        """Add errors in units of the std; sums of a map in float32, of all maps in float64."""
        self._max_error = max(self._max_error, float(errors.max()), -float(errors.min()))
        self._squares += sum(float(np.vdot(each, each)) for each in errors)
        self._n_pixels += errors.size


def write_compact(
    file: BinaryIO,
    blocks: Iterable[Maps],
    moments: Moments,
    shape: tuple[int, ...],
    *,
    name: str,
    n_threads: int,
) -> dict[str, Any]:
    """Write log maps in 16 bits as ``.npy``, block by block.

    Parameters
    ----------
    file : binary file
        Empty, open for writing.
    blocks : iterable of (n, L, L) float32
        All log maps in order [dex].
    moments : (N, 3) float64
        Of every log map; the encoding's mean and std are those of all.
    shape : (N, L, L)
    name : str
        Of the maps, for messages.
    n_threads : int

    Returns
    -------
    about : dict of str to array
        To be kept beside the maps: ``encoding``, the fields of an `Encoding`, and ``moments_of_ends``, of
        the numbers kept of the first and last map, by which they are known again.

    Raises
    ------
    ValueError
        If all pixels are equal.
    """
    count, mean, m2 = combine_moments(moments)
    if not m2 > 0:
        raise ValueError(
            f"{name}: expected log maps that vary, got M2 {m2} over {count:g} pixels; set "
            "preprocessing.compact to false"
        )
    encoder = Encoder(mean, float(np.sqrt(m2 / count)), n_threads)
    write_header(file, shape, np.float16)
    ends: list[HalfMaps] = []
    for block in blocks:
        kept = encoder.encode(block)
        file.write(kept.data)
        ends = [*(ends[:1] or [kept[:1].copy()]), kept[-1:].copy()]
    encoding = encoder.encoding()
    _log(encoding, name)
    return {
        "encoding": np.array(astuple(encoding)),
        "moments_of_ends": map_moments(np.concatenate(ends).astype(np.float32)),
    }


def _log(encoding: Encoding, name: str) -> None:
    logger.info(
        "%s in 16 bits: off by %.1e dex at most, %.1e dex rms (%.1e and %.1e of the std)",
        name,
        encoding.max_error,
        encoding.rms_error,
        encoding.max_error_in_std,
        encoding.rms_error_in_std,
    )


def affine_copy(
    maps: StoredMaps, out: StoredMaps, mean: float, std: float, n_threads: int = 1
) -> None:
    """Write (maps - mean) * (1 / std), computed in float32, to `out`, of either type.

    It is the gather of all maps as they stand, so what a loader computes, bit for bit.
    """
    n = len(maps)
    mapkernels.gather(
        [maps],
        np.arange(n),
        np.zeros(n, np.int64),
        np.zeros((n, 2), np.int64),
        np.array([mean]),
        np.array([std]),
        out[:, None],
        n_threads=n_threads,
        field_dtype=kept_type(maps),
        out_dtype=kept_type(out),
    )


def kept_type(maps: StoredMaps) -> Literal["float32", "float16"]:
    """Name the type of maps, as the kernels do."""
    return "float16" if maps.dtype == np.float16 else "float32"


def normalization_as_kept(
    normalization: Normalization, encodings: Sequence[Encoding | None]
) -> Normalization:
    """Give mean and std that turn the numbers kept into normalized maps.

    Undoing the encoding and normalizing are one affine map: with x = m + s q, (x - mean) / std is
    (q - (mean - m) / s) / (std / s).

    Parameters
    ----------
    normalization : Normalization
        Of the log maps [dex].
    encodings : sequence of Encoding or None
        Of each channel; None where log maps are kept as they are.
    """
    mean, std = list(normalization.mean), list(normalization.std)
    for channel, encoding in enumerate(encodings):
        if encoding is not None:
            mean[channel] = (mean[channel] - encoding.mean) / encoding.std
            std[channel] = std[channel] / encoding.std
    return replace(normalization, mean=tuple(mean), std=tuple(std))
