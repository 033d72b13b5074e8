"""Training of every network of a configuration, and tests on every suite."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from multifield.config.data import NormalizationConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.prediction import NoveltyConfig
from multifield.config.studies import RobustnessConfig
from multifield.config.training import Hyperparameters, TrainingConfig
from multifield.data import MapLoader
from multifield.evaluation import Results, average_networks, predict
from multifield.maps.splits import Simulations
from multifield.models import Network
from multifield.prediction import NoveltyReference, fit_novelty
from multifield.prediction.novelty import measure
from multifield.studies.robustness.folders import NetworkFolder
from multifield.studies.robustness.network_trainer import NetworkTrainer
from multifield.studies.robustness.plan import (
    Task,
    each_alone,
    every_network,
    leave_one_out,
    list_tasks,
    teacher_of,
)
from multifield.studies.robustness.scores import Record, fit_disagreement, score_test, widen
from multifield.studies.robustness.suite_maps import SuiteMaps, take_as_labels, without_parameters
from multifield.studies.robustness.training_suites import (
    TrainingSuites,
    fit_scale,
    join_suites,
    load_suite,
)
from multifield.training import TrainingProgress
from multifield.tuning import only_driver

logger = logging.getLogger(__name__)

Suites = Mapping[str, SuiteMaps]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with its training data.

    Attributes
    ----------
    task : Task
        Training of the network.
    network : Network or None
        Trained network, None for a mixture.
    joined : TrainingSuites
        Training data.
    config : TrainingConfig
        Settings of the training.
    over : NormalizationConfig
        Simulations that mean and std are computed over.
    members : tuple of Trained
        Members of a mixture, one per suite.
    lacking : tuple of (Trained, str)
        Networks that lack one suite, with that suite, if the method widens sigma.
    """

    task: Task
    network: Network | None
    joined: TrainingSuites
    config: TrainingConfig
    over: NormalizationConfig
    members: tuple["Trained", ...] = ()
    lacking: tuple[tuple["Trained", str], ...] = ()


def train_all(
    suites: Suites,
    config: RobustnessConfig,
    hyperparameters: Hyperparameters,
    training: TrainingConfig,
    over: NormalizationConfig,
    folder: NetworkFolder,
    executor: Executor,
) -> list[Trained]:
    """Train or load every network; an interrupted training is resumed.

    Every network takes as many steps as a network of a single suite: more suites and smoothings
    add maps but no steps. A mixture reuses the networks of single suites.

    Parameters
    ----------
    suites : mapping of suite to SuiteMaps
        Maps of all suites.
    config : RobustnessConfig
        Fields, smoothing and methods.
    hyperparameters : Hyperparameters
        Hyperparameters of all networks.
    training : TrainingConfig
        Its epochs are replaced by the configuration's.
    over : NormalizationConfig
        Simulations that mean and std are computed over.
    folder : NetworkFolder
        Folder of weights, cards and checkpoints.
    executor : concurrent.futures.Executor
        Executor of the trainings; independent trainings run in parallel.

    Returns
    -------
    trained : list of Trained
        Trained networks in the order of `list_tasks`.
    """
    tasks = list_tasks(config)
    networks = list({_identity(task): task for task in every_network(tasks)}.values())
    progress = TrainingProgress("networks", len(networks), config.epochs)
    with only_driver(folder.path / "networks", str(folder.path)), progress:
        trainer = NetworkTrainer(folder, hyperparameters, executor, progress)
        study = _Study(suites, config, training, over, trainer)
        # networks without a teacher come first, so that workers are busy while a teacher is trained
        for task in sorted(networks, key=lambda task: task.method.teacher is not None):
            study.request(task)
        return [study.load_whole(task) for task in tasks]


@dataclass(frozen=True)
class _Study:
    """Data, settings and trainer that all networks of a configuration share."""

    suites: Suites
    config: RobustnessConfig
    training: TrainingConfig
    over: NormalizationConfig
    trainer: NetworkTrainer
    prepared: dict[Task, tuple[TrainingSuites, TrainingConfig]] = field(default_factory=dict)

    def request(self, task: Task) -> str:
        """Submit a network, after waiting for its teacher if there is one."""
        return self.trainer.request(task, *self._prepare(task))

    def load(self, task: Task) -> Trained:
        """Wait for a network, or for the members of a mixture."""
        joined, settings = self._prepare(task)
        members = tuple(self.load(each) for each in each_alone(task))
        network = None
        if not members:
            network = self.trainer.load(self.trainer.request(task, joined, settings))
        return Trained(task, network, joined, settings, self.over, members)

    def load_whole(self, task: Task) -> Trained:
        """Wait for a network and, if its method widens sigma, for those that lack one suite."""
        lacking = leave_one_out(task) if task.method.widen else []
        others = tuple((self.load(other), suite) for other, suite in lacking)
        return replace(self.load(task), lacking=others)

    def _prepare(self, task: Task) -> tuple[TrainingSuites, TrainingConfig]:
        """Join the training maps of a task once, and give its settings."""
        if task not in self.prepared:
            self.prepared[task] = self._join(task)
        return self.prepared[task]

    def _join(self, task: Task) -> tuple[TrainingSuites, TrainingConfig]:
        chosen = [self.suites[name] for name in task.suites]
        # as many steps as for the n maps of one suite: an epoch ends after more than n - 1 maps
        n_maps = max(len(each.split.train) * each.maps_per_simulation for each in chosen)
        settings = replace(
            self.training,
            epochs=self.config.epochs,
            maps_per_epoch=min(self.training.maps_per_epoch, n_maps - 1),
        )
        joined = join_suites(
            chosen,
            task.field,
            task.widths,
            self.over,
            settings,
            _causes_of(task),
            own_scale=task.method.own_scale,
            target=self._hide_parameters(task),
        )
        return joined, settings

    def _hide_parameters(self, task: Task) -> SuiteMaps | None:
        """Give the target suite without true parameters, or with those of the teacher."""
        if task.target is None:
            return None
        hidden = without_parameters(self.suites[task.target])
        if task.method.teacher is None:
            return hidden
        teacher = self.load(teacher_of(task))
        inferred = _infer(teacher, hidden, hidden.split.train, self.config.orientations)
        return take_as_labels(hidden, inferred, self.config.orientations)


