"""Parts of a training: network, optimizer, schedule, update step, loss of a set."""

import logging
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.core.arrays import Index
from multifield.data import Batch, SplitLoaders
from multifield.models.heads import Head, head_in
from multifield.models.network import Network, Sizes, check_fits, for_inference
from multifield.models.registry import BUILT_IN, build, import_architecture
from multifield.models.weights import load_weights
from multifield.training.device import BatchSource, DeviceBatch, choose_compile, on_device, place
from multifield.training.loss import LOSSES, LossSums
from multifield.training.precision import choose_precision, conv_dtype, set_numerics

ParameterList = tuple[Tensor, ...] | list[Tensor]

logger = logging.getLogger(__name__)


class NonFiniteLoss(ArithmeticError):  # noqa: N818
    """A loss or gradient is not finite. The network was not updated with it."""


def build_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    device: torch.device,
) -> Network:
    """Build a network for the maps of a suite, with random or pretrained weights.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    hyperparameters : Hyperparameters
        Dropout and width are used.
    config : TrainingConfig
        Settings of the training.
    device : torch.device
        Device of the network.

    Returns
    -------
    network : Network
        Network on the device.

    Raises
    ------
    ValueError
        If the device does not support the precision, or the pretrained network differs.
    """
    import_architecture(config.architecture)
    sizes = Sizes(hyperparameters.hidden, data.network_channels, data.map_size, len(data.space))
    network = build(config.architecture, hyperparameters.dr, sizes, config.head)
    if not data.periodic:
        network.mirror()
    if config.architecture not in BUILT_IN:
        check_fits(network, config.architecture)
    if config.pretrained is not None:
        start = load_weights(
            config.pretrained,
            hidden=hyperparameters.hidden,
            channels=data.network_channels,
            map_size=data.map_size,
            architecture=config.architecture,
            head=config.head,
        )
        if network.state_dict().keys() != start.state_dict().keys():
            kind = "periodic maps" if data.periodic else "cut-outs"
            raise ValueError(
                f"pretrained: Expected weights for {kind}, as the training maps, got those of "
                f"{config.pretrained} for others. Leave pretrained out."
            )
        network.load_state_dict(start.state_dict())
    precision = choose_precision(config.precision, device)
    network.conv_dtype = conv_dtype(precision)
    # fastest for convolutions on CPU and GPU; torch's stubs lack the argument
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiles = choose_compile(config.compile, device)
    if compiles:
        # discard what was compiled for earlier networks, with its CUDA graphs. Otherwise PyTorch
        # stops compiling at the fifth trial of a study, with a warning
        torch.compiler.reset()
        # in place, so names of the state dict stay. CUDA graphs avoid hundreds of kernel launches
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        # all batches that are compiled have one shape; see `loop`
        network.compile(dynamic=False, mode=mode)
    _log_device(device, precision, compiles=compiles)
    return network


def _log_device(device: torch.device, precision: str, *, compiles: bool) -> None:
    how = ", compiled" if compiles else ""
    logger.info("Training on %s in %s%s", device, precision, how)


def make_optimizer(
    network: Network, hyperparameters: Hyperparameters, config: TrainingConfig
) -> torch.optim.Optimizer:
    """Return AdamW, as in the benchmark, with fused updates."""
    groups: list[dict[str, object]] = [{"params": list(network.parameters())}]
    if not network.decays_biases:
        named = dict(network.named_parameters())
        biases = [named.pop(name) for name in list(named) if name.endswith("bias")]
        groups = [{"params": list(named.values())}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=hyperparameters.lr,
        betas=config.betas,
        weight_decay=hyperparameters.wd,
        fused=True,
    )


