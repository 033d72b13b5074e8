"""Settings of trainings. Values, reasons and sources are in ``conf/``."""

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

LossName = Literal["moments", "nll"]
"""Names in `multifield.training.loss.LOSSES`."""

HeadName = Literal["diagonal", "autoregressive", "flow"]
"""Names in `multifield.models.heads.HEADS`."""

Schedule = Literal["cyclic", "one_cycle"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Hyperparameters:
    """Hyperparameters of one trial, with the names of the published studies.

    Attributes
    ----------
    lr : float
        Highest learning rate.
    wd : float
        Weight decay of AdamW.
    dr : float
        Dropout probability.
    hidden : int
        Width of the network. The first block of the published one has ``2 * hidden`` channels.
    """

    lr: Real = Field(ge=0)
    wd: Real = Field(ge=0)
    dr: Real = Field(ge=0, lt=1)
    hidden: Integer = Field(ge=1)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """Settings of the training of every network.

    Attributes
    ----------
    architecture : str
        Name of the architecture, or ``module:Class``.
    head : {"diagonal", "autoregressive", "flow"}
        Posterior that the outputs of a network describe.
    parameters : {"all", "cosmology"} or names
        Inferred parameters: all that affect the maps, the cosmological ones of them, or named ones.
        Names are joined with ``+`` or in a list.
    pretrained : Path or None
        File of initial weights. None starts from random ones.
    epochs : int
        Number of epochs.
    batch_size : int
        Number of maps per batch. Batch normalization needs two.
    maps_per_epoch : int
        Number of maps after which an epoch ends.
    loss : {"moments", "nll"}
        Loss that is minimized.
    judged_by : {"moments", "nll"}
        Loss that is reported and used for model selection.
    schedule : {"cyclic", "one_cycle"}
        Schedule of the learning rate.
    warm_up : float
        Share of all steps with rising learning rate, for ``one_cycle``.
    lr_min : float
        Lowest learning rate of a cycle.
    steps_up, steps_down : int
        Number of batches from `lr_min` to ``lr`` and back, for ``cyclic``.
    betas : (float, float)
        Decay rates of AdamW's averages of the gradient and of its square.
    max_gradient_norm : float
        Norm to which longer gradients are clipped. 0 clips none.
    weight_averaging : float
        Decay rate per step of the moving average of the weights. 0 averages none.
    eval_orientations : int
        Number of orientations of each validation and test map.
    flips : bool
        Whether training maps are flipped, besides rotations. The published code only rotates.
    shifts : bool
        Whether training maps are shifted periodically.
    seed : int
        Seed of the training.
    checkpoint_every : int
        Number of epochs between checkpoints. 0 writes none.
    device : {"auto", "cpu", "cuda", "mps"}
        Device of the training.
    precision : {"auto", "float32", "tfloat32", "bfloat16"}
        Precision of the convolutions in training.
    compile : {"auto", "never", "always"}
        Whether the training step is compiled with `torch.compile`.
    cudnn_benchmark : bool
        Whether cuDNN measures its algorithms and uses the fastest.
    n_threads : int
        Number of PyTorch CPU threads. 0 keeps PyTorch's default.
    loader_threads : int
        Number of threads that make batches. 0 uses all cores.
    prefetch : int
        Number of batches made in advance.
    resident : {"auto", "never", "always"}
        Whether all maps are stored on the device.
    """

    architecture: Architecture
    head: HeadName
    parameters: Text | list[Text]
    pretrained: FilePath | None
    epochs: Integer = Field(ge=1)
    batch_size: Integer = Field(ge=2)
    maps_per_epoch: Integer = Field(ge=0)
    loss: LossName
    judged_by: LossName
    schedule: Schedule
    warm_up: Real = Field(gt=0, lt=1)
    lr_min: Real = Field(ge=0)
    steps_up: Integer = Field(ge=1)
    steps_down: Integer = Field(ge=1)
    betas: tuple[Real, Real]
    max_gradient_norm: Real = Field(ge=0)
    weight_averaging: Real = Field(ge=0, lt=1)
    eval_orientations: Integer = Field(ge=1, le=8)
    flips: Flag
    shifts: Flag
    seed: Seed
    checkpoint_every: Integer = Field(ge=0)
    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "float32", "tfloat32", "bfloat16"]
    compile: Literal["auto", "never", "always"]
    cudnn_benchmark: Flag
    n_threads: Integer = Field(ge=0)
    loader_threads: Integer = Field(ge=0)
    prefetch: Integer = Field(ge=0)
    resident: Literal["auto", "never", "always"]

    @model_validator(mode="after")
    def _loss_of_head(self) -> "TrainingConfig":
        if self.head != "diagonal" and "moments" in (self.loss, self.judged_by):
            name = "loss" if self.loss == "moments" else "judged_by"
            raise ValueError(
                f"{name}: Expected nll with head={self.head}, got moments, which infers independent "
                "means and standard deviations. Set training.head=diagonal with it."
            )
        return self

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"Expected two numbers in [0, 1), got {betas}.")
        return betas


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ExecutionConfig:
    """Processes that train.

    Attributes
    ----------
    workers : int
        Number of processes on this machine. 1 trains in this process, 0 starts one per GPU.
    scheduler : str or None
        Address or scheduler file of a Dask cluster, whose workers train instead.
    """

    workers: Integer = Field(ge=0)
    scheduler: Text | None

    @model_validator(mode="after")
    def _one_of_them(self) -> "ExecutionConfig":
        if self.scheduler is not None and self.workers != 1:
            raise ValueError(
                f"workers: Expected 1 with scheduler={self.scheduler}, got {self.workers}. Start the "
                "workers of a cluster with `dask worker`."
            )
        return self


# Settings that change no result beyond the order of sums; and the seed, which varies between
# trials. `resident`, which rounds the maps, and `precision` change results.
NO_CAUSES = (
    *("device", "n_threads", "compile", "cudnn_benchmark"),
    *("loader_threads", "prefetch", "checkpoint_every", "seed"),
)


def list_causes(config: TrainingConfig) -> dict[str, str]:
    """List the settings that change the result of a training.

    Settings of the other schedule are omitted. The file `pretrained` is listed by its checksum.

    Parameters
    ----------
    config : TrainingConfig
        Settings of the training.

    Returns
    -------
    causes : dict of str to str
        Values by name in ``conf/``.
    """
    unread = ("warm_up",) if config.schedule == "cyclic" else ("lr_min", "steps_up", "steps_down")
    if config.parameters == "all":  # as before there was this setting
        unread = (*unread, "parameters")
    values = asdict(config)
    if config.pretrained is not None:
        values["pretrained"] = f"SHA-256 {sha256(config.pretrained)}"
    return {
        f"training.{name}": str(value)
        for name, value in values.items()
        if name not in (*NO_CAUSES, *unread)
    }
