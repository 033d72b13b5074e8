"""One mean and standard deviation a field, from the moments of every map."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield.core.arrays import Moments
from multifield.maps.splits import Split, maps_of
from multifield.maps.transforms import combine_moments


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Normalization:
    """Mean and standard deviation of the log maps, one a channel, and what they were taken over."""

    over: Literal["training", "all"]
    fields: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def fit_normalization(
    moments: Mapping[str, Moments], split: Split, over: Literal["training", "all"]
) -> Normalization:
    """Combine the moments of the maps chosen into one mean and one std a field.

    Parameters
    ----------
    moments : mapping of field to (N, 3) float64
        Count, mean and M2 of every log map.
    split : Split
    over : {"training", "all"}
        See `NormalizationConfig`.

    Returns
    -------
    normalization : Normalization
        std is the population's, sqrt(M2 / count), as `numpy.std`.

    Raises
    ------
    ValueError
        If all pixels of a field are equal.
    """
    mean, std = [], []
    for field, rows in moments.items():
        chosen = rows[np.sort(maps_of(split.train))] if over == "training" else rows
        count, field_mean, m2 = combine_moments(chosen)
        if not m2 > 0:
            raise ValueError(
                f"{field}: expected log maps that vary, got M2 {m2} over {count} pixels"
            )
        mean.append(float(field_mean))
        std.append(float(np.sqrt(m2 / count)))
    return Normalization(over=over, fields=tuple(moments), mean=tuple(mean), std=tuple(std))
