"""The card of trained networks: all that must be known to use them, but their weights.

With it a folder of networks is whole: copied anywhere, it infers parameters from maps, without the maps, the
split, the statistics or the study it comes from.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.config.training import Hyperparameters
from multifield.data.normalization import Normalization
from multifield.maps.splits import Split
from multifield.models.model_folder import ModelFolder
from multifield.prediction.novelty import NoveltyReference

SCHEMA = 1
"""Version of the form of a card. Any change of the form raises it."""

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Channel:
    """One field that the networks take, in the order of the channels."""

    field: str
    unit: str  # of the maps as they come
    transform: camels.Transform  # before it they are smoothed
    mean: FiniteFloat  # of the log maps, which are standardized by it
    std: float = Field(gt=0, allow_inf_nan=False)
    raw_file: str  # trained on
    raw_sha256: str


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Inferred:
    """One parameter that the networks infer, and the bounds that are 0 and 1 to them. Dimensionless all."""

    name: str
    minimum: FiniteFloat
    maximum: FiniteFloat

    @classmethod
    def of(cls, parameter: camels.Parameter) -> "Inferred":
        """Take name and bounds of one of CMD's parameters."""
        return cls(name=parameter.name, minimum=parameter.minimum, maximum=parameter.maximum)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkRecord:
    """One network and the file that has its weights."""

    trial: int | str  # or "single"
    weights: str  # name in weights/
    sha256: str
    hyperparameters: Hyperparameters
    valid_loss: FiniteFloat

    @field_validator("weights")
    @classmethod
    def _name_alone(cls, weights: str) -> str:
        if Path(weights).name != weights:
            raise ValueError(f"expected the name of a file in weights/, got {weights!r}")
        return weights


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SigmaFactors:
    """What gives the standard deviations of the validation maps the right size.

    Of posteriors that are averaged over the best `n_networks` and the first `orientations`.
    """

    n_networks: PositiveInt
    orientations: int = Field(ge=1, le=8)
    factors: dict[str, PositiveFloat]  # parameter -> factor


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelCard:
    """What must be known of the networks of one suite, field and recipe to use them.

    Attributes
    ----------
    schema_version : int
        `SCHEMA`.
    suite, sim_set, field, label : str
        What they were trained on and how, as their files are named.
    smoothing_width : float
        [pixels], of the maps before the logarithm.
    remove_monopole : bool
        Whether each log map's own mean is subtracted.
    map_size : int
        [pixels] a side.
    channels : tuple of Channel
    normalization_over : str
        Which log maps mean and std of the channels are of: ``training`` or ``all``.
    parameters : tuple of Inferred
    architecture : str
    networks : tuple of NetworkRecord
        Best validation loss first.
    sigma_factors : tuple of SigmaFactors
        One a number of networks and of orientations.
    training : dict of str to str
        How they were trained, as far as the study says.
    theta_sha256 : str
        Of the parameter table.
    versions : dict of str to str
        Of the software that wrote the card.
    split : Split
        Simulations that trained, validated and tested.
    novelty : NoveltyReference
        What training maps are like.
    """

    schema_version: int
    suite: str
    sim_set: str
    field: str
    label: str
    smoothing_width: float = Field(ge=0, allow_inf_nan=False)
    remove_monopole: bool
    map_size: PositiveInt
    channels: tuple[Channel, ...] = Field(min_length=1)
    normalization_over: Literal["training", "all"]
    parameters: tuple[Inferred, ...] = Field(min_length=1)
    architecture: str
    networks: tuple[NetworkRecord, ...] = Field(min_length=1)
    sigma_factors: tuple[SigmaFactors, ...]
    training: dict[str, str]
    theta_sha256: str
    versions: dict[str, str]
    split: Split
    novelty: NoveltyReference

    @model_validator(mode="before")
    @classmethod
    def _known_schema(cls, values: Any) -> Any:
        """Say of a later card that it is one, and not which of its keys are unknown."""
        found = values.get("schema_version") if isinstance(values, dict) else SCHEMA
        if found != SCHEMA:
            raise ValueError(
                f"schema_version: expected {SCHEMA}, which this version of multifield reads, got {found!r}"
            )
        return values

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "ModelCard":
        """Require fields, bounds and factors that fit each other and CMD."""
        if camels.parse_fields(self.field, self.suite) != self.fields:
            raise ValueError(f"channels: expected the fields of {self.field}, got {self.fields}")
        known = {p.name: Inferred.of(p) for p in camels.PARAMETERS}
        for parameter in self.parameters:
            if known.get(parameter.name) != parameter:
                raise ValueError(
                    f"parameters: expected one of CMD with its bounds, got {parameter}"
                )
        for entry in self.sigma_factors:
            if tuple(entry.factors) != self.inferred:
                raise ValueError(
                    f"sigma_factors: expected those of {self.inferred}, got {tuple(entry.factors)}"
                )
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, which are the channels, in order."""
        return tuple(channel.field for channel in self.channels)

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the parameters that the networks infer."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def normalization(self) -> Normalization:
        """Mean and std of the log maps of each channel."""
        return Normalization(
            over=self.normalization_over,
            fields=self.fields,
            mean=tuple(channel.mean for channel in self.channels),
            std=tuple(channel.std for channel in self.channels),
        )

    def factors(self, n_networks: int, orientations: int) -> dict[str, float]:
        """Factors of the posteriors of so many networks and orientations.

        Raises
        ------
        ValueError
            If the card has none, naming what it has.
        """
        for entry in self.sigma_factors:
            if (entry.n_networks, entry.orientations) == (n_networks, orientations):
                return dict(entry.factors)
        raise ValueError(
            f"prediction: expected 1 to {len(self.networks)} networks and 1 to 8 orientations, for which "
            f"the card has factors of sigma, got {n_networks} and {orientations}"
        )


def check_is_of(card: ModelCard, folder: ModelFolder) -> None:
    """Require the card of the networks that a run asks for; ValueError names what differs."""
    for name in ("suite", "field", "label"):
        found, asked = getattr(card, name), getattr(folder, name)
        if found != asked:
            raise ValueError(f"card: expected one of {name} {asked}, got {found}")
