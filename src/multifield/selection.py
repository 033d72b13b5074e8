"""Which maps a run is about."""

from pydantic import ConfigDict, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.core.strict_types import Text


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Selection:
    """A suite, a set of its simulations and one or several fields."""

    suite: Text
    sim_set: Text
    field: Text  # several joined with _, in channel order

    @field_validator("suite")
    @classmethod
    def _known_suite(cls, suite: str) -> str:
        return camels.find_suite(suite).name

    @model_validator(mode="after")
    def _suite_has_them(self) -> "Selection":
        camels.find_set(self.sim_set, self.suite)
        camels.parse_fields(self.field, self.suite)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, which are the channels, in order."""
        return camels.parse_fields(self.field, self.suite)
