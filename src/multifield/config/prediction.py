"""How networks are described, and how they infer from new maps. Values and units are in ``conf/``."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Integer, Real

FileName = Annotated[str, Field(min_length=1)]
FileOfField = Annotated[dict[str, FileName], Field(min_length=1)]
AskedMaps = FileName | FileOfField | None


def maps_name(asked: AskedMaps) -> str:
    """Name the maps that a run asks for, in the names of what is inferred from them.

    Parameters
    ----------
    asked : str, mapping of str to str, or None
        A file, a folder, or one file per field.

    Returns
    -------
    name : str
        Name of the file or folder, of the first field asked for, and a checksum of the whole paths: files
        of one name in two folders differ in it.
    """
    if not asked:
        return "maps"
    paths = list(asked.values()) if isinstance(asked, Mapping) else [asked]
    resolved = [Path(path).expanduser().resolve() for path in paths]
    checksum = hashlib.sha256("\n".join(map(str, resolved)).encode()).hexdigest()[:6]
    return f"{resolved[0].name.removesuffix('.npy')}_{checksum}"


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class NoveltyConfig:
    """What tells a map that is unlike those trained on."""

    n_bins: Integer = Field(ge=1)  # of the power spectrum of a field
    n_quantiles: Integer = Field(
        ge=2
    )  # of the pixels of a field, the least and the greatest among them
    level: Real = Field(gt=0, lt=1)  # share of maps like the training's that may be flagged


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CardConfig:
    """What a card holds."""

    top_k: Integer = Field(ge=1)  # networks at most, the best by validation loss
    novelty: NoveltyConfig


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PredictionConfig:
    """Inference from maps whose parameters are not known."""

    maps: AskedMaps  # a file, a folder, or a file a field
    network: Literal["study", "single"]  # those of a study, or the one that `train` made
    orientations: Integer = Field(ge=1, le=8)  # in which each map is looked at
    top_k: Integer = Field(ge=1)  # networks whose posteriors are averaged
