"""Log maps that are computed from raw maps whenever they are read, and never stored.

They suit maps that are read once or a few times, such as the maps of a test or a prediction:
storing them would write as many bytes as it reads. A training reads each map hundreds of times, and
a file is faster.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float64

from multifield.core.arrays import HalfBatch, Index, MapBatch, Maps
from multifield.data.augmentation import EpochPlan
from multifield.maps.kernels import FileError, mapkernels
from multifield.maps.memory import place_in_file, source_name
from multifield.maps.transforms import adds_one, preprocess_block


@dataclass(frozen=True)
class StreamedMaps:
    """Log maps of one field, computed from raw maps each time they are read.

    Attributes
    ----------
    raw : (N, L, L) float32
        Raw maps. A memory map may be larger than memory.
    field : str
        Name of the field, which determines the logarithm.
    width : float
        Standard deviation of the smoothing in [pixels]. 0 disables smoothing.
    without_monopole : bool
        Whether to subtract the mean of each log map.
    """

    raw: Maps = field(repr=False)
    field: str
    width: float
    without_monopole: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the maps, (N, L, L)."""
        return self.raw.shape

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self.raw)

    def __getitem__(self, chosen: slice | Index) -> Maps:
        """Compute some of the log maps in [dex], (M, L, L) float32."""
        numbers = np.arange(len(self.raw))[chosen]
        out = np.empty((len(numbers), *self.shape[1:]), np.float32)
        self._fill(numbers, out)
        return out

    def _fill(self, numbers: Index, out: Maps) -> None:
        """Compute the log maps of these numbers, one run of consecutive numbers at a time."""
        ends = np.flatnonzero(np.diff(numbers) != 1) + 1
        moments = np.empty((len(numbers), 3))
        for begin, end in zip([0, *ends], [*ends, len(numbers)], strict=True):
            if begin == end:
                continue
            first = int(numbers[begin])
            preprocess_block(
                self.raw[first : first + end - begin],
                out[begin:end],
                moments[begin:end],
                field=self.field,
                width=self.width,
                without_monopole=self.without_monopole,
                n_threads=1,
                first_map=first,
            )

    @property
    def is_in_files(self) -> bool:
        """Whether another process can open the file of the raw maps."""
        return place_in_file(self.raw) is not None

    @staticmethod
    def gather(
        channels: Sequence["StreamedMaps"],
        rows: EpochPlan,
        mean: Float64[np.ndarray, " C"],
        std: Float64[np.ndarray, " C"],
        out: MapBatch | HalfBatch,
        **options: Any,
    ) -> None:
        """Assemble a batch; see `Channel.gather`.

        A map in eight orientations is computed eight times. Keeping it was slower: new memory costs
        more than reading, smoothing and taking the logarithm again.
        """
        raw = [channel.raw for channel in channels]
        files = [place_in_file(maps) for maps in raw]
        steps = [(c.width, adds_one(c.field), c.without_monopole) for c in channels]
        place = rows.order, rows.orientation, rows.shift
        try:
            first = mapkernels.gather_raw(raw, files, steps, *place, mean, std, out, **options)
        except FileError as error:
            names = ", ".join(source_name(c.raw, c.field) for c in channels)
            raise OSError(f"{names}: {error}") from None
        if first >= 0:
            _raise_for_pixel(channels, rows.order, first)


def _raise_for_pixel(channels: Sequence[StreamedMaps], index: Index, first: int) -> NoReturn:
    """Compute the log map of a pixel again, which raises an error that names it."""
    b, c = divmod(first // math.prod(channels[0].shape[1:]), len(channels))
    _ = channels[c][index[b : b + 1]]
    raise ValueError(
        f"{source_name(channels[c].raw, channels[c].field)}: Expected maps that do not change while "
        f"they are read, got map {index[b]} first with and then without an invalid pixel."
    )
