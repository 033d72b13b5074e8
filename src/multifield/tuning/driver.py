"""Driver of a study: one process owns the study and submits its trials to an executor."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna import Study, TrialPruned
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from multifield.config.training import ExecutionConfig, TrainingConfig
from multifield.config.tuning import TuningConfig
from multifield.core.checksums import sha256
from multifield.data import SplitLoaders
from multifield.models import ModelFolder
from multifield.training import (
    EpochLosses,
    InProcessExecutor,
    Losses,
    NonFiniteLoss,
    TaskResult,
    TrainingProgress,
    TrainingTask,
    count_workers,
    open_executor,
    read_checkpoint_losses,
    remove_checkpoint,
    run_task,
    write_losses,
)
from multifield.tuning.sampler import derive_seed, suggest
from multifield.tuning.storage import StudyStorage, choose_storage
from multifield.tuning.study import (
    FINGERPRINT,
    FINISHED,
    HYPERPARAMETER_NAMES,
    WEIGHTS_SHA256,
    check_attribute,
    open_study,
    rank_trials,
)

TrialData = SplitLoaders | Callable[[int], SplitLoaders]
"""Maps of all trials, or a function that returns the maps of a trial from its number."""

SETTINGS = "tuning"  # user attribute of a study: settings that determine its trials
NO_SETTINGS = ("n_trials", "keep_weights", "storage")  # may change between runs
PATIENCE = 1.0  # [s] between two checks of the number of workers


def tune(
    data: TrialData,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    *,
    fingerprint: Mapping[str, Any],
    executor: Executor | None = None,
    progress: TrainingProgress | None = None,
) -> Study:
    """Run trials until the study has `n_trials` of them.

    A finished study is returned unchanged. An unfinished one is resumed, with the same result as
    without interruption: a trial depends only on the seed, its number and the trials that were
    complete before it. An interrupted trial resumes from its checkpoint with the same
    hyperparameters.

    Parameters
    ----------
    data : SplitLoaders or callable
        Training, validation and test maps, or a function that returns those of a trial from its
        number.
    folder : ModelFolder
        Folder of weights, losses and checkpoints, which workers must see. Weights and losses are
        written before their trial is complete; its checkpoint is removed afterwards.
    tuning : TuningConfig
        Number of trials, search space and storage.
    training : TrainingConfig
        Settings of each training. Each trial has its own seed.
    fingerprint : mapping
        Causes of the results besides `tuning`: training, split, checksums of the data. A flat dict
        that JSON can store. It is stored in a new study.
    executor : concurrent.futures.Executor, optional
        Executor of the trainings. By default they run one after another in this process.
    progress : TrainingProgress, optional
        Display of the progress.

    Returns
    -------
    study : Study
        Study. The value of a trial is its best validation loss. A trial with a loss or gradient
        that is not finite fails, with the reason in its attribute ``error``. Failed and pruned
        trials count.

    Raises
    ------
    RuntimeError
        If another process is running this study.
    ValueError
        If the study has another fingerprint. The message lists the differences.
    """
    storage = choose_storage(tuning.storage, folder)
    progress = progress or TrainingProgress("trials", tuning.n_trials, training.epochs)
    with only_driver(folder.database, str(storage)):
        study = open_study(storage, tuning, training.epochs)
        _prepare(study, tuning, fingerprint, storage)
        driver = _Driver(
            study, data, folder, tuning, training, executor or InProcessExecutor(), progress
        )
        try:
            driver.run()
        finally:
            driver.put_back()
    return study


def tune_and_show(
    data: TrialData,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    execution: ExecutionConfig,
    fingerprint: Mapping[str, Any],
) -> Study:
    """Tune on the workers of a configuration, and show the progress.

    Parameters
    ----------
    data : SplitLoaders or callable
        Maps as for `tune`.
    folder : ModelFolder
        Folder of weights, losses and checkpoints.
    tuning : TuningConfig
        Number of trials, search space and storage.
    training : TrainingConfig
        Settings of each training.
    execution : ExecutionConfig
        Number of processes, or scheduler of a cluster.
    fingerprint : mapping
        Causes of the results as for `tune`.

    Returns
    -------
    study : Study
        Study with `n_trials` trials.
    """
    progress = TrainingProgress("trials", tuning.n_trials, training.epochs)
    with open_executor(execution) as executor, progress:
        return tune(
            data,
            folder,
            tuning,
            training,
            fingerprint=fingerprint,
            executor=executor,
            progress=progress,
        )


@contextmanager
def only_driver(database: Path, what: str) -> Iterator[None]:
    """Hold a lock file beside a database within a context.

    Parameters
    ----------
    database : Path
        Path of the database.
    what : str
        Name of the study, for the message.

    Yields
    ------
    None
        The lock is released at the end.

    Raises
    ------
    RuntimeError
        If another process holds the lock.
    """
    path = database.with_name(f".{database.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise RuntimeError(
            f"{what}: Another run is training these networks. To use more workers, stop it and "
            "start it again with --params workers=<number> or scheduler=<address> "
            f"(lock: {path})."
        ) from None


@dataclass
class _Driver:
    """Draws trials, submits their trainings and stores their results in the study."""

    study: Study
    data: TrialData
    folder: ModelFolder
    tuning: TuningConfig
    training: TrainingConfig
    executor: Executor
    progress: TrainingProgress

    def __post_init__(self) -> None:
        self._storage: BaseStorage = self.study._storage  # a study cannot start a given trial
        self._running: dict[Future[TaskResult], tuple[optuna.Trial, TrainingTask]] = {}
        self._reported: dict[int, dict[int, EpochLosses]] = {}  # by trial and epoch

    def run(self) -> None:
        """Train until all trials are finished."""
        trials = self.study.get_trials(deepcopy=False)[: self.tuning.n_trials]
        waiting = [trial for trial in trials if trial.state not in FINISHED]
        self.progress.skip(len(trials) - len(waiting))
        while waiting or self._running:
            while waiting and len(self._running) < count_workers(self.executor):
                self._start(waiting.pop(0))
            done, _ = wait(self._running, PATIENCE, FIRST_COMPLETED)
            for future in done:
                self._finish(future)
        self._remove_checkpoints()
        self._remove_weights()

    def _start(self, waiting: FrozenTrial) -> None:
        """Draw the hyperparameters of a trial and submit its training."""
        number, trial_id = waiting.number, waiting._trial_id
        if waiting.state is TrialState.RUNNING:  # left by a driver that died
            self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
        self._storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        trial = optuna.Trial(self._reopened(), trial_id)
        task = TrainingTask(
            name=f"trial {number}",
            data=self.data(number) if callable(self.data) else self.data,
            hyperparameters=suggest(trial, self.tuning.search_space),
            config=self.training,
            seed=derive_seed(self.tuning.seed, number, "training"),
            checkpoint=self.folder.checkpoint(number),
        )
        task.prepare()
        self.progress.begin(str(number), format_hyperparameters(trial.params))
        future = self.executor.submit(
            run_task,
            task,
            on_epoch=partial(self._on_epoch, trial),
            on_step=partial(self.progress.on_step, str(number)),
        )
        self._running[future] = trial, task

    def _on_epoch(self, trial: optuna.Trial, epoch: int, losses: EpochLosses) -> None:
        """Show an epoch, and raise TrialPruned if the trial must be pruned."""
        self.progress.on_epoch(str(trial.number), epoch, losses)
        if self.tuning.pruner.name == "none":
            return
        self._reported.setdefault(trial.number, {})[epoch] = losses
        # epochs repeated after the last checkpoint were reported and judged before
        last = self._storage.get_trial(trial._trial_id).last_step
        if last is None or epoch > last:
            trial.report(losses.valid, epoch)
        is_judged = last is not None and epoch < last
        if not is_judged and epoch + 1 < self.training.epochs and trial.should_prune():
            raise TrialPruned

    def _finish(self, future: Future[TaskResult]) -> None:
        """Store the result of a training; raise its error unless the trial counts as failed."""
        trial, task = self._running[future]
        try:
            finished = self._tell(trial, future.result())
        except TrialPruned:
            write_losses(self.folder.losses(trial.number), self._losses_of(trial, task))
            finished = trial.study.tell(trial, state=TrialState.PRUNED)
        except NonFiniteLoss as error:
            trial.set_user_attr("error", str(error))
            finished = trial.study.tell(trial, state=TrialState.FAIL)
        del self._running[future]
        task.clean()
        self._remove_weights()
        best = next(iter(rank_trials(self.study)), finished)
        is_other = best.number != finished.number
        also = f"trial {best.number}, {_describe(best)}" if is_other else ""
        self.progress.end(str(trial.number), _describe(finished), also)

    def _tell(self, trial: optuna.Trial, result: TaskResult) -> FrozenTrial:
        write_losses(self.folder.losses(trial.number), result.losses)
        weights = self.folder.weights(trial.number)
        result.publish(weights)
        trial.set_user_attr(WEIGHTS_SHA256, sha256(weights))
        _, train, _, test = result.losses[result.best_epoch].tolist()
        trial.set_user_attr("best_epoch", result.best_epoch)
        trial.set_user_attr("train_loss", train)
        trial.set_user_attr("test_loss", test)
        return trial.study.tell(trial, result.best_valid_loss)

    def _losses_of(self, trial: optuna.Trial, task: TrainingTask) -> Losses:
        """Return the losses of a pruned trial, with those before its checkpoint."""
        reported = self._reported.pop(trial.number)
        rows = {epoch: [float(epoch), *losses] for epoch, losses in reported.items()}
        if 0 not in rows:  # the first epochs were reported to an earlier driver
            rows |= {int(row[0]): row for row in read_checkpoint_losses(task.checkpoint)}
        return np.array([rows[epoch] for epoch in range(max(reported) + 1)])

    def put_back(self) -> None:
        """Set interrupted trials to wait, with their numbers and hyperparameters."""
        for trial, _ in self._running.values():
            with suppress(OptunaError, OSError):  # a resumed driver also accepts RUNNING trials
                self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _remove_checkpoints(self) -> None:
        """Remove checkpoints left by a driver that died before it removed them."""
        folder = self.folder.checkpoint("any").parent
        if not folder.is_dir() or not any(folder.iterdir()):
            return  # one look at the folder instead of one per trial
        for trial in self.study.get_trials(deepcopy=False, states=FINISHED):
            remove_checkpoint(self.folder.checkpoint(trial.number))

    def _remove_weights(self) -> None:
        """Remove the weights of trials that are not among the best."""
        if self.tuning.keep_weights:
            for trial in rank_trials(self.study)[self.tuning.keep_weights :]:
                self.folder.weights(trial.number).unlink(missing_ok=True)

    def _reopened(self) -> Study:
        """Return the current study. An Optuna study caches trials until a trial ends."""
        return optuna.load_study(
            study_name=self.study.study_name,
            storage=self._storage,
            sampler=self.study.sampler,
            pruner=self.study.pruner,
        )


def _prepare(
    study: Study, tuning: TuningConfig, fingerprint: Mapping[str, Any], storage: StudyStorage
) -> None:
    """Check that the study belongs to this run, and add the missing trials as waiting.

    Raises
    ------
    ValueError
        If the study has another fingerprint or other settings.
    """
    is_new = not study.get_trials(deepcopy=False)
    for name, value in {FINGERPRINT: fingerprint, SETTINGS: _settings(tuning)}.items():
        if name in study.user_attrs:
            check_attribute(study, name, value, storage)
        elif is_new:
            study.set_user_attr(name, dict(value))
        else:
            raise ValueError(
                f"{storage}: The study does not record what its trials depend on, so none can be "
                "added. Set another models_folder, or move the database away to tune again."
            )
    for number in range(len(study.get_trials(deepcopy=False)), tuning.n_trials):
        fixed = asdict(tuning.enqueue[number]) if number < len(tuning.enqueue) else {}
        attributes = {"fixed_params": fixed} if fixed else {}  # as Optuna's enqueue_trial does
        study.add_trial(
            optuna.trial.create_trial(state=TrialState.WAITING, system_attrs=attributes)
        )


def _settings(tuning: TuningConfig) -> dict[str, Any]:
    return {
        f"tuning.{name}": value for name, value in asdict(tuning).items() if name not in NO_SETTINGS
    }


def format_hyperparameters(params: Mapping[str, Any]) -> str:
    """Format hyperparameters for one line, in their usual order."""
    formats = {"lr": ".1e", "wd": ".1e", "dr": ".2f", "hidden": "d"}
    return ", ".join(f"{name} {params[name]:{formats[name]}}" for name in HYPERPARAMETER_NAMES)


def _describe(trial: FrozenTrial) -> str:
    if trial.state is TrialState.COMPLETE:
        return f"valid loss {trial.value:.4f}"
    pruned = trial.state is TrialState.PRUNED
    return "pruned" if pruned else f"failed: {trial.user_attrs.get('error')}"
