"""Train one network and keep the state of its best validation loss."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from multifield.maps import Batch, SplitLoaders
from multifield.models.registry import ARCHITECTURES
from multifield.models.weights import StateDict as StateDict
from multifield.training.allocator import keep_freed_memory
from multifield.training.config import Hyperparameters, TrainingConfig
from multifield.training.device import DeviceBatch, choose_device, on_device, place
from multifield.training.device_maps import MapSource, Sources, choose_sources
from multifield.training.loss import MomentSums, moment_loss
from multifield.training.loss_files import Losses

logger = logging.getLogger(__name__)


class EpochLosses(NamedTuple):
    """Losses after one epoch."""

    train: float  # mean of the batches' losses, each before its update
    valid: float  # of the whole set
    test: float


class TrainedNetwork(NamedTuple):
    """What training leaves."""

    state: StateDict  # of the best epoch, on the CPU
    losses: Losses
    best_epoch: int
    best_valid_loss: float


class NonFiniteLoss(ArithmeticError):  # noqa: N818
    """A loss or gradient is no number any more; the network was not updated with it."""


def train_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    *,
    seed: int | None = None,
    report: Callable[[int, EpochLosses], None] | None = None,
) -> TrainedNetwork:
    """Train a network from random weights.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    config : TrainingConfig
        Everything else.
    seed : int, optional
        Of weights, dropout, order and augmentation; the configuration's if not given.
    report : callable, optional
        Called with epoch and losses after each epoch.

    Returns
    -------
    trained : TrainedNetwork
        The state is that of the lowest validation loss, the earliest if several are equal. On a CPU
        the same seed and number of threads give the same bits.

    Raises
    ------
    NonFiniteLoss
        If a loss or gradient is not finite.
    ValueError
        If the device is not there, or the last batch of an epoch would be a single map.
    """
    seed = config.seed if seed is None else seed
    device = choose_device(config.device)
    _check_last_batch(len(data.train), config.batch_size)
    keep_freed_memory()
    devices = [device] if device.type == "cuda" else []
    with _torch_threads(config.n_threads), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        network = _build_network(data, hyperparameters, config, device)
        sources = choose_sources(data, config.resident, device)
        return _train_epochs(network, sources, data.inferred, hyperparameters, config, seed, report)


def _train_epochs(
    network: nn.Module,
    data: Sources,
    inferred: tuple[int, ...],
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    seed: int,
    report: Callable[[int, EpochLosses], None] | None,
) -> TrainedNetwork:
    optimizer = make_optimizer(network, hyperparameters, config)
    schedule = make_schedule(optimizer, hyperparameters, config)
    orientations = range(config.eval_orientations)
    best_valid_loss, best_epoch, best_state = math.inf, 0, {}
    rows = []
    for epoch in range(config.epochs):
        losses = EpochLosses(
            train=_train_epoch(
                network, optimizer, schedule, data.train, inferred, config, seed, epoch
            ),
            valid=evaluate_loss(network, data.valid, orientations, inferred),
            test=evaluate_loss(network, data.test, orientations, inferred),
        )
        rows.append((epoch, *losses))
        if losses.valid < best_valid_loss:
            best_valid_loss, best_epoch, best_state = losses.valid, epoch, _copy_state(network)
        if report is not None:
            report(epoch, losses)
    return TrainedNetwork(best_state, np.array(rows, np.float64), best_epoch, best_valid_loss)


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    maps: MapSource,
    inferred: tuple[int, ...],
    config: TrainingConfig,
    seed: int,
    epoch: int,
) -> float:
    losses: list[float] = []
    n_seen = 0
    network.train()
    drawn = maps.random_epoch(seed, epoch, flips=config.flips, shifts=config.shifts)
    with closing(on_device(drawn, _device_of(network))) as batches:
        for batch in batches:
            losses.append(train_step(network, optimizer, batch, inferred, step=schedule.last_epoch))
            schedule.step()
            n_seen += len(batch.index)
            if n_seen > config.maps_per_epoch:
                break
    return float(np.mean(losses))


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch | DeviceBatch,
    inferred: tuple[int, ...],
    *,
    step: int,
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
    step : int
        Updates so far, for the error message.

    Returns
    -------
    loss : float
        Of the batch, before the update.

    Raises
    ------
    NonFiniteLoss
        If the loss or the norm of the gradient is not finite; nothing is updated then.
    """
    optimizer.zero_grad()
    mean, std, theta = _infer(network, batch)
    columns = list(inferred)
    loss = moment_loss(mean[:, columns], std[:, columns], theta[:, columns])
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    gradient_norm = torch.nn.utils.get_total_norm(gradients)
    # both at once: each number fetched from a GPU waits for it
    loss_value, norm_value = torch.stack((loss.detach(), gradient_norm)).tolist()
    if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
        raise NonFiniteLoss(
            f"loss and gradient: expected finite numbers, got loss {loss_value:g} and "
            f"gradient norm {norm_value:g} in step {step} at learning rate "
            f"{optimizer.param_groups[0]['lr']:g}, maps {batch.index.tolist()}"
        )
    optimizer.step()
    return float(loss_value)


