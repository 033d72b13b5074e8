"""What `robustness` trains and tests. Values, units and reasons are in ``conf/``."""

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.config.training import Hyperparameters
from multifield.core.strict_types import Flag, Integer, Real, Text

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Method:
    """One way to train a network that shall be right on suites it has never seen."""

    name: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")  # in tables and names of files
    # of each training map, drawn anew each time it is shown, [standard deviations of the log maps]
    noise: Real = Field(ge=0)  # at most, of a pixel
    offset: Real = Field(ge=0)  # of a number added to the whole map
    contrast: Real = Field(ge=0)  # of the ln of a factor of the whole map
    smoothing_widths: tuple[Real, ...]  # [pixels]; every training map is shown at these too
    alignment: Real = Field(ge=0)  # weight of the discrepancy between the features of suites
    unlabelled: Flag  # maps of the suite held back are aligned with, too, without their parameters
    own_scale: Flag  # maps of each suite have its own mean and std, the suite held back too
    # A field that is right from suite to suite: training maps of the suite held back are trained on too,
    # with the parameters that a network of this field infers of their simulations; None: they are not
    teacher: Text | None
    widen: Flag  # sigma, by how far suites disagree
    mixture: Flag  # a network of each suite, whose posteriors are mixed in equal parts

    @model_validator(mode="after")
    def _unlabelled_maps_are_aligned_with(self) -> "Method":
        if self.unlabelled and not self.alignment:
            raise ValueError(
                f"methods.{self.name}.alignment: expected > 0 with unlabelled maps, which nothing else uses"
            )
        return self

    @model_validator(mode="after")
    def _taught_maps_are_labelled(self) -> "Method":
        if self.teacher is not None and self.unlabelled:
            raise ValueError(
                f"methods.{self.name}.unlabelled: expected false with a teacher, who labels the maps"
            )
        return self

    @model_validator(mode="after")
    def _a_mixture_is_of_suites_alone(self) -> "Method":
        if self.mixture and (self.alignment or self.widen or self.teacher is not None):
            raise ValueError(
                f"methods.{self.name}.mixture: expected no alignment, widen or teacher with it, as each "
                f"network sees one suite, got alignment {self.alignment:g}, widen {self.widen}, "
                f"teacher {self.teacher}"
            )
        return self


