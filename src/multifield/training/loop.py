"""Train one network and keep the state of its best validation loss."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from multifield.maps import SplitLoaders
from multifield.models.weights import StateDict as StateDict
from multifield.training.allocator import keep_freed_memory
from multifield.training.config import Hyperparameters, TrainingConfig
from multifield.training.device import choose_device, on_device
from multifield.training.device_maps import MapSource, Sources, choose_sources
from multifield.training.loss_files import Losses
from multifield.training.step import (
    build_network,
    device_of,
    evaluate_loss,
    make_optimizer,
    make_schedule,
    train_step,
)

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
        network = build_network(data, hyperparameters, config, device)
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
    with closing(on_device(drawn, device_of(network))) as batches:
        for batch in batches:
            losses.append(train_step(network, optimizer, batch, inferred, step=schedule.last_epoch))
            schedule.step()
            n_seen += len(batch.index)
            if n_seen > config.maps_per_epoch:
                break
    return float(np.mean(losses))


def log_epoch(epoch: int, losses: EpochLosses) -> None:
    """Log the losses of an epoch; a `report` for `train_network`."""
    logger.info(
        "Epoch %d: train %.4f, valid %.4f, test %.4f",
        epoch,
        losses.train,
        losses.valid,
        losses.test,
    )


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