def evaluate_loss(
    network: nn.Module,
    maps: MapSource,
    orientations: range,
    inferred: tuple[int, ...],
) -> float:
    """Loss of a whole set, all orientations together; NonFiniteLoss if it is not finite."""
    sums = MomentSums(inferred)
    network.eval()
    ordered = on_device(maps.ordered(orientations), _device_of(network))
    with torch.inference_mode(), closing(ordered) as batches:
        for batch in batches:
            sums.add(*_infer(network, batch))
    loss = sums.loss()
    if not math.isfinite(loss):
        raise NonFiniteLoss(f"loss: expected a finite number, got {loss} in evaluation")
    return loss


def log_epoch(epoch: int, losses: EpochLosses) -> None:
    """Log the losses of an epoch; a `report` for `train_network`."""
    logger.info(
        "Epoch %d: train %.4f, valid %.4f, test %.4f",
        epoch,
        losses.train,
        losses.valid,
        losses.test,
    )


def make_optimizer(
    network: nn.Module, hyperparameters: Hyperparameters, config: TrainingConfig
) -> torch.optim.Optimizer:
    """AdamW, the benchmark's."""
    return torch.optim.AdamW(
        network.parameters(),
        lr=hyperparameters.lr,
        betas=config.betas,
        weight_decay=hyperparameters.wd,
    )


def make_schedule(
    optimizer: torch.optim.Optimizer, hyperparameters: Hyperparameters, config: TrainingConfig
) -> torch.optim.lr_scheduler.LRScheduler:
    """Let the learning rate rise from lr_min to lr and fall back linearly, again and again."""
    return torch.optim.lr_scheduler.CyclicLR(
        optimizer,
        base_lr=config.lr_min,
        max_lr=hyperparameters.lr,
        step_size_up=config.steps_up,
        step_size_down=config.steps_down,
        cycle_momentum=False,
    )


def _build_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    device: torch.device,
) -> nn.Module:
    network = ARCHITECTURES[config.architecture](
        hidden=hyperparameters.hidden,
        dropout=hyperparameters.dr,
        channels=data.channels,
        map_size=data.map_size,
    )
    # what convolutions prefer on CPU and GPU alike; torch's stubs leave it out
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _infer(network: nn.Module, batch: Batch | DeviceBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Means, standard deviations and true parameters, (B, P) each, on the network's device."""
    placed = place(batch, _device_of(network))
    mean, std = network(placed.x).chunk(2, dim=1)
    return mean, std, placed.theta


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _copy_state(network: nn.Module) -> StateDict:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


@contextmanager
def _torch_threads(n_threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads, 0 for its own choice; what it had comes back afterwards."""
    before = torch.get_num_threads()
    if n_threads:
        torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        if n_threads:
            torch.set_num_threads(before)


def _check_last_batch(n_maps: int, batch_size: int) -> None:
    if n_maps % batch_size == 1:
        raise ValueError(
            "batch_size: expected one that leaves no single map, which cannot be batch-normalized; "
            f"got {batch_size} for {n_maps} training maps"
        )
