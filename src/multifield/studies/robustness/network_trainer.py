"""Training of networks that are not stored yet. Each network has weights and a card."""

import hashlib
import json
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any

from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import sha256
from multifield.models import Network, load_weights
from multifield.studies.robustness.folders import NetworkFolder
from multifield.studies.robustness.objective import choose_objective
from multifield.studies.robustness.plan import Task
from multifield.studies.robustness.training_suites import TrainingSuites
from multifield.training import PlainObjective, TaskResult, TrainingProgress, TrainingTask, run_task
from multifield.training.causes import describe_run

N_DIGITS = 12  # digits of the fingerprint in a name: 10^5 networks collide with probability 2 10^-5


class NetworkTrainer:
    """Trains networks that are not stored yet on an executor, each once.

    Parameters
    ----------
    folder : NetworkFolder
        Folder of weights, cards and checkpoints. Workers must see it.
    hyperparameters : Hyperparameters
        Hyperparameters of all networks.
    executor : concurrent.futures.Executor
        Executor of the trainings.
    progress : TrainingProgress
        Display of their progress.
    """

    def __init__(
        self,
        folder: NetworkFolder,
        hyperparameters: Hyperparameters,
        executor: Executor,
        progress: TrainingProgress,
    ) -> None:
        self._folder, self._hyperparameters = folder, hyperparameters
        self._executor, self._progress = executor, progress
        self._runs: dict[str, dict[str, str]] = {}  # settings of each requested network
        self._running: dict[Future[TaskResult], TrainingTask] = {}

    def request(self, task: Task, joined: TrainingSuites, config: TrainingConfig) -> str:
        """Submit a training, unless the network is stored or already submitted.

        Parameters
        ----------
        task : Task
            Task of the network. Suites, field and a fingerprint form its name.
        joined : TrainingSuites
            Training data.
        config : TrainingConfig
            Settings of the training. An interrupted training resumes from its checkpoint.

        Returns
        -------
        name : str
            Name of the network.

        Raises
        ------
        ValueError
            If stored weights do not match their card.
        """
        run = describe_run(joined.data, self._hyperparameters, config, config.seed)
        name = f"{task.trained_on}_{task.field}_{_fingerprint(run)}"
        if name in self._runs:
            return name
        self._runs[name] = run
        if self._folder.card(name).is_file():
            _check_card(self._folder, name, run)
            self._progress.skip()
            return name
        loss = PlainObjective(config.loss, config.judged_by)
        training = TrainingTask(
            name=name,
            data=joined.data,
            hyperparameters=self._hyperparameters,
            config=config,
            seed=config.seed,
            checkpoint=self._folder.checkpoint(name),
            objective=choose_objective(task.effective, loss, joined.ends, joined.n_suites),
        )
        training.prepare()
        self._progress.begin(name)
        future = self._executor.submit(run_task, training, **self._progress.reports(name))
        self._running[future] = training
        self._store_finished(patience=0.0)  # a kill loses no finished network
        return name

    def load(self, name: str) -> Network:
        """Wait until a network is trained, and load it.

        Parameters
        ----------
        name : str
            Name of the network, from `request`.

        Returns
        -------
        network : Network
            Network at its lowest validation loss, over the validation maps of the training suites.
        """
        while any(training.name == name for training in self._running.values()):
            self._store_finished(patience=None)
        architecture = self._runs[name]["training.architecture"]
        return load_weights(self._folder.weights(name), architecture=architecture)

    def _store_finished(self, patience: float | None) -> None:
        """Store finished networks; wait for at least one, up to `patience` [s]."""
        done, _ = wait(self._running, patience, FIRST_COMPLETED)
        for future in done:
            result, name = future.result(), self._running[future].name
            result.publish(self._folder.weights(name))
            _write_card(self._folder, name, self._runs[name], result)
            self._running.pop(future).clean()
            self._progress.end(name, f"valid loss {result.best_valid_loss:.4f}")


def _fingerprint(run: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:N_DIGITS]


def _write_card(folder: NetworkFolder, name: str, run: dict[str, str], trained: TaskResult) -> None:
    card: dict[str, Any] = {
        "run": run,
        "weights_sha256": sha256(folder.weights(name)),
        "best_epoch": trained.best_epoch,
        "best_valid_loss": trained.best_valid_loss,
        "losses": trained.losses.tolist(),
    }
    with atomic_path(folder.card(name)) as partial:
        partial.write_text(json.dumps(card, indent=2))


def _check_card(folder: NetworkFolder, name: str, run: dict[str, str]) -> None:
    card = json.loads(folder.card(name).read_text())
    found = sha256(folder.weights(name))
    if card["weights_sha256"] != found or card["run"] != run:
        raise ValueError(
            f"{folder.weights(name)}: Expected the weights of {folder.card(name).name} (SHA-256 "
            f"{card['weights_sha256'][:12]}...), got {found[:12]}.... Delete both files to retrain."
        )
