"""One step of training: the network, its optimizer and schedule, an update, the loss of a set."""

import logging
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.data import Batch, SplitLoaders
from multifield.models.folded import for_inference
from multifield.models.network import Network, check_fits
from multifield.models.registry import BUILT_IN, import_architecture
from multifield.models.weights import load_weights
from multifield.training.device import DeviceBatch, choose_compile, on_device, place
from multifield.training.loss import LOSSES, SUMS
from multifield.training.precision import choose_precision, conv_dtype, set_numerics
from multifield.training.shown_fields import BatchSource

ParameterList = tuple[Tensor, ...] | list[Tensor]

logger = logging.getLogger(__name__)


class NonFiniteLoss(ArithmeticError):  # noqa: N818
    """A loss or gradient is no number any more; the network was not updated with it."""


def build_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    device: torch.device,
) -> Network:
    """Make a network for the maps of a suite, on a device, with random weights or those of `pretrained`.

    Raises
    ------
    ValueError
        If the device has not the precision asked for, or the pretrained network is another one.
    """
    network = import_architecture(config.architecture)(
        hidden=hyperparameters.hidden,
        dropout=hyperparameters.dr,
        channels=data.network_channels,
        map_size=data.map_size,
    )
    if config.architecture not in BUILT_IN:
        check_fits(network, config.architecture)
    if config.pretrained is not None:
        start = load_weights(
            config.pretrained,
            hidden=hyperparameters.hidden,
            channels=data.network_channels,
            map_size=data.map_size,
            architecture=config.architecture,
        )
        network.load_state_dict(start.state_dict())
    precision = choose_precision(config.precision, device)
    network.conv_dtype = conv_dtype(precision)
    # what convolutions prefer on CPU and GPU alike; torch's stubs leave it out
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiles = choose_compile(config.compile, device)
    if compiles:
        # what was compiled for the networks before, and their memory in CUDA graphs, is of no use any more;
        # kept, PyTorch would give up compiling with the fifth trial of a study, and say so in a warning
        torch.compiler.reset()
        # in place: names in the state dict stay. CUDA graphs spare the launches of hundreds of kernels
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        network.compile(
            dynamic=False, mode=mode
        )  # the last batch of an epoch is a shape of its own
    _log_device(device, precision, compiles=compiles)
    return network


def _log_device(device: torch.device, precision: str, *, compiles: bool) -> None:
    how = ", compiled" if compiles else ""
    logger.info("Training on %s in %s%s", device, precision, how)


