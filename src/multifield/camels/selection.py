"""Selection of the maps of a run."""

from pydantic import ConfigDict, field_validator, model_validator
from pydantic.dataclasses import dataclass

from multifield.camels.fields import BOX_SIZE, MAPS_PER_SIMULATION
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
        found = find_set(self.sim_set, self.suite)
        if found.maps_per_simulation != MAPS_PER_SIMULATION:
            raise ValueError(
                f"sim_set: Expected boxes of {BOX_SIZE:g} Mpc/h with {MAPS_PER_SIMULATION} maps per "
                f"simulation, got {self.sim_set!r} ({found.box:g} Mpc/h, "
                f"{found.maps_per_simulation} maps), whose maps are not supported yet."
            )
        parse_fields(self.field, self.suite)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in channel order."""
        return parse_fields(self.field, self.suite)
