"""The networks that say what sets of fields hold: trials of two Optuna studies.

The *scorer* is one network that infers from any set of the fields. The *finalists* are trained from scratch,
each on one set.
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
from multifield.evaluation import Results, average_orientations, predict
from multifield.evaluation.information import (
    Information,
    fit_calibrations,
    measure_information,
    prior_widths,
)
from multifield.models import ModelFolder, Network, load_weights
from multifield.studies.field_selection.search import ScoredSet, choose_goals, search_sets
from multifield.training import choose_device
from multifield.training.shown_fields import FixedFields
from multifield.tuning import Study, rank_trials, tune_and_show

SEPARATOR = "_"  # between the fields of a set, as in names of multifield files


class FieldScores(NamedTuple):
    """What the scorer says of sets of fields.

    Attributes
    ----------
    inferred : tuple of str
        Parameters that the suite infers.
    sets : tuple of ScoredSet
        The smallest first.
    """

    inferred: tuple[str, ...]
    sets: tuple[ScoredSet, ...]


class SetInformation(NamedTuple):
    """What a network trained on one set of fields says."""

    valid: Information  # of validation maps, by which networks are chosen
    test: Information


def train_scorer(
    loaders: FieldLoaders,
    folder: ModelFolder,
    training: TrainingConfig,
    tuning: TuningConfig,
    config: SelectFieldsConfig,
    execution: ExecutionConfig,
) -> Study:
    """Train the network that infers from any set of the fields; see `multifield.tuning.tune`.

    Parameters
    ----------
    loaders : FieldLoaders
    folder : ModelFolder
        Of its study, database, weights and losses.
    training : TrainingConfig
        The scorer has epochs of its own.
    tuning : TuningConfig
        Its seed and storage.
    config : SelectFieldsConfig
        Hyperparameters and epochs of the scorer.
    execution : ExecutionConfig
        Where networks are trained.

    Returns
    -------
    study : Study
        One trial a network.

    Raises
    ------
    ValueError
        If there is one field alone.
    """
    if len(loaders.fields) < 2:
        raise ValueError(
            f"field: expected several, joined with _ as in Mgas_T_HI, got {loaders.fields[0]} alone"
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
        From `train_scorer`.
    folder : ModelFolder
        With the weights.
    loaders, training, config
        As given to `train_scorer`.

    Returns
    -------
    scores : FieldScores
    """
    data = loaders.load(loaders.fields)
    weights = folder.weights(_best_of(study, range(config.scorer.networks), "scorer"))
    network = load_weights(
        weights,
        channels=2 * data.channels,
        map_size=data.map_size,
        architecture=training.architecture,
    )
    prior = prior_widths(data.train.theta, data.inferred)
    device, n_orientations = choose_device(training.device), config.scorer.orientations

    def score(chosen: FieldSet) -> ScoredSet:
        shown = FixedFields(data.valid, [field in chosen for field in loaders.fields], device)
        results = _look(network, shown, n_orientations, training)
        information = measure_information(results, fit_calibrations(results), prior)
        return ScoredSet(
            fields=chosen,
            information=_by_parameter(information, information.nats.mean(axis=0)),
            rmse_information=_by_parameter(information, information.rmse_nats),
        )

    inferred = tuple(prior)
    sets = search_sets(loaders.fields, score, choose_goals(inferred), config.search)
    return FieldScores(inferred, tuple(sets))


def _by_parameter(information: Information, values: Any) -> dict[str, float]:
    return dict(zip(information.parameters, values.tolist(), strict=True))


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
        The sets.
    loaders, folder, training, tuning, config
        As for `train_scorer`; the folder and the study are others.
    hyperparameters : Hyperparameters
        Of all sets alike, so that nothing but the fields differs.
    execution : ExecutionConfig
        Where networks are trained.

    Returns
    -------
    study : Study
        Trial ``t`` is of set ``t // config.finalists.networks``.
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
    """Measure what each set says, by the best of its networks on validation maps.

    Parameters
    ----------
    study : Study
        From `train_finalists`.
    folder : ModelFolder
        With the weights.
    finalists, loaders, training, config
        As given to `train_finalists`.
    evaluation : EvaluationConfig
        Orientations, which are averaged to one row a map, and precision.

    Returns
    -------
    information : dict of tuple of str to SetInformation
        One row a map, the same maps for all sets.
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
        )
        valid, tested = (
            _look(network, part, evaluation.orientations, training, precision=evaluation.precision)
            for part in (data.valid, data.test)
        )
        prior, calibrations = prior_widths(data.train.theta, data.inferred), fit_calibrations(valid)
        found[fields] = SetInformation(
            measure_information(valid, calibrations, prior),
            measure_information(tested, calibrations, prior),
        )
    return found


def _look(
    network: Network, maps: Any, n_orientations: int, training: TrainingConfig, **options: Any
) -> Results:
    """Infer from maps in several orientations; one row a map."""
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
    """Let a study have trials of the same hyperparameters, which differ in seed and perhaps maps.

    Sets of fields are compared, and of different hyperparameters nobody could say which made the difference.
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
    """Give the trial of the lowest validation loss among some; ValueError if none of them is complete."""
    ranked = [trial.number for trial in rank_trials(study) if trial.number in numbers]
    if not ranked:
        raise ValueError(
            f"study {study.study_name}: expected a complete trial of {what} among "
            f"{', '.join(map(str, numbers))}, got none; `trials` there say why they failed"
        )
    return ranked[0]
