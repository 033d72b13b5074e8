"""Mean and standard deviation of each field, from the moments of its maps."""

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
    """Mean and standard deviation of the log maps of each channel.

    Attributes
    ----------
    over : {"training", "all"}
        Maps over which they were computed; see `NormalizationConfig`.
    fields : tuple of str
        Name of the field of each channel.
    mean : tuple of float
        Mean of each channel in [dex].
    std : tuple of float
        Standard deviation of each channel in [dex].
    """

    over: Literal["training", "all"]
    fields: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def fit_normalization(
    moments: Mapping[str, Moments], split: Split, over: Literal["training", "all"]
) -> Normalization:
    """Combine the moments of maps into one mean and one standard deviation per field.

    Parameters
    ----------
    moments : mapping of field to (N, 3) float64
        Count, mean and M2 of every log map.
    split : Split
        Split of the simulations.
    over : {"training", "all"}
        Maps over which to combine; see `NormalizationConfig`.

    Returns
    -------
    normalization : Normalization
        Mean and population standard deviation sqrt(M2 / count), like `numpy.std`.

    Raises
    ------
    ValueError
        If all pixels of a field are equal.
    """
    mean, std = [], []
    for field, rows in moments.items():
        of_train = maps_of(split.train, len(rows) // split.n_simulations)
        chosen = rows[np.sort(of_train)] if over == "training" else rows
        count, field_mean, m2 = combine_moments(chosen)
        if not m2 > 0:
            raise ValueError(
                f"{field}: Expected log maps that vary, got M2 {m2} over {count} pixels."
            )
        mean.append(float(field_mean))
        std.append(float(np.sqrt(m2 / count)))
    return Normalization(over=over, fields=tuple(moments), mean=tuple(mean), std=tuple(std))
