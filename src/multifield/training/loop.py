"""Training loop: train one network and keep the state with the lowest validation loss."""

import logging
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.data import SplitLoaders
from multifield.models.feature_network import FeatureNetwork, LeftOutNetwork
from multifield.models.network import Network
from multifield.models.statistics_and_filters import (
    STATISTICS_HIDDEN,
    StatisticsAndFilters,
)
from multifield.models.summary_statistics import SummaryStatistics
from multifield.models.weights import StateDict as StateDict
from multifield.training.causes import describe_run
from multifield.training.checkpoint import Checkpoint, TrainingState, copy_state
from multifield.training.correction import fit_correction
from multifield.training.device import BatchSource, choose_device, on_device, torch_threads
from multifield.training.device_maps import Sources, choose_sources, keep_features
from multifield.training.loss_files import Losses
from multifield.training.precision import choose_precision, set_numerics
from multifield.training.step import (
    Folds,
    Objective,
    PlainObjective,
    average_weights,
    build_network,
    device_of,
    evaluate_loss,
    make_optimizer,
    make_schedule,
    train_step,
)
from multifield.training.stopping import SIGNALS, Check, TrainingInterrupted, listen_for_stop

# those of recipe `statistics`; the statistics are computed once, so an epoch takes a second
MEMBERS_HYPERPARAMETERS = Hyperparameters(lr=1.5e-3, wd=0.6, dr=0.0, hidden=STATISTICS_HIDDEN)
MEMBERS_EPOCHS, MEMBERS_BATCH = 40, 64

logger = logging.getLogger(__name__)


class EpochLosses(NamedTuple):
    """Losses after one epoch: those for reports and model selection, not the minimized ones.

    Attributes
    ----------
    train : float
        Mean loss of the batches, each before its update.
    valid : float
        Loss of all validation maps.
    test : float
        Loss of all test maps.
    """

    train: float
    valid: float
    test: float


