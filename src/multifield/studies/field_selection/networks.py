"""Networks that measure the information in sets of fields: trials of two Optuna studies.

The *scorer* is one network that infers parameters from any set of fields. The *finalists* are
networks trained from scratch, each on one set.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from multifield.config.evaluation import EvaluationConfig
from multifield.config.studies import SelectFieldsConfig
from multifield.config.training import ExecutionConfig, Hyperparameters, TrainingConfig, list_causes
from multifield.config.tuning import SearchSpace, TuningConfig
from multifield.data import SplitLoaders
from multifield.data.field_sets import FieldLoaders, FieldSet
from multifield.evaluation import (
    Results,
    average_orientations,
    fit_sigma_factors,
    predict,
    recalibrate,
    simulation_of_rows,
)
from multifield.evaluation.information import Nats, measure_information
from multifield.models import ModelFolder, Network, load_weights
from multifield.studies.field_selection.search import ScoredSet, choose_goals, search_sets
from multifield.training import choose_device
from multifield.training.shown_fields import FixedFields
from multifield.tuning import Study, rank_trials, tune_and_show

SEPARATOR = "_"  # separates the fields of a set, as in file names


class FieldScores(NamedTuple):
    """Scores of sets of fields.

    Attributes
    ----------
    inferred : tuple of str
        Inferred parameters.
    sets : tuple of ScoredSet
        Scored sets, smallest first.
    """

    inferred: tuple[str, ...]
    sets: tuple[ScoredSet, ...]


class SetInformation(NamedTuple):
    """Information of a network trained on one set of fields.

    Attributes
    ----------
    valid, test : dict of str to (M,) float64
        Information of each validation map, used for selection, and of each test map [nats], by
        goal.
    """

    valid: dict[str, Nats]
    test: dict[str, Nats]


def train_scorer(
    loaders: FieldLoaders,
    folder: ModelFolder,
    training: TrainingConfig,
    tuning: TuningConfig,
    config: SelectFieldsConfig,
    execution: ExecutionConfig,
) -> Study:
    """Train the network that infers from any set of fields; see `multifield.tuning.tune`.

    Parameters
    ----------
    loaders : FieldLoaders
        Loaders of any set of fields.
    folder : ModelFolder
        Folder of the study's database, weights and losses.
    training : TrainingConfig
        Training settings. `config` replaces the number of epochs.
    tuning : TuningConfig
        Seed and storage of the study.
    config : SelectFieldsConfig
        Hyperparameters and epochs of the scorer.
    execution : ExecutionConfig
        Workers that train the networks.

    Returns
    -------
    study : Study
        Study with one trial per network.

    Raises
    ------
    ValueError
        If there is only one field.
    """
    if len(loaders.fields) < 2:
        raise ValueError(
            f"field: Expected two or more fields, got {loaders.fields[0]}. Join them with _, as in "
            "Mgas_T_HI."
        )
    scorer = config.scorer
    training = replace(training, epochs=scorer.epochs)
    data = loaders.load(loaders.fields).any_fields(scorer.maps_per_set)
    trials = _same_trials("field_scorer", scorer.networks, scorer.hyperparameters, tuning)
    causes = {**data.causes, **list_causes(training)}
    return tune_and_show(data, folder, trials, training, execution, causes)


def score_sets(
    study: Study,
    folder: ModelFolder,
    loaders: FieldLoaders,
    training: TrainingConfig,
    config: SelectFieldsConfig,
) -> FieldScores:
    """Score sets of fields on validation maps with the scorer.

    Parameters
    ----------
    study : Study
        Study from `train_scorer`.
    folder : ModelFolder
        Folder of the weights.
    loaders : FieldLoaders
        Loaders of any set of fields.
    training : TrainingConfig
        Training settings of the scorer.
    config : SelectFieldsConfig
        Settings of the scorer and the search.

    Returns
    -------
    scores : FieldScores
        Information in each scored set.
    """
    data = loaders.load(loaders.fields)
    weights = folder.weights(_best_of(study, range(config.scorer.networks), "scorer"))
    network = load_weights(
        weights,
        channels=2 * data.channels,
        map_size=data.map_size,
        architecture=training.architecture,
        head=training.head,
    )
    inferred = tuple(data.space.names[column] for column in sorted(data.inferred))
    goals = choose_goals(inferred)
    device, n_orientations = choose_device(training.device), config.scorer.orientations

    def score(chosen: FieldSet) -> ScoredSet:
        shown = FixedFields(data.valid, [field in chosen for field in loaders.fields], device)
        results = _predict(network, shown, n_orientations, training)
        (measured,) = _measure(results, results)
        return ScoredSet(
            fields=chosen,
            information={goal: float(nats.mean()) for goal, nats in measured.items()},
        )

    return FieldScores(inferred, tuple(search_sets(loaders.fields, score, goals, config.search)))


def _measure(valid: Results, *parts: Results) -> list[dict[str, Nats]]:
    """Measure the information for each goal after recalibration on validation maps."""
    factors = fit_sigma_factors(valid, simulation_of_rows(valid, 1))
    recalibrated = [recalibrate(part, factors) for part in parts]
    goals = choose_goals(valid.inferred)
    return [
        {goal: measure_information(part, parameters) for goal, parameters in goals.items()}
        for part in recalibrated
    ]


def train_finalists(
    finalists: Sequence[FieldSet],
    loaders: FieldLoaders,
    folder: ModelFolder,
    training: TrainingConfig,
    tuning: TuningConfig,
    config: SelectFieldsConfig,
    hyperparameters: Hyperparameters,
    execution: ExecutionConfig,
) -> Study:
    """Train networks from scratch, each on one set of fields; see `multifield.tuning.tune`.

    Parameters
    ----------
    finalists : sequence of tuple of str
        Sets of fields to train on.
    loaders : FieldLoaders
        Loaders of any set of fields.
    folder : ModelFolder
        Folder of the study's database, weights and losses.
    training : TrainingConfig
        Training settings.
    tuning : TuningConfig
        Seed and storage of the study.
    config : SelectFieldsConfig
        Number of networks per set.
    hyperparameters : Hyperparameters
        Hyperparameters of all networks, so that only the fields differ.
    execution : ExecutionConfig
        Workers that train the networks.

    Returns
    -------
    study : Study
        Study in which trial ``t`` is trained on set ``t // config.finalists.networks``.
    """
    per_set = config.finalists.networks
    trials = _same_trials("field_finalists", per_set * len(finalists), hyperparameters, tuning)
    fingerprint = {
        **loaders.load(loaders.fields).causes,
        **list_causes(training),
        "fields.sets": " ".join(map(SEPARATOR.join, finalists)),
        "fields.networks": str(per_set),
    }

    def load(trial: int) -> SplitLoaders:
        return loaders.load(finalists[trial // per_set])

    return tune_and_show(load, folder, trials, training, execution, fingerprint)


def measure_finalists(
    study: Study,
    folder: ModelFolder,
    finalists: Sequence[FieldSet],
    loaders: FieldLoaders,
    training: TrainingConfig,
    evaluation: EvaluationConfig,
    config: SelectFieldsConfig,
) -> dict[FieldSet, SetInformation]:
    """Measure the information in each set with its best network on validation maps.

    Parameters
    ----------
    study : Study
        Study from `train_finalists`.
    folder : ModelFolder
        Folder of the weights.
    finalists : sequence of tuple of str
        Sets of fields in the order of the training.
    loaders : FieldLoaders
        Loaders of any set of fields.
    training : TrainingConfig
        Training settings of the finalists.
    evaluation : EvaluationConfig
        Precision and number of orientations, which are averaged.
    config : SelectFieldsConfig
        Number of networks per set.

    Returns
    -------
    information : dict of tuple of str to SetInformation
        Information by set, one row per map; all sets use the same maps.
    """
    found, per_set = {}, config.finalists.networks
    for position, fields in enumerate(finalists):
        numbers = range(per_set * position, per_set * (position + 1))
        weights = folder.weights(_best_of(study, numbers, SEPARATOR.join(fields)))
        data = loaders.load(fields)
        network = load_weights(
            weights,
            channels=data.channels,
            map_size=data.map_size,
            architecture=training.architecture,
            head=training.head,
        )
        valid, tested = (
            _predict(
                network, part, evaluation.orientations, training, precision=evaluation.precision
            )
            for part in (data.valid, data.test)
        )
        found[fields] = SetInformation(*_measure(valid, valid, tested))
    return found


def _predict(
    network: Network, maps: Any, n_orientations: int, training: TrainingConfig, **options: Any
) -> Results:
    """Predict maps and average their orientations to one row per map."""
    results = predict(
        network,
        maps,
        range(n_orientations),
        device=training.device,
        n_threads=training.n_threads,
        **options,
    )
    return average_orientations(results, n_orientations)


def _same_trials(
    name: str, n_trials: int, hyperparameters: Hyperparameters, tuning: TuningConfig
) -> TuningConfig:
    """Configure a study whose trials share their hyperparameters and differ in seed or fields.

    Shared hyperparameters make the fields the only cause of a difference between sets.
    """
    point = {key: {"low": value, "high": value} for key, value in asdict(hyperparameters).items()}
    return replace(
        tuning,
        n_trials=n_trials,
        study_name=name,
        search_space=TypeAdapter(SearchSpace).validate_python(point),
        enqueue=(),
        pruner=replace(tuning.pruner, name="none"),
        keep_weights=0,
    )


def _best_of(study: Study, numbers: range, what: str) -> int:
    """Find the complete trial with the lowest validation loss among `numbers`."""
    ranked = [trial.number for trial in rank_trials(study) if trial.number in numbers]
    if not ranked:
        raise ValueError(
            f"study {study.study_name}: Expected a complete trial of {what} among trials "
            f"{', '.join(map(str, numbers))}, got none. The study's trials record why they failed."
        )
    return ranked[0]
