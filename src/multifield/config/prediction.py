"""Settings of the cards of networks and of inference. Values and reasons are in ``conf/``."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.config.draws import DrawsConfig
from multifield.core.strict_types import Flag, Integer, Real

FileName = Annotated[str, Field(min_length=1)]
FileOfField = Annotated[dict[str, FileName], Field(min_length=1)]
PositiveReal = Annotated[Real, Field(gt=0)]
AskedMaps = FileName | FileOfField | None


def maps_name(maps: AskedMaps) -> str:
    """Return a name of new maps for the files of their posteriors.

    Parameters
    ----------
    maps : str, mapping of str to str, or None
        File, folder, or one file per field.

    Returns
    -------
    name : str
        Name of the (first) file or folder and a checksum of the full paths, which distinguishes
        files of the same name.
    """
    if not maps:
        return "maps"
    paths = list(maps.values()) if isinstance(maps, Mapping) else [maps]
    resolved = [Path(path).expanduser().resolve() for path in paths]
    checksum = hashlib.sha256("\n".join(map(str, resolved)).encode()).hexdigest()[:6]
    return f"{resolved[0].name.removesuffix('.npy')}_{checksum}"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoveltyConfig:
    """Detection of out-of-distribution maps.

    Attributes
    ----------
    n_bins : int
        Number of bins of the power spectrum per field.
    n_quantiles : int
        Number of quantiles of the pixels per field, with minimum and maximum.
    level : float
        False-alarm rate.
    """

    n_bins: Integer = Field(ge=1)
    n_quantiles: Integer = Field(ge=2)
    level: Real = Field(gt=0, lt=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CardConfig:
    """Content of a card.

    Attributes
    ----------
    top_k : int
        Largest number of networks, the best by validation loss.
    novelty : NoveltyConfig
        Detection of out-of-distribution maps.
    """

    top_k: Integer = Field(ge=1)
    novelty: NoveltyConfig


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PredictionConfig:
    """Inference from maps with unknown parameters.

    Attributes
    ----------
    maps : str, dict of str to str, or None
        File, folder, or one file per field.
    box : float or "same"
        Side of the maps [Mpc/h]. ``same``: that of the training maps.
    smoothed : bool
        Whether the maps have the smoothing of the training already.
    training_maps : str, dict of str to str, or None
        File, folder, or one file per field, of the training maps, to compare the maps with them.
    maps_per_simulation : int or "same"
        Number of consecutive maps of one simulation, for this comparison. ``same``: that of the
        training maps.
    network : {"study", "single"}
        Whether the best networks of a study infer, or the network of `train`.
    orientations : int
        Number of orientations of each map.
    top_k : int
        Number of networks whose posteriors are averaged.
    draws : DrawsConfig
        Files of posterior draws.
    """

    maps: AskedMaps
    box: PositiveReal | Literal["same"]
    smoothed: Flag
    training_maps: AskedMaps
    maps_per_simulation: Annotated[Integer, Field(ge=1)] | Literal["same"]
    network: Literal["study", "single"]
    orientations: Integer = Field(ge=1, le=8)
    top_k: Integer = Field(ge=1)
    draws: DrawsConfig