Report = Callable[[int, EpochLosses], object]
"""Function that is called after each epoch with its number, from 0, and its losses."""
OnStep = Callable[[float], object]
"""Function that is called after each step with the number of finished epochs, such as 3.25."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """Losses of a training.

    Attributes
    ----------
    losses : (E, 4) float64
        Epoch and training, validation and test loss.
    """

    losses: Losses

    @property
    def best_epoch(self) -> int:
        """Epoch of the lowest validation loss, from 0; the earliest of equal ones."""
        return int(np.argmin(self.losses[:, 2]))

    @property
    def best_valid_loss(self) -> float:
        """Lowest validation loss."""
        return float(self.losses[self.best_epoch, 2])


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork(TrainingResult):
    """Losses and weights of a training.

    Attributes
    ----------
    losses : (E, 4) float64
        Epoch and training, validation and test loss.
    state : dict of str to Tensor
        State dict of the best epoch on the CPU, with averaged weights if they are configured.
    """

    state: StateDict


@dataclass(frozen=True)
class Plan:
    """Constant settings of a training.

    Attributes
    ----------
    maps : Sources
        Sources of batches.
    inferred : tuple of int
        Columns of the inferred parameters.
    config : TrainingConfig
        Settings of the training.
    seed : int
        Seed of order and augmentation.
    objective : Objective
        Loss that each step minimizes.
    folds : Folds or None
        Parts of the simulations that the members of the network leave out.
    """

    maps: Sources
    inferred: tuple[int, ...]
    config: TrainingConfig
    seed: int
    objective: Objective
    folds: Folds | None

    @property
    def n_batches(self) -> int:
        """Number of batches per epoch. An epoch ends after `maps_per_epoch` or all maps."""
        batch_size = self.config.batch_size
        all_maps = -(-len(self.maps.train) // batch_size)
        return min(all_maps, self.config.maps_per_epoch // batch_size + 1)


def train_network(
    data: SplitLoaders,
    hyperparameters: Hyperparameters,
    config: TrainingConfig,
    *,
    seed: int | None = None,
    report: Report | None = None,
    on_step: OnStep | None = None,
    checkpoint: Path | None = None,
    objective: Objective | None = None,
    staging: Path | None = None,
    asked_to_stop: Callable[[], bool] | None = None,
) -> TrainedNetwork:
    """Train a network from random or pretrained weights, or resume from a checkpoint.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    hyperparameters : Hyperparameters
        Learning rate, weight decay, dropout and width.
    config : TrainingConfig
        All other settings.
    seed : int, optional
        Seed of weights, dropout, order and augmentation. The default is that of `config`.
    report : callable, optional
        Function that is called with epoch and losses after each epoch, before its checkpoint. If a
        checkpoint was not written, its epoch is repeated and reported again with the same losses.
    on_step : callable, optional
        Function that is called after each step with the number of finished epochs, such as 3.25.
    checkpoint : Path, optional
        File for the state. It is written every `checkpoint_every` epochs, and when SIGTERM or
        Ctrl-C stops the training after the current step. If it exists, the training resumes from
        it, with bitwise identical results. It remains at the end: call `remove_checkpoint` when
        the results are stored.
    objective : Objective, optional
        Loss that each step minimizes. The default is `config.loss`. Losses of whole sets are always
        `config.judged_by`. It may use PyTorch's generators, whose states are saved. Its settings
        must be in `data.causes`, with which checkpoints of other settings are rejected.
    staging : Path, optional
        Folder for the temporary file of the checkpoint; see
        `multifield.core.atomic_files.atomic_path`.
    asked_to_stop : callable, optional
        Function that is called after each step. True stops the training as a signal does.

    Returns
    -------
    trained : TrainedNetwork
        State and losses. The state is that of the lowest validation loss, the earliest of equal
        ones. If the network has several members, they are then corrected, and the losses of that
        epoch are the corrected ones. On a CPU, the same seed and number of threads give bitwise
        identical results.

    Raises
    ------
    NonFiniteLoss
        If a loss or gradient is not finite.
    TrainingInterrupted
        If a signal stopped the training. Its checkpoint is written.
    ValueError
        If device or precision is not available, the last batch of an epoch would have one map, or
        the checkpoint is damaged or belongs to a run with other settings.
    OSError
        If the disk is full. The previous checkpoint remains.
    """
    seed = config.seed if seed is None else seed
    device = choose_device(config.device)
    devices = [device] if device.type == "cuda" else []
    precision = choose_precision(config.precision, device)
    with (
        torch_threads(config.n_threads),
        set_numerics(precision, benchmark=config.cudnn_benchmark),
        torch.random.fork_rng(devices=devices),
    ):
        torch.manual_seed(seed)
        network = build_network(data, hyperparameters, config, device)
        if network.learns_features:
            _check_last_batch(len(data.train), config.batch_size)
        minimized = objective or PlainObjective(config.loss, config.judged_by)
        if isinstance(network, StatisticsAndFilters):
            resumes = checkpoint is not None and checkpoint.exists()
            if config.pretrained is None and not resumes:
                _train_members(network.statistics, data, config, seed, minimized, asked_to_stop)
        optimizer = make_optimizer(network, hyperparameters, config)
        averaged = average_weights(network, config)
        plan = Plan(
            _choose_sources(data, network, minimized, config, device),
            data.inferred,
            config,
            seed,
            minimized,
            _choose_folds(network, data),
        )
        n_steps = config.epochs * plan.n_batches
        schedule = make_schedule(optimizer, hyperparameters, config, n_steps)
        state = TrainingState(network, optimizer, schedule, averaged)
        stored = None
        if checkpoint is not None and config.checkpoint_every:
            run = describe_run(data, hyperparameters, config, seed)
            stored = Checkpoint(checkpoint, run, staging)
        with listen_for_stop(asked_to_stop, SIGNALS if stored else ()) as check_stop:
            _train(state, plan, report, on_step, stored, check_stop)
    return TrainedNetwork(losses=np.array(state.rows, np.float64), state=state.best_state)


def _choose_folds(network: Network, data: SplitLoaders) -> Folds | None:
    """Return the parts of the simulations, if the network has several members."""
    if not isinstance(network, LeftOutNetwork) or network.n_members == 1:
        return None
    return Folds(network.n_members, data.train.maps_per_simulation, data.train.starts)


def _train_members(
    statistics: SummaryStatistics,
    data: SplitLoaders,
    config: TrainingConfig,
    seed: int,
    objective: Objective,
    asked_to_stop: Callable[[], bool] | None,
) -> None:
    """Train the members that read the statistics, each without a part of the simulations."""
    trained = train_network(
        data,
        MEMBERS_HYPERPARAMETERS,
        replace(
            config,
            architecture="summary_statistics",
            epochs=MEMBERS_EPOCHS,
            batch_size=MEMBERS_BATCH,
        ),
        seed=seed,
        report=_log_members,
        objective=objective,
        asked_to_stop=asked_to_stop,
    )
    statistics.load_state_dict(trained.state)
    logger.info("Members: lowest validation loss %.4f", trained.best_valid_loss)


def _log_members(epoch: int, losses: EpochLosses) -> None:
    if epoch == 0 or epoch % 10 == 9:
        done, valid = epoch + 1, losses.valid
        logger.info("Members: epoch %d of %d, valid loss %.4f", done, MEMBERS_EPOCHS, valid)


def _choose_sources(
    maps: SplitLoaders,
    network: Network,
    objective: Objective,
    config: TrainingConfig,
    device: torch.device,
) -> Sources:
    """Use fixed features if the network does not learn them and each step sees whole maps."""
    if not (objective.needs_maps or maps.maps_per_set or network.learns_features):
        return keep_features(maps, network, device)
    return choose_sources(maps, config.resident, device)


def _train(
    state: TrainingState,
    plan: Plan,
    report: Report | None,
    on_step: OnStep | None,
    checkpoint: Checkpoint | None,
    check_stop: Check,
) -> None:
    """Resume from a checkpoint, if it exists, and train; write one if interrupted."""
    if checkpoint is not None:
        checkpoint.restore(state)
        if state.position != (0, 0):
            logger.info("Resuming in epoch %d, batch %d: %s", *state.position, checkpoint.path)
    try:
        _train_epochs(state, plan, report, on_step, checkpoint, check_stop)
    except TrainingInterrupted as interruption:
        if checkpoint is None:
            raise
        checkpoint.write(state)
        raise TrainingInterrupted(
            interruption.signal,
            f"Stopped by {interruption.signal.name} in epoch {state.epoch} after "
            f"{len(state.batch_losses)} batches. The same command resumes from {checkpoint.path}.",
        ) from None


def _train_epochs(
    state: TrainingState,
    plan: Plan,
    report: Report | None,
    on_step: OnStep | None,
    checkpoint: Checkpoint | None,
    check_stop: Check,
) -> None:
    """Train until the last epoch. An interruption leaves a consistent state."""
    every = plan.config.checkpoint_every
    while state.epoch < plan.config.epochs:
        _train_epoch(state, plan, on_step, check_stop)
        losses = EpochLosses(
            train=float(np.mean(state.batch_losses)),
            valid=_evaluate(state, plan, plan.maps.valid, check_stop),
            test=_evaluate(state, plan, plan.maps.test, check_stop),
        )
        if report is not None:
            report(state.epoch, losses)
        state.end_epoch(*losses)
        check_stop()  # the interruption writes a checkpoint
        is_last = state.epoch == plan.config.epochs
        if checkpoint is not None and (is_last or state.epoch % every == 0):
            checkpoint.write(state)
        check_stop()
    _correct(state, plan, check_stop)


def _train_epoch(
    state: TrainingState, plan: Plan, on_step: OnStep | None, check_stop: Check
) -> None:
    """Make the remaining steps of an epoch."""
    config, n_done = plan.config, len(state.batch_losses)
    state.network.train()
    drawn = plan.maps.train.random_epoch(
        plan.seed, state.epoch, flips=config.flips, shifts=config.shifts, first_batch=n_done
    )
    n_left = plan.n_batches - n_done
    with closing(on_device(drawn, device_of(state.network))) as batches:
        for batch in islice(batches, n_left):
            # compiling the smaller last batch too took 122 s more than 187 s, on a CPU
            is_whole = len(batch.index) == plan.maps.train.batch_size
            with nullcontext() if is_whole else torch.compiler.set_stance("force_eager"):
                loss = train_step(
                    state.network,
                    state.optimizer,
                    batch if plan.folds is None else plan.folds.leave_out(batch),
                    plan.inferred,
                    plan.objective,
                    step=state.schedule.last_epoch,
                    max_gradient_norm=config.max_gradient_norm,
                )
            state.schedule.step()
            state.average()
            state.batch_losses.append(loss)
            if on_step is not None:
                on_step(state.epoch + len(state.batch_losses) / plan.n_batches)
            check_stop()


def _correct(state: TrainingState, plan: Plan, check_stop: Check) -> None:
    """Fit the correction of the members of the best epoch, if the network has several."""
    network = state.judged
    if plan.folds is None or not isinstance(network, FeatureNetwork):
        return
    network.load_state_dict(state.best_state)
    maps, loss, inferred = plan.maps, plan.config.loss, plan.inferred
    fit_correction(network, maps.train, plan.folds, loss, inferred, plan.seed, check_stop)
    valid = _evaluate(state, plan, maps.valid, check_stop)
    best = min(state.rows, key=lambda row: row[2])
    if valid >= best[2]:
        logger.info("Correction of the members: not used, because it does not help")
    else:
        logger.info("Correction of the members: validation loss %.4f, was %.4f", valid, best[2])
        best[2:] = valid, _evaluate(state, plan, maps.test, check_stop)
        state.best_state = copy_state(network)


def _evaluate(state: TrainingState, plan: Plan, maps: BatchSource, check_stop: Check) -> float:
    # features that are not learned are equal in all orientations
    n_orientations = plan.config.eval_orientations if state.network.learns_features else 1
    orientations, judged_by = range(n_orientations), plan.config.judged_by
    return evaluate_loss(state.judged, maps, orientations, plan.inferred, judged_by, check_stop)


def _check_last_batch(n_maps: int, batch_size: int) -> None:
    if n_maps % batch_size == 1:
        raise ValueError(
            "batch_size: Expected one that leaves no batch of a single map, which cannot be "
            f"batch-normalized, got {batch_size} for {n_maps} training maps."
        )