PLAIN = Method(
    name="one_suite",
    noise=0.0,
    offset=0.0,
    contrast=0.0,
    smoothing_widths=(),
    alignment=0.0,
    unlabelled=False,
    own_scale=False,
    teacher=None,
    widen=False,
    mixture=False,
)
"""No method: the network of one suite, with which the others are compared."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RobustnessConfig:
    """Suites, fields, scales and methods."""

    suites: tuple[Text, ...] = Field(min_length=2)  # each trained on alone, and tested on by all
    held_back: Text  # one of them, whose parameters no method sees
    fields: tuple[Text, ...] = Field(min_length=1)  # each may join several with _
    studied: tuple[Text, ...] = Field(min_length=1)  # of the fields; others at one smoothing alone
    # [pixels] Training and test maps are smoothed by each; methods are measured at the first
    smoothing_widths: tuple[Real, ...] = Field(min_length=1)
    epochs: Integer = Field(ge=1)  # of every network; in the place of those of `training`
    orientations: Integer = Field(ge=1, le=8)  # copies of each test map
    clip: Real = Field(gt=0)  # squared pulls above are left out of the clipped chi2
    methods: tuple[Method, ...]

    @field_validator("suites", "fields", "studied", "smoothing_widths")
    @classmethod
    def _each_once(cls, values: tuple[str | float, ...]) -> tuple[str | float, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"expected each once, got {', '.join(map(str, values))}")
        return values

    @field_validator("smoothing_widths")
    @classmethod
    def _widths_are_lengths(cls, widths: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= width < float("inf") for width in widths):
            raise ValueError(f"expected finite widths >= 0 pixels, got {widths}")
        return widths

    @model_validator(mode="after")
    def _suites_have_the_fields(self) -> "RobustnessConfig":
        for suite in self.suites:
            for field in self.fields:
                camels.parse_fields(field, suite)
        return self

    @model_validator(mode="after")
    def _studied_are_tested(self) -> "RobustnessConfig":
        for field in self.studied:
            if field not in self.fields:
                raise ValueError(
                    f"studied: expected some of {', '.join(self.fields)}, got {field!r}"
                )
        return self

    @model_validator(mode="after")
    def _one_is_held_back(self) -> "RobustnessConfig":
        if self.held_back not in self.suites:
            raise ValueError(
                f"held_back: expected one of {', '.join(self.suites)}, got {self.held_back!r}"
            )
        return self

    @model_validator(mode="after")
    def _methods_have_names(self) -> "RobustnessConfig":
        names = [PLAIN.name, *(method.name for method in self.methods)]
        if len(set(names)) < len(names):
            raise ValueError(f"methods: expected names of their own, got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _teachers_are_tested(self) -> "RobustnessConfig":
        possible = [field for field in self.fields if field not in self.studied]
        for method in self.methods:
            if method.teacher is not None and method.teacher not in possible:
                raise ValueError(
                    f"methods.{method.name}.teacher: expected one of the fields that are not studied, "
                    f"{', '.join(possible) or 'of which there is none'}, got {method.teacher!r}"
                )
        return self

    @model_validator(mode="after")
    def _suites_can_disagree(self) -> "RobustnessConfig":
        if len(self.suites) < 3 and any(method.widen for method in self.methods):
            raise ValueError(
                "methods.widen: expected two suites beside the one held back, whose networks can disagree, "
                f"got {', '.join(self.training_suites)}"
            )
        return self

    @property
    def training_suites(self) -> tuple[str, ...]:
        """Suites that methods are trained on: all but the one held back."""
        return tuple(suite for suite in self.suites if suite != self.held_back)

    @property
    def single_fields(self) -> tuple[str, ...]:
        """Every field that is needed, once, in CMD's order."""
        needed = {name for field in self.fields for name in field.split("_")}
        return tuple(name for name in camels.FIELDS if name in needed)

    @property
    def all_widths(self) -> tuple[float, ...]:
        """Every smoothing that is needed [pixels], in rising order."""
        extra = {width for method in self.methods for width in method.smoothing_widths}
        return tuple(sorted({*self.smoothing_widths, *extra}))


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ScorerConfig:
    """The one network that infers from any set of the fields, by which sets are ranked."""

    hyperparameters: Hyperparameters
    epochs: Integer = Field(ge=1)
    networks: Integer = Field(ge=1)  # the best by validation loss ranks the sets
    maps_per_set: Integer = Field(ge=2)  # of a batch, shown in the same set; divides the batch
    orientations: Integer = Field(ge=1, le=8)  # in which it looks at each validation map


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchConfig:
    """Which sets are ranked, and which of them are trained from scratch."""

    exhaustive_up_to: Integer = Field(ge=0)  # [fields] of which all sets are ranked
    per_size: Integer = Field(ge=1)  # sets of each size to train, the best for each goal
    margin: Integer = Field(
        ge=0
    )  # [fields] fewer and more than the smallest set found, trained too


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FinalistConfig:
    """The networks trained from scratch, each on one set of fields, as `train` does."""

    networks: Integer = Field(ge=1)  # of each set; the best by validation loss is tested


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SelectFieldsConfig:
    """How the smallest sets of fields are looked for."""

    fractions: tuple[Real, ...] = Field(min_length=1)  # of the information in all fields
    scorer: ScorerConfig
    search: SearchConfig
    finalists: FinalistConfig

    @field_validator("fractions")
    @classmethod
    def _within_zero_and_one(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise ValueError(f"expected numbers above 0 and up to 1, got {fractions}")
        if list(fractions) != sorted(set(fractions)):
            raise ValueError(f"expected rising numbers, each once, got {fractions}")
        return fractions


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BaselinesConfig:
    """Statistics of a map and the polynomial in them."""

    n_bins: Integer = Field(ge=1)  # of the power spectrum, see `maps.power_spectrum`
    n_quantiles: Integer = Field(ge=1)  # of the pixels
    degree: Integer = Field(ge=1, le=5)  # of the polynomial in each number, without products of two
