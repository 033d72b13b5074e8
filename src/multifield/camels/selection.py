"""Which maps a run is about."""

from pydantic import ConfigDict, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield.camels.sets import find_set
from multifield.camels.suites import find_suite, parse_fields
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
        return find_suite(suite).name

    @model_validator(mode="after")
    def _suite_has_them(self) -> "Selection":
        find_set(self.sim_set, self.suite)
        parse_fields(self.field, self.suite)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, which are the channels, in order."""
        return parse_fields(self.field, self.suite)
