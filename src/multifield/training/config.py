"""What a training run needs to be told. Values, units and sources are in ``conf/``."""

from typing import Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic.dataclasses import dataclass

Architecture = Literal["o3_err"]
"""Names in `multifield.models.ARCHITECTURES`, here so that a configuration is read without PyTorch."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Hyperparameters:
    """What differs from trial to trial, under the published studies' names."""

    lr: float = Field(ge=0)  # highest learning rate of a cycle
    wd: float = Field(ge=0)  # AdamW's weight decay
    dr: float = Field(ge=0, lt=1)  # dropout probability
    hidden: int = Field(ge=1)  # half the channels of the first block


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """How every network is trained."""

    architecture: Architecture
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=2)  # [maps]; batch normalization needs two
    maps_per_epoch: int = Field(ge=0)  # an epoch ends once more than so many maps were seen
    lr_min: float = Field(ge=0)  # lowest learning rate of a cycle
    steps_up: int = Field(ge=1)  # [batches] from lr_min to lr
    steps_down: int = Field(ge=1)  # [batches] from lr to lr_min
    betas: tuple[float, float]  # AdamW's memories of the gradient and of its square
    eval_orientations: int = Field(ge=1, le=8)  # copies of each validation and test map
    flips: bool  # whether training flips maps, or rotates them alone as the published code
    shifts: bool  # whether training rolls maps, which are periodic
    seed: int = Field(ge=0)
    device: Literal["auto", "cpu", "cuda", "mps"]
    n_threads: int = Field(ge=0)  # 0: all

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"expected two numbers in [0, 1), got {betas}")
        return betas
