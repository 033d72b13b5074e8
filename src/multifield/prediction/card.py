"""The card of trained networks: everything besides their weights that is needed to use them.

A model folder with a card is self-contained. Copied anywhere, it infers parameters from maps
without the training maps, their split and statistics, or the study.
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
from multifield.data.fills import Fills
from multifield.data.normalization import Normalization
from multifield.maps.masks import Mask, decode_mask
from multifield.maps.splits import Split
from multifield.models.model_folder import ModelFolder
from multifield.prediction.novelty import NoveltyReference

SCHEMA = 4
"""Version of the schema of a card. Every change of the schema increments it."""

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Channel:
    """One field that the networks take.

    Attributes
    ----------
    field : str
        Name of the field.
    unit : str
        Unit of the raw maps.
    transform : str
        Logarithm of the smoothed maps: ``log10`` or ``log10(1+x)``.
    mean : float
        Mean of the log maps, for standardization.
    std : float
        Standard deviation of the log maps, for standardization.
    raw_file : str
        Name of the file of training maps.
    raw_sha256 : str
        SHA-256 of that file.
    floor : float or None
        Value of zero pixels, in the units of the field. None: they are not replaced.
    """

    field: str
    unit: str
    transform: camels.Transform
    mean: FiniteFloat
    std: float = Field(gt=0, allow_inf_nan=False)
    raw_file: str
    raw_sha256: str
    floor: PositiveFloat | None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Inferred:
    """One inferred parameter and the bounds that scale it to [0, 1].

    Attributes
    ----------
    name : str
        Name of the parameter.
    minimum, maximum : float
        Bounds of what the networks learn: its value, or the logarithm to base 10 of its value.
    """

    name: str
    minimum: FiniteFloat
    maximum: FiniteFloat

    @classmethod
    def of(cls, parameter: camels.Parameter) -> "Inferred":
        """Copy name and bounds of a parameter of what the networks learn."""
        return cls(name=parameter.name, minimum=parameter.minimum, maximum=parameter.maximum)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkRecord:
    """One network and the file of its weights.

    Attributes
    ----------
    trial : int or str
        Number of its trial, or ``single`` outside a study.
    weights : str
        Name of the file in ``weights/``.
    sha256 : str
        SHA-256 of the file.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    valid_loss : float
        Lowest validation loss.
    """

    trial: int | str
    weights: str
    sha256: str
    hyperparameters: Hyperparameters
    valid_loss: FiniteFloat

    @field_validator("weights")
    @classmethod
    def _name_alone(cls, weights: str) -> str:
        if Path(weights).name != weights:
            raise ValueError(f"Expected the name of a file in weights/, got {weights!r}.")
        return weights


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SigmaFactors:
    """Recalibration factors of averaged posteriors, fitted to the validation maps.

    Attributes
    ----------
    n_networks : int
        Number of networks averaged, best first.
    orientations : int
        Number of orientations averaged, the first 1 to 8.
    factors : dict of str to float
        Parameter -> factor of its standard deviation.
    """

    n_networks: PositiveInt
    orientations: int = Field(ge=1, le=8)
    factors: dict[str, PositiveFloat]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelCard:
    """Everything needed to use the networks of one suite, field and recipe.

    Attributes
    ----------
    schema_version : int
        `SCHEMA`.
    suite, sim_set, field, label : str
        Training maps and recipe, as in the names of the networks' files.
    smoothing_width : float
        Smoothing width of the maps before the logarithm [pixels].
    remove_monopole : bool
        Whether each log map's own mean is subtracted.
    map_size : int
        Pixels per side of the training maps.
    box : float
        Side of the training maps [Mpc/h].
    periodic : bool
        Whether the training maps are whole periodic maps, not cut-outs.
    mask : str or None
        Mask of the training maps, from `multifield.maps.masks.encode_mask`. None if no pixel is
        masked.
    noise : float
        Largest noise that was added to a training map, as standard deviation relative to each pixel.
    beam : float
        Largest width of the beam that smoothed a training map [pixels].
    channels : tuple of Channel
        Fields in the order of the channels.
    normalization_over : str
        Log maps over which mean and std of the channels are computed: ``training`` or ``all``.
    parameters : tuple of Inferred
        Inferred parameters.
    architecture : str
        Name of the architecture.
    networks : tuple of NetworkRecord
        Networks, best validation loss first.
    sigma_factors : tuple of SigmaFactors
        Recalibration factors for each number of networks and of orientations.
    share : float or None
        Effective number of independent maps of a simulation over their number, from the validation
        maps. None if a simulation has one map.
    training : dict of str to str
        Training settings recorded in the study.
    theta_sha256 : str
        SHA-256 of the parameter table.
    versions : dict of str to str
        Versions of the software that wrote the card.
    split : Split
        Simulations of training, validation and test.
    novelty : NoveltyReference
        Reference for out-of-distribution flags.
    """

    schema_version: int
    suite: str
    sim_set: str
    field: str
    label: str
    smoothing_width: float = Field(ge=0, allow_inf_nan=False)
    remove_monopole: bool
    map_size: PositiveInt
    box: PositiveFloat
    periodic: bool
    mask: str | None
    noise: float = Field(ge=0, le=1)
    beam: float = Field(ge=0, allow_inf_nan=False)
    channels: tuple[Channel, ...] = Field(min_length=1)
    normalization_over: Literal["training", "all"]
    parameters: tuple[Inferred, ...] = Field(min_length=1)
    architecture: str
    networks: tuple[NetworkRecord, ...] = Field(min_length=1)
    sigma_factors: tuple[SigmaFactors, ...]
    share: float | None = Field(gt=0, le=1)
    training: dict[str, str]
    theta_sha256: str
    versions: dict[str, str]
    split: Split
    novelty: NoveltyReference

    @model_validator(mode="before")
    @classmethod
    def _known_schema(cls, values: Any) -> Any:
        """Check the schema version first, so that a newer card does not fail on an unknown key."""
        found = values.get("schema_version") if isinstance(values, dict) else SCHEMA
        if found != SCHEMA:
            raise ValueError(
                f"schema_version: Expected {SCHEMA}, got {found!r}. Another version of multifield "
                "wrote this card. Write it again: `kedro run --pipelines describe` for a study, "
                "`--pipelines train` for a single network."
            )
        return values

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "ModelCard":
        """Require fields, bounds and factors that agree with each other and with CMD."""
        if camels.parse_fields(self.field, self.suite) != self.fields:
            raise ValueError(f"channels: Expected the fields of {self.field}, got {self.fields}.")
        known = {p.name: Inferred.of(p) for p in self.space.learned or self.space}
        for parameter in self.parameters:
            if known.get(parameter.name) != parameter:
                raise ValueError(
                    f"parameters: Expected a parameter of {self.suite} {self.sim_set} with its bounds, "
                    f"got {parameter}."
                )
        self.decoded_mask()
        for entry in self.sigma_factors:
            if tuple(entry.factors) != self.inferred:
                raise ValueError(
                    f"sigma_factors: Expected factors of {self.inferred}, "
                    f"got {tuple(entry.factors)}."
                )
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields in the order of the channels."""
        return tuple(channel.field for channel in self.channels)

    def decoded_mask(self) -> Mask | None:
        """Return the mask of the training maps.

        Returns
        -------
        mask : (L, L) bool or None
            True where maps have no data. None if no pixel is masked.
        """
        return None if self.mask is None else decode_mask(self.mask, self.map_size)

    def fills(self, field: str) -> Fills:
        """Return the values of pixels without data.

        Parameters
        ----------
        field : str
            Name of a field.

        Returns
        -------
        fills : Fills
            Mask and floor.
        """
        floors = {channel.field: channel.floor for channel in self.channels}
        return Fills(self.decoded_mask(), floors[field])

    @property
    def pixel_size(self) -> float:
        """Side of a pixel of the training maps [Mpc/h]."""
        return self.box / self.map_size

    @property
    def space(self) -> camels.ParameterSpace:
        """Parameters of the training table, learned as the bounds of `parameters` tell."""
        sim_set = camels.find_set(self.sim_set, self.suite)
        for space in (sim_set.space, sim_set.space_as_drawn):
            if set(map(Inferred.of, space.learned or space)).issuperset(self.parameters):
                return space
        return sim_set.space

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the inferred parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def normalization(self) -> Normalization:
        """Mean and standard deviation of the log maps of each channel."""
        return Normalization(
            over=self.normalization_over,
            fields=self.fields,
            mean=tuple(channel.mean for channel in self.channels),
            std=tuple(channel.std for channel in self.channels),
        )

    def factors(self, n_networks: int, orientations: int) -> dict[str, float]:
        """Give the recalibration factors for a number of networks and orientations.

        Parameters
        ----------
        n_networks : int
            Number of networks averaged.
        orientations : int
            Number of orientations averaged, 1 to 8.

        Returns
        -------
        factors : dict of str to float
            Parameter -> factor of its standard deviation.

        Raises
        ------
        ValueError
            If the card has no such factors. The message names those that it has.
        """
        for entry in self.sigma_factors:
            if (entry.n_networks, entry.orientations) == (n_networks, orientations):
                return dict(entry.factors)
        raise ValueError(
            f"prediction: Expected 1 to {len(self.networks)} networks and 1 to 8 orientations, "
            f"for which the card has factors, got {n_networks} and {orientations}."
        )


def check_is_of(card: ModelCard, folder: ModelFolder) -> None:
    """Require the card of the networks that a run needs.

    Parameters
    ----------
    card : ModelCard
        The card that was read.
    folder : ModelFolder
        Model folder with the suite, field and label of the run.

    Raises
    ------
    ValueError
        If suite, field or label differ. The message names the first difference.
    """
    for name in ("suite", "field", "label"):
        found, asked = getattr(card, name), getattr(folder, name)
        if found != asked:
            raise ValueError(f"card: Expected {name} {asked}, got {found}.")
