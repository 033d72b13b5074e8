"""What a training run needs to be told. Values, units and sources are in ``conf/``."""

from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    FilePath,
    Strict,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from multifield.core.checksums import sha256
from multifield.core.strict_types import Flag, Integer, Real, Seed, Text
from multifield.models.registry import check_architecture

Architecture = Annotated[str, Strict(), AfterValidator(check_architecture)]

LossName = Literal["moments", "gaussian"]
"""Names in `multifield.training.loss.LOSSES`, likewise."""

Schedule = Literal["cyclic", "one_cycle"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Hyperparameters:
    """What differs from trial to trial, under the published studies' names."""

    lr: Real = Field(ge=0)  # highest learning rate of a cycle
    wd: Real = Field(ge=0)  # AdamW's weight decay
    dr: Real = Field(ge=0, lt=1)  # dropout probability
    hidden: Integer = Field(ge=1)  # half the channels of the first block


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """How every network is trained."""

    architecture: Architecture
    pretrained: FilePath | None  # weights to begin with, in the place of random ones
    epochs: Integer = Field(ge=1)
    batch_size: Integer = Field(ge=2)  # [maps]; batch normalization needs two
    maps_per_epoch: Integer = Field(ge=0)  # an epoch ends once more than so many maps were seen
    loss: LossName  # that is minimized
    judged_by: LossName  # loss that is told, and by which epochs and trials are chosen
    schedule: Schedule  # of the learning rate
    warm_up: Real = Field(gt=0, lt=1)  # of all steps, one_cycle's share on the way up
    lr_min: Real = Field(ge=0)  # lowest learning rate of a cycle
    steps_up: Integer = Field(ge=1)  # [batches] from lr_min to lr
    steps_down: Integer = Field(ge=1)  # [batches] from lr to lr_min
    betas: tuple[Real, Real]  # AdamW's memories of the gradient and of its square
    max_gradient_norm: Real = Field(ge=0)  # longer gradients are shortened to it; 0: none
    weight_averaging: Real = Field(ge=0, lt=1)  # memory of the averaged weights a step; 0: none
    eval_orientations: Integer = Field(ge=1, le=8)  # copies of each validation and test map
    flips: Flag  # whether training flips maps, or rotates them alone as the published code
    shifts: Flag  # whether training rolls maps, which are periodic
    seed: Seed
    checkpoint_every: Integer = Field(ge=0)  # [epochs]; 0: no checkpoints
    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "float32", "tfloat32", "bfloat16"]  # of convolutions while training
    compile: Literal["auto", "never", "always"]  # whether torch.compile makes the training step
    cudnn_benchmark: Flag  # whether cuDNN times its algorithms and takes the fastest; on CUDA alone
    n_threads: Integer = Field(ge=0)  # 0: PyTorch's own choice
    loader_threads: Integer = Field(ge=0)  # that make batches; 0: all cores
    prefetch: Integer = Field(ge=0)  # [batches] made ahead while one is in use
    resident: Literal["auto", "never", "always"]  # whether all maps live on the device

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"expected two numbers in [0, 1), got {betas}")
        return betas


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ExecutionConfig:
    """Where trainings run."""

    workers: Integer = Field(ge=0)  # processes of this machine; 1: this one; 0: one per GPU
    scheduler: Text | None  # address or scheduler file of a Dask cluster, whose workers are used

    @model_validator(mode="after")
    def _one_of_them(self) -> "ExecutionConfig":
        if self.scheduler is not None and self.workers != 1:
            raise ValueError(
                f"workers: Expected 1 with scheduler={self.scheduler}, whose workers are started apart "
                f"(`dask worker`), got {self.workers}."
            )
        return self


# Where it runs, in which order sums are made there, how batches get there and how often it is saved; and
# trials have seeds of their own. Not `resident`, which rounds the maps, nor `precision`.
NO_CAUSES = (
    *("device", "n_threads", "compile", "cudnn_benchmark"),
    *("loader_threads", "prefetch", "checkpoint_every", "seed"),
)


def list_causes(config: TrainingConfig) -> dict[str, str]:
    """List the settings that decide what a training computes, by their names in ``conf/``.

    What only the other schedule reads is left out. A file counts by what is in it.
    """
    unread = ("warm_up",) if config.schedule == "cyclic" else ("lr_min", "steps_up", "steps_down")
    values = asdict(config)
    if config.pretrained is not None:
        values["pretrained"] = f"SHA-256 {sha256(config.pretrained)}"
    return {
        f"training.{name}": str(value)
        for name, value in values.items()
        if name not in (*NO_CAUSES, *unread)
    }