def make_schedule(
    optimizer: torch.optim.Optimizer,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    n_steps: int,
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return the schedule of the learning rate.

    ``cyclic`` changes linearly from lr_min to lr and back repeatedly, as published. ``one_cycle``
    rises to lr in the first `warm_up` of all `n_steps` and falls to a millionth of it, both along
    cosines.
    """
    if config.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=hyperparameters.lr,
            total_steps=n_steps + 1,  # it is called once more after the last step
            pct_start=config.warm_up,
            cycle_momentum=False,
        )
    return torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=config.lr_min,
        max_lr=hyperparameters.lr,
        step_size_up=config.steps_up,
        step_size_down=config.steps_down,
        cycle_momentum=False,
    )


def average_weights(network: nn.Module, config: TrainingConfig) -> AveragedModel | None:
    """Return the moving average of the weights of a network, if it is configured.

    The first steps are forgotten sooner than later ones. Running statistics of batch normalization
    are averaged as well.
    """
    if config.weight_averaging == 0:
        return None

    def add(averages: ParameterList, current: ParameterList, _: Tensor | int) -> None:
        # the module's count is on the CPU; reading the argument would wait for a GPU
        n = int(averaged.n_averaged)
        memory = min(config.weight_averaging, (1 + n) / (10 + n))
        if averages[0].is_floating_point():  # all tensors of one call have the same type
            torch._foreach_lerp_(averages, current, 1 - memory)
        else:  # counts of batches
            torch._foreach_copy_(averages, current)

    averaged = AveragedModel(network, multi_avg_fn=torch.no_grad()(add), use_buffers=True)
    return averaged


class StepLoss(NamedTuple):
    """Losses of a batch.

    Attributes
    ----------
    minimized : Tensor
        Loss that the step minimizes, a scalar.
    reported : Tensor
        Loss for reports and model selection, a scalar without gradient.
    """

    minimized: Tensor
    reported: Tensor


@runtime_checkable
class Objective(Protocol):
    """Loss that training steps minimize."""

    @property
    def needs_maps(self) -> bool:
        """Whether each batch must contain maps.

        If False, features suffice. They are computed once for a network that does not learn them.
        """

    def __call__(self, network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Return the losses of a batch for the inferred parameters, `columns`."""


class Folds(NamedTuple):
    """Parts of the simulations, each of which one member of a network leaves out.

    Attributes
    ----------
    n : int
        Number of parts.
    maps_per_simulation : int
        Number of consecutive maps per simulation.
    starts : tuple of int
        Number of the first map of each file. Several files may have the same simulations, smoothed
        differently, and a member leaves them out in all.
    """

    n: int
    maps_per_simulation: int
    starts: tuple[int, ...] = (0,)

    def of_maps(self, index: Index) -> Index:
        """Return the part of each map by its number, (B,)."""
        starts = np.array(self.starts)
        in_file = index - starts[np.searchsorted(starts, index, side="right") - 1]
        parts: Index = in_file // self.maps_per_simulation % self.n
        return parts

    def leave_out(self, batch: DeviceBatch) -> DeviceBatch:
        """Add to a batch which member leaves out each map."""
        left_out = torch.from_numpy(self.of_maps(batch.index))
        return replace(batch, left_out=left_out.to(batch.x.device))


@dataclass(frozen=True)
class PlainObjective:
    """Loss of the network's output for unchanged maps.

    Parameters
    ----------
    loss : str
        Name of the minimized loss in `multifield.training.loss.LOSSES`.
    judged_by : str
        Name of the loss for reports and model selection.
    """

    needs_maps: ClassVar[bool] = False
    loss: str = "moments"
    judged_by: str = "moments"

    def __call__(self, network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Return the losses of a batch."""
        outputs = batch.infer(network, batch.x)
        return self.of_outputs(head_in(network), outputs, batch, columns)

    def of_outputs(
        self, head: Head, outputs: Tensor, batch: DeviceBatch, columns: list[int]
    ) -> StepLoss:
        """Return the losses of the outputs of a network, (B, K O), by its head."""
        chosen = head, outputs, batch.theta[:, columns], columns, batch.maps_per_set
        minimized = LOSSES[self.loss](*chosen)
        if self.loss == self.judged_by:
            return StepLoss(minimized, minimized.detach())
        with torch.no_grad():
            return StepLoss(minimized, LOSSES[self.judged_by](*chosen, robust=True))


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch | DeviceBatch,
    inferred: tuple[int, ...],
    objective: Objective = PlainObjective(),
    *,
    step: int,
    max_gradient_norm: float = 0.0,
) -> float:
    """Update a network with one batch.

    Parameters
    ----------
    network : Module
        Network in training mode.
    optimizer : Optimizer
        Optimizer of its parameters.
    batch : Batch or DeviceBatch
        Maps and true parameters.
    inferred : tuple of int
        Columns of the inferred parameters.
    objective : Objective, optional
        Loss that the step minimizes. The default is the moment loss.
    step : int
        Number of previous updates, for the error message.
    max_gradient_norm : float, optional
        Largest norm of the gradient; longer ones are scaled down. 0 sets no limit.

    Returns
    -------
    loss : float
        Loss of the batch for reports, before the update.

    Raises
    ------
    NonFiniteLoss
        If the loss or the norm of the gradient is not finite. Nothing is updated then.
    """
    optimizer.zero_grad()
    loss, reported = objective(network, place(batch, device_of(network)), list(inferred))
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    gradient_norm = torch.nn.utils.get_total_norm(gradients)
    # one transfer: each number read from a GPU waits for it
    values = torch.stack((loss.detach(), gradient_norm, reported)).tolist()
    loss_value, norm_value, reported_value = values
    if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
        raise NonFiniteLoss(
            f"loss: Expected a finite loss and gradient, got loss {loss_value:g} and "
            f"gradient norm {norm_value:g} in step {step} at learning rate "
            f"{optimizer.param_groups[0]['lr']:g}, maps {batch.index.tolist()}."
        )
    if 0 < max_gradient_norm < norm_value:
        torch._foreach_mul_(gradients, max_gradient_norm / norm_value)
    optimizer.step()
    return float(reported_value)


def evaluate_loss(
    network: nn.Module,
    maps: BatchSource,
    orientations: range,
    inferred: tuple[int, ...],
    judged_by: str = "moments",
    before_batch: Callable[[], None] = lambda: None,
) -> float:
    """Compute the loss of a whole set, over all orientations.

    It is computed in float32 whatever the precision of training. The errors of a good network are
    as small as the rounding errors of bfloat16.

    Parameters
    ----------
    network : Module
        Network. It is left in evaluation mode.
    maps : BatchSource
        Source of batches.
    orientations : range
        Numbers of the orientations, from 0 to 7.
    inferred : tuple of int
        Columns of the inferred parameters.
    judged_by : str, optional
        Name of the loss.
    before_batch : callable, optional
        Function that is called before each batch. It may raise.

    Returns
    -------
    loss : float
        Loss of the set.

    Raises
    ------
    NonFiniteLoss
        If the loss is not finite.
    """
    sums = LossSums(judged_by, head_in(network), inferred)
    folded = for_inference(network.eval())
    ordered = on_device(maps.ordered(orientations), device_of(network))
    with set_numerics("float32"), torch.inference_mode(), closing(ordered) as batches:
        for batch in batches:
            before_batch()
            sums.add(folded(batch.x), batch.theta, batch.maps_per_set)
    loss = sums.loss()
    if not math.isfinite(loss):
        raise NonFiniteLoss(f"loss: Expected a finite number, got {loss} in evaluation.")
    return loss


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network."""
    return next(network.parameters()).device