def _identity(task: Task) -> tuple[object, ...]:
    """List what distinguishes two networks, as in their fingerprints."""
    causes = tuple(_causes_of(task).items())
    return (*causes, task.field, task.widths, task.suites, task.target)


def _causes_of(task: Task) -> dict[str, str]:
    """List the options of a method that affect the training; its name and later use do not."""
    ignored = ("name", "widen", "mixture")
    causes = {
        key: str(value) for key, value in asdict(task.effective).items() if key not in ignored
    }
    return {f"method.{key}": value for key, value in causes.items()}


def score_all(
    trained: Sequence[Trained],
    suites: Suites,
    config: RobustnessConfig,
    evaluation: EvaluationConfig,
    novelty: NoveltyConfig,
) -> list[Record]:
    """Test every network on the held-out simulations of every suite.

    Parameters
    ----------
    trained : sequence of Trained
        Networks to test.
    suites : mapping of suite to SuiteMaps
        Maps of all suites.
    config : RobustnessConfig
        Orientations and threshold of the clipped chi2.
    evaluation : EvaluationConfig
        Precision and bootstrap.
    novelty : NoveltyConfig
        Settings of the out-of-distribution test.

    Returns
    -------
    records : list of dict
        One record per network, suite and parameter; see `score_test`. ``flagged`` is the share of
        test maps that are flagged as out-of-distribution.
    """
    records = []
    for each in trained:
        data = each.joined.data
        reference = fit_novelty(
            data.train, data.valid, novelty, n_threads=each.config.loader_threads
        )
        taus = _fit_disagreement(each, suites, config, evaluation)
        for name, suite in suites.items():
            loader = _load(each, suite, suite.split.test)
            results = _infer(
                each, suite, suite.split.test, config.orientations, evaluation.precision
            )
            head = _describe(each.task, name) | {"flagged": _flagged(reference, loader)}
            scores = score_test(
                widen(results, taus), config.orientations, evaluation.bootstrap, config.clip
            )
            records += [head | score for score in scores]
        _log(records[-len(data.space.cosmology) * len(suites) :])
    return records


def _fit_disagreement(
    each: Trained, suites: Suites, config: RobustnessConfig, evaluation: EvaluationConfig
) -> dict[str, float]:
    """Fit tau for a method that widens sigma; 0 for other methods."""
    left_out = []
    for network, name in each.lacking:
        suite = suites[name]
        left_out.append(
            _infer(network, suite, suite.split.valid, config.orientations, evaluation.precision)
        )
    names = each.joined.data.space.cosmology
    return fit_disagreement(left_out) if left_out else dict.fromkeys(names, 0.0)


def _load(each: Trained, suite: SuiteMaps, simulations: Simulations) -> MapLoader:
    """Load maps of a suite with the training's normalization, or with its own if configured."""
    task = each.task
    names = task.field.split("_")
    scale = each.joined.normalization or fit_scale([suite], names, task.width, each.over)
    return load_suite(suite, task.field, task.width, simulations, scale, each.config)


def _infer(
    each: Trained,
    suite: SuiteMaps,
    simulations: Simulations,
    n_orientations: int,
    precision: Precision = "float32",
) -> Results:
    """Predict maps of a suite; each member of a mixture uses its own normalization."""
    if each.network is None:
        return average_networks(
            [_infer(one, suite, simulations, n_orientations, precision) for one in each.members]
        )
    return predict(
        each.network,
        _load(each, suite, simulations),
        range(n_orientations),
        device=each.config.device,
        precision=precision,
        n_threads=each.config.n_threads,
    )


def _flagged(reference: NoveltyReference, loader: MapLoader) -> float:
    numbers = measure(loader, reference.n_bins, reference.n_quantiles)
    return float(reference.flag(reference.p_values(reference.distances(numbers))).mean())


def _describe(task: Task, tested_on: str) -> Record:
    return {
        "field": task.field,
        "smoothing_width": task.width,
        "method": task.method.name,
        "trained_on": task.trained_on,
        "tested_on": tested_on,
    }


def _log(records: Sequence[Record]) -> None:
    for record in records:
        logger.info(
            "%s of %s (%s, %g pixels) on %s: %s RMSE %.3g, chi2 %.3g, flagged %.0f%%",
            *(record[key] for key in ("field", "trained_on", "method", "smoothing_width")),
            *(record[key] for key in ("tested_on", "parameter", "RMSE", "chi2")),
            100 * record["flagged"],
        )