def make_optimizer(
    network: nn.Module, hyperparameters: Hyperparameters, config: TrainingConfig
) -> torch.optim.Optimizer:
    """AdamW, the benchmark's, all weights in one pass."""
    return torch.optim.AdamW(
        network.parameters(),
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
    """Let the learning rate rise and fall.

    ``cyclic`` goes from lr_min to lr and back linearly, again and again, as published; ``one_cycle`` goes up
    to lr in the first `warm_up` of all `n_steps` and then down to a millionth of it, along cosines.
    """
    if config.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=hyperparameters.lr,
            total_steps=n_steps + 1,  # as it is asked once more, after the last step
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
    """Make the moving average of the weights of a network, if the configuration wants one.

    It forgets the first weights sooner than those of later steps. Running statistics are averaged likewise:
    those of batch normalization belong to the weights of their step.
    """
    if config.weight_averaging == 0:
        return None

    def add(averages: ParameterList, current: ParameterList, _: Tensor | int) -> None:
        # the module's count is on the CPU; the one given here would have to be waited for on a GPU
        n = int(averaged.n_averaged)
        memory = min(config.weight_averaging, (1 + n) / (10 + n))
        if averages[0].is_floating_point():  # as all of a call, which are of one type
            torch._foreach_lerp_(averages, current, 1 - memory)
        else:  # counts of batches
            torch._foreach_copy_(averages, current)

    averaged = AveragedModel(network, multi_avg_fn=torch.no_grad()(add), use_buffers=True)
    return averaged


class StepLoss(NamedTuple):
    """Scalars of a batch."""

    minimized: Tensor
    told: Tensor  # the loss that is kept, whatever is minimized; without a gradient


Objective = Callable[[nn.Module, DeviceBatch, list[int]], StepLoss]
"""What a step makes smaller, of the network, a batch on its device and the columns that count."""


@dataclass(frozen=True)
class PlainObjective:
    """A loss of what the network infers from the maps as they are.

    Parameters
    ----------
    loss : str
        Name in `multifield.training.loss.LOSSES`.
    judged_by : str
        Likewise; of the loss that is told.
    """

    loss: str = "moments"
    judged_by: str = "moments"

    def __call__(self, network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Give the loss of a batch."""
        return self.of_outputs(network(batch.x), batch, columns)

    def of_outputs(self, outputs: Tensor, batch: DeviceBatch, columns: list[int]) -> StepLoss:
        """Give the loss of the outputs of a network, (B, 2P)."""
        mean, std = outputs.chunk(2, dim=1)
        chosen = mean[:, columns], std[:, columns], batch.theta[:, columns]
        minimized = LOSSES[self.loss](*chosen, batch.maps_per_set)
        if self.loss == self.judged_by:
            return StepLoss(minimized, minimized.detach())
        with torch.no_grad():
            return StepLoss(minimized, LOSSES[self.judged_by](*chosen, batch.maps_per_set))


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
    """Update a network by one batch.

    Parameters
    ----------
    network : Module
        In training mode.
    optimizer : Optimizer
        Of the network's parameters.
    batch : Batch or DeviceBatch
        Maps and true parameters.
    inferred : tuple of int
        Columns of the parameters that count.
    objective : callable, optional
        What the step makes smaller; the moment loss if not given.
    step : int
        Updates so far, for the error message.
    max_gradient_norm : float, optional
        A longer gradient is shortened to this norm; 0: none is.

    Returns
    -------
    loss : float
        Of the batch, before the update; the one that is told, whichever is minimized.

    Raises
    ------
    NonFiniteLoss
        If the loss or the norm of the gradient is not finite; nothing is updated then.
    """
    optimizer.zero_grad()
    loss, told = objective(network, place(batch, device_of(network)), list(inferred))
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    gradient_norm = torch.nn.utils.get_total_norm(gradients)
    # all at once: each number fetched from a GPU waits for it
    values = torch.stack((loss.detach(), gradient_norm, told)).tolist()
    loss_value, norm_value, told_value = values
    if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
        raise NonFiniteLoss(
            f"loss and gradient: expected finite numbers, got loss {loss_value:g} and "
            f"gradient norm {norm_value:g} in step {step} at learning rate "
            f"{optimizer.param_groups[0]['lr']:g}, maps {batch.index.tolist()}"
        )
    if 0 < max_gradient_norm < norm_value:
        torch._foreach_mul_(gradients, max_gradient_norm / norm_value)
    optimizer.step()
    return float(told_value)


def evaluate_loss(
    network: nn.Module,
    maps: BatchSource,
    orientations: range,
    inferred: tuple[int, ...],
    judged_by: str = "moments",
    before_batch: Callable[[], None] = lambda: None,
) -> float:
    """Loss of a whole set, all orientations together; NonFiniteLoss if it is not finite.

    `before_batch` is called before each batch, and may raise.

    In float32 whatever the precision of training: the loss of a good network is the logarithm of errors as
    small as bfloat16's.
    """
    sums = SUMS[judged_by](inferred)
    folded = for_inference(network.eval())
    ordered = on_device(maps.ordered(orientations), device_of(network))
    with set_numerics("float32"), torch.inference_mode(), closing(ordered) as batches:
        for batch in batches:
            before_batch()
            mean, std = folded(batch.x).chunk(2, dim=1)
            sums.add(mean, std, batch.theta, batch.maps_per_set)
    loss = sums.loss()
    if not math.isfinite(loss):
        raise NonFiniteLoss(f"loss: expected a finite number, got {loss} in evaluation")
    return loss


def device_of(network: nn.Module) -> torch.device:
    """Say where a network is."""
    return next(network.parameters()).device
