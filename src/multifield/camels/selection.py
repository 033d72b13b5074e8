"""Selection of the maps of a run."""

from pydantic import ConfigDict, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield.camels.schema import SimulationSet
from multifield.camels.suites import find_set, find_suite, parse_fields
from multifield.core.strict_types import Text


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Selection:
    """A suite, a set of its simulations and one or several fields.

    Attributes
    ----------
    suite : str
        Name of the suite.
    sim_set : str
        Name of the set of simulations.
    field : str
        Field, or fields joined with ``_`` in channel order.
    """

    suite: Text
    sim_set: Text
    field: Text

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
    def simulations(self) -> SimulationSet:
        """Set of the simulations, with its parameters, box and number of maps."""
        return find_set(self.sim_set, self.suite)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in channel order."""
        return parse_fields(self.field, self.suite)
