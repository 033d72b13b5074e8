"""Settings of `robustness`, `select_fields`, `baselines` and `explain`. Values are in ``conf/``."""

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.training import Hyperparameters
from multifield.core.strict_types import Flag, Integer, Real, Text

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Method:
    """A training method for networks that are tested on the held-out suite.

    Disturbances are drawn anew for each training map and epoch, in standard deviations of the log
    maps.

    Attributes
    ----------
    name : str
        Name in tables and files.
    noise : float
        Largest standard deviation of the noise per pixel.
    offset : float
        Standard deviation of a number added to the whole map.
    contrast : float
        Standard deviation of the logarithm of a factor of the whole map.
    smoothing_widths : tuple of float
        Smoothing widths [pixels] of further copies of each training map.
    alignment : float
        Weight in the loss of the discrepancy between the features of suites.
    unlabelled : bool
        Whether maps of the held-out suite are aligned too, without their parameters.
    own_scale : bool
        Whether maps of each suite, also of the held-out one, are standardized by its own mean and
        standard deviation.
    teacher : str or None
        Field whose network infers parameters of the held-out suite's training simulations. Their
        maps are then trained on with these parameters. None trains on no maps of the held-out
        suite.
    widen : bool
        Whether standard deviations are widened by the disagreement between suites.
    mixture : bool
        Whether the posterior is an equal mixture of one network per suite.
    """

    name: Text = Field(pattern=r"^[a-z][a-z0-9_]*$")
    noise: Real = Field(ge=0)
    offset: Real = Field(ge=0)
    contrast: Real = Field(ge=0)
    smoothing_widths: tuple[Real, ...]
    alignment: Real = Field(ge=0)
    unlabelled: Flag
    own_scale: Flag
    teacher: Text | None
    widen: Flag
    mixture: Flag

    @model_validator(mode="after")
    def _unlabelled_maps_are_aligned_with(self) -> "Method":
        if self.unlabelled and not self.alignment:
            raise ValueError(
                f"methods.{self.name}.alignment: Expected > 0 with unlabelled maps, got {self.alignment:g}."
            )
        return self

    @model_validator(mode="after")
    def _taught_maps_are_labelled(self) -> "Method":
        if self.teacher is not None and self.unlabelled:
            raise ValueError(
                f"methods.{self.name}.unlabelled: Expected false with a teacher, which gives labels, "
                "got true."
            )
        return self

    @model_validator(mode="after")
    def _a_mixture_is_of_suites_alone(self) -> "Method":
        if self.mixture and (self.alignment or self.widen or self.teacher is not None):
            raise ValueError(
                f"methods.{self.name}.mixture: Expected no alignment, widen or teacher with a mixture "
                f"of networks of one suite, got alignment {self.alignment:g}, widen {self.widen}, "
                f"teacher {self.teacher}."
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
"""The reference: training on one suite without any method."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RobustnessConfig:
    """Suites, fields, scales and methods of the robustness study.

    Attributes
    ----------
    suites : tuple of str
        Suites. One network is trained on each and tested on all. ``<suite>@<set>`` names a set of its
        own; the others have the set of the run.
    held_back : str
        Held-out suite, whose parameters no method uses.
    fields : tuple of str
        Fields, or fields joined with ``_``.
    studied : tuple of str
        Fields that are trained at all smoothing widths and with all methods. Others are trained at
        the first width only.
    smoothing_widths : tuple of float
        Smoothing widths of training and test maps [pixels]. Methods use the first.
    epochs : int
        Number of epochs of every network, instead of that of ``training``.
    orientations : int
        Number of orientations of each test map.
    clip : float
        Squared pulls above are excluded from the clipped chi2.
    methods : tuple of Method
        Training methods.
    """

    suites: tuple[Text, ...] = Field(min_length=2)
    held_back: Text
    fields: tuple[Text, ...] = Field(min_length=1)
    studied: tuple[Text, ...] = Field(min_length=1)
    smoothing_widths: tuple[Real, ...] = Field(min_length=1)
    epochs: Integer = Field(ge=1)
    orientations: Integer = Field(ge=1, le=8)
    clip: Real = Field(gt=0)
    methods: tuple[Method, ...]

    @field_validator("suites", "fields", "studied", "smoothing_widths")
    @classmethod
    def _each_once(cls, values: tuple[str | float, ...]) -> tuple[str | float, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"Expected each value once, got {', '.join(map(str, values))}.")
        return values

    @field_validator("smoothing_widths")
    @classmethod
    def _widths_are_lengths(cls, widths: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 <= width < float("inf") for width in widths):
            raise ValueError(f"Expected finite widths >= 0 [pixels], got {widths}.")
        return widths

    @model_validator(mode="after")
    def _suites_have_the_fields(self) -> "RobustnessConfig":
        for entry in self.suites:
            suite, _, own_set = entry.partition("@")
            for field in self.fields:
                camels.parse_fields(field, suite)
            if own_set:
                camels.find_set(own_set, suite)
        return self

    @model_validator(mode="after")
    def _studied_are_tested(self) -> "RobustnessConfig":
        for field in self.studied:
            if field not in self.fields:
                raise ValueError(
                    f"studied: Expected some of {', '.join(self.fields)}, got {field!r}."
                )
        return self

    @model_validator(mode="after")
    def _one_is_held_back(self) -> "RobustnessConfig":
        if self.held_back not in self.suites:
            raise ValueError(
                f"held_back: Expected one of {', '.join(self.suites)}, got {self.held_back!r}."
            )
        return self

    @model_validator(mode="after")
    def _methods_have_names(self) -> "RobustnessConfig":
        names = [PLAIN.name, *(method.name for method in self.methods)]
        if len(set(names)) < len(names):
            raise ValueError(f"methods: Expected different names, got {', '.join(names)}.")
        return self

    @model_validator(mode="after")
    def _teachers_are_tested(self) -> "RobustnessConfig":
        possible = [field for field in self.fields if field not in self.studied]
        for method in self.methods:
            if method.teacher is not None and method.teacher not in possible:
                raise ValueError(
                    f"methods.{method.name}.teacher: Expected a field that is not in studied "
                    f"({', '.join(possible) or 'there is none'}), got {method.teacher!r}."
                )
        return self

    @model_validator(mode="after")
    def _suites_can_disagree(self) -> "RobustnessConfig":
        if len(self.suites) < 3 and any(method.widen for method in self.methods):
            raise ValueError(
                "methods.widen: Expected two suites besides the held-out one, got "
                f"{', '.join(self.training_suites)}."
            )
        return self

    def selections(self, sim_set: str) -> dict[str, Selection]:
        """Choose the set of each suite.

        Parameters
        ----------
        sim_set : str
            Set of the suites without a set of their own.

        Returns
        -------
        selections : dict of str to Selection
            Suite, set and single fields, by the entries of `suites`.
        """
        parts = {entry: entry.partition("@") for entry in self.suites}
        field = "_".join(self.single_fields)
        return {
            entry: Selection(suite=suite, sim_set=own_set or sim_set, field=field)
            for entry, (suite, _, own_set) in parts.items()
        }

    @property
    def training_suites(self) -> tuple[str, ...]:
        """Suites that methods train on: all but the held-out one."""
        return tuple(suite for suite in self.suites if suite != self.held_back)

    @property
    def single_fields(self) -> tuple[str, ...]:
        """All single fields, in CMD's order."""
        needed = {name for field in self.fields for name in field.split("_")}
        return tuple(name for name in camels.FIELDS if name in needed)

    @property
    def all_widths(self) -> tuple[float, ...]:
        """All smoothing widths [pixels], in rising order."""
        extra = {width for method in self.methods for width in method.smoothing_widths}
        return tuple(sorted({*self.smoothing_widths, *extra}))


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ScorerConfig:
    """Network that infers from any set of the fields, which ranks the sets.

    Attributes
    ----------
    hyperparameters : Hyperparameters
        Hyperparameters of the network.
    epochs : int
        Number of epochs.
    networks : int
        Number of networks. The best by validation loss ranks the sets.
    maps_per_set : int
        Number of maps per batch with the same set, a divisor of the batch size.
    orientations : int
        Number of orientations of each validation map.
    """

    hyperparameters: Hyperparameters
    epochs: Integer = Field(ge=1)
    networks: Integer = Field(ge=1)
    maps_per_set: Integer = Field(ge=2)
    orientations: Integer = Field(ge=1, le=8)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchConfig:
    """Choice of the sets that are ranked and trained from scratch.

    Attributes
    ----------
    exhaustive_up_to : int
        Largest number of fields of which all sets are ranked. A greedy search ranks more fields.
    per_size : int
        Number of trained sets per size and goal, the best ranked.
    margin : int
        Largest difference in size between the smallest sufficient set and other trained sets.
    """

    exhaustive_up_to: Integer = Field(ge=0)
    per_size: Integer = Field(ge=1)
    margin: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class FinalistConfig:
    """Networks that are trained from scratch on one set of fields.

    Attributes
    ----------
    networks : int
        Number of networks per set. The best by validation loss is tested.
    """

    networks: Integer = Field(ge=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SelectFieldsConfig:
    """Search for the smallest sets of fields.

    Attributes
    ----------
    fractions : tuple of float
        Goals: shares of the information in all fields.
    scorer : ScorerConfig
        Network that ranks the sets.
    search : SearchConfig
        Choice of the sets.
    finalists : FinalistConfig
        Networks that are trained from scratch.
    """

    fractions: tuple[Real, ...] = Field(min_length=1)
    scorer: ScorerConfig
    search: SearchConfig
    finalists: FinalistConfig

    @field_validator("fractions")
    @classmethod
    def _within_zero_and_one(cls, fractions: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise ValueError(f"Expected numbers above 0 and up to 1, got {fractions}.")
        if list(fractions) != sorted(set(fractions)):
            raise ValueError(f"Expected rising numbers, each once, got {fractions}.")
        return fractions


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BaselinesConfig:
    """Polynomial regression on statistics of the maps.

    Attributes
    ----------
    n_bins : int
        Number of bins of the power spectrum, see `multifield.maps.power_spectrum`.
    n_quantiles : int
        Number of quantiles of the pixels.
    degree : int
        Degree of the polynomial in each statistic. There are no products of two statistics.
    """

    n_bins: Integer = Field(ge=1)
    n_quantiles: Integer = Field(ge=1)
    degree: Integer = Field(ge=1, le=5)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ExplainConfig:
    """What is removed from maps, to find what a network reads.

    Attributes
    ----------
    k_cuts : tuple of float
        Wave numbers between large and small scales [h/Mpc], rising, below Nyquist.
    smoothing_widths : tuple of float
        Widths of the Gaussian smoothing [pixels].
    density_width : float
        Width of the smoothing that defines the density of environments [pixels].
    void_share : float
        Share of the pixels that are voids, those of lowest density.
    knot_share : float
        Share of the pixels that are knots, those of highest density.
    degree : int
        Degree of the polynomial in each statistic.
    orientations : int
        Number of orientations of each map that a network infers from.
    """

    k_cuts: tuple[Real, ...] = Field(min_length=1)
    smoothing_widths: tuple[Real, ...]
    density_width: Real = Field(ge=0)
    void_share: Real = Field(gt=0, lt=1)
    knot_share: Real = Field(gt=0, lt=1)
    degree: Integer = Field(ge=1, le=5)
    orientations: Integer = Field(ge=1, le=8)

    @field_validator("k_cuts", "smoothing_widths")
    @classmethod
    def _rising_and_positive(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if list(values) != sorted(set(values)) or not all(
            0 < each < float("inf") for each in values
        ):
            raise ValueError(f"Expected rising numbers > 0, each once, got {values}.")
        return values

    @model_validator(mode="after")
    def _filaments_are_left(self) -> "ExplainConfig":
        if self.void_share + self.knot_share >= 1:
            raise ValueError(
                "void_share: Expected less than 1 together with knot_share, so that filaments are "
                f"left, got {self.void_share:g} and {self.knot_share:g}."
            )
        return self
