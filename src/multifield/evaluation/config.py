"""How a network is tested."""

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EvaluationConfig:
    """Testing of the best network of a study."""

    orientations: int = Field(ge=1, le=8)  # copies of each test map; 8 are all of the square's
