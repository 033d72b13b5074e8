"""How a network is tested."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.core.strict_types import Integer, Real

WhichSimulations = Literal["auto", "held_out", "all"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BootstrapConfig:
    """How errors of scores are estimated."""

    n_resamples: Integer = Field(ge=100)
    level: Real = Field(gt=0, lt=1)  # share of resamples inside an interval
    seed: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CalibrationConfig:
    """Draws of the tests that need them."""

    n_draws: Integer = Field(ge=20)  # posterior draws L, of SBC and TARP
    seed: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EvaluationConfig:
    """Testing of the best networks of a study."""

    orientations: Integer = Field(ge=1, le=8)  # copies of each test map; 8 are all of the square's
    shifts: Integer = Field(ge=0)  # random periodic shifts of each orientation, beside the results
    shifts_seed: Integer = Field(ge=0)
    precision: Literal[
        "float32", "bfloat16"
    ]  # of convolutions, of the results but not of shifted maps
    top_k: Integer = Field(ge=1)  # trials to test, by validation loss
    simulations: WhichSimulations
    smoothing_width: Real = Field(ge=0)  # [pixels], of the test maps
    saliency_steps: Integer = Field(ge=1)  # of the integrated gradients from the baseline to a map
    not_inferred: Literal["drop", "keep"]  # outputs for parameters that do not act in the suite
    bootstrap: BootstrapConfig
    calibration: CalibrationConfig
