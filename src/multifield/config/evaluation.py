"""Settings of the test of networks. Values and reasons are in ``conf/``."""

from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from multifield.config.draws import DrawsConfig
from multifield.core.strict_types import Integer, Real

WhichSimulations = Literal["auto", "held_out", "all"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BootstrapConfig:
    """Bootstrap of the metrics.

    Attributes
    ----------
    n_resamples : int
        Number of resamples of the simulations.
    level : float
        Share of the resamples inside an interval.
    seed : int
        Seed of the resamples.
    """

    n_resamples: Integer = Field(ge=100)
    level: Real = Field(gt=0, lt=1)
    seed: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CalibrationConfig:
    """Draws of the calibration tests.

    Attributes
    ----------
    n_draws : int
        Number of posterior draws per map.
    seed : int
        Seed of the draws.
    """

    n_draws: Integer = Field(ge=20)
    seed: Integer = Field(ge=0)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EvaluationConfig:
    """Test of the best networks of a study.

    Attributes
    ----------
    orientations : int
        Number of orientations of each test map. 8 are all symmetries of the square.
    shifts : int
        Number of random periodic shifts of each orientation. They enter ``levels.csv`` only.
    shifts_seed : int
        Seed of the shifts.
    precision : {"float32", "bfloat16"}
        Precision of the convolutions. Shifted maps always use float32.
    top_k : int
        Number of tested trials, by validation loss.
    simulations : {"auto", "held_out", "all"}
        Tested simulations. ``auto`` takes the held-out ones of a latin hypercube and all of other
        sets.
    smoothing_width : float
        Width of the Gaussian smoothing of the test maps [pixels].
    saliency_steps : int
        Number of steps of the integrated gradients from the baseline to a map.
    not_inferred : {"drop", "keep"}
        Whether outputs for parameters without effect in the suite are replaced by NaN.
    bootstrap : BootstrapConfig
        Bootstrap of the metrics.
    calibration : CalibrationConfig
        Draws of the calibration tests.
    draws : DrawsConfig
        Files of posterior draws.
    """

    orientations: Integer = Field(ge=1, le=8)
    shifts: Integer = Field(ge=0)
    shifts_seed: Integer = Field(ge=0)
    precision: Literal["float32", "bfloat16"]
    top_k: Integer = Field(ge=1)
    simulations: WhichSimulations
    smoothing_width: Real = Field(ge=0)
    saliency_steps: Integer = Field(ge=1)
    not_inferred: Literal["drop", "keep"]
    bootstrap: BootstrapConfig
    calibration: CalibrationConfig
    draws: DrawsConfig
