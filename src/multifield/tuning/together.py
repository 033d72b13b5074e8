"""Trials that several processes train together: the first has the study, and tells the others the trials."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multifield.maps import SplitLoaders
from multifield.models import exchange
from multifield.training import (
    Hyperparameters,
    NonFiniteLoss,
    TrainedNetwork,
    TrainingConfig,
    choose_device,
    train_network,
)
from multifield.training.loop import Report

TrialData = SplitLoaders | Callable[[int], SplitLoaders]
"""The maps of all trials, or what gives those of a trial by its number."""


@dataclass(frozen=True)
class Order:
    """A network to train.

    Attributes
    ----------
    number : int
        Of its trial.
    hyperparameters : Hyperparameters
    seed : int
    checkpoint : Path
    """

    number: int
    hyperparameters: Hyperparameters
    seed: int
    checkpoint: Path


WAIT, DONE = "wait", "done"  # in the place of an order: none is free yet; none will be


def lead(data: TrialData, training: TrainingConfig, order: Order, report: Report) -> TrainedNetwork:
    """Train the network of a trial, with the processes that follow, if there are any."""
    exchange.tell(order)
    return _train(data, training, order, report)


def follow(data: TrialData, training: TrainingConfig) -> None:
    """Train what the first process, which calls `tune`, says, until it has no more trials.

    Parameters
    ----------
    data : SplitLoaders or callable
    training : TrainingConfig
        Both as of `tune`.

    Raises
    ------
    TrainingInterrupted
        If a signal ended a training, whichever process it came to.
    RuntimeError
        If another process was lost.
    """
    with exchange.joined(choose_device(training.device)):
        while (order := exchange.tell()) != DONE:
            if order == WAIT:
                continue
            with suppress(NonFiniteLoss, exchange.EndedByFirstError):  # the first says what then
                _train(data, training, order)


def _train(
    data: TrialData, training: TrainingConfig, order: Order, report: Report | None = None
) -> TrainedNetwork:
    return train_network(
        data(order.number) if callable(data) else data,
        order.hyperparameters,
        training,
        seed=order.seed,
        report=report,
        checkpoint=order.checkpoint,
    )
