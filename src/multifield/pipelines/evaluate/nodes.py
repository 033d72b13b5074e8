"""Nodes of `evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multifield import evaluation, models, training, tuning
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.evaluation import EvaluationConfig
from multifield.config.ingest import SourceConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps, Theta
from multifield.data import test_set
from multifield.data.loader import MapLoader
from multifield.data.manifest import Manifest
from multifield.data.map_files import MapStream
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps, Preprocessing, prepare
from multifield.data.split_loaders import SplitLoaders
from multifield.ingest.sources import open_test_source
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.ingest.nodes import verify_maps
from multifield.pipelines.records import draws_for_files, to_frame
from multifield.training.causes import fingerprint

# ---- test maps ----


def bring_test_maps(
    selection: Selection,
    test_selection: Selection,
    source: SourceConfig,
    raw_maps: Mapping[str, Maps],
) -> tuple[MapStream | Mapping[str, Path], Theta | Path]:
    """Simulate or find the test maps; see `multifield.ingest.sources.open_test_source`."""
    return open_test_source(selection, test_selection, source, raw_maps)


def verify_test_maps(
    selection: Selection,
    test_selection: Selection,
    source: SourceConfig,
    maps: Mapping[str, Maps],
    theta: Theta,
    manifest: Manifest,
) -> Manifest:
    """Check every pixel, unless `ingest` did; see `multifield.data.manifest.verify_suite`."""
    if test_selection == selection:
        manifest.check_files(maps)
        return manifest
    return verify_maps(test_selection, source, maps, theta)


def preprocess_test_maps(
    selection: Selection,
    test_selection: Selection,
    maps: Mapping[str, Maps],
    manifest: Manifest,
    log_maps: Mapping[str, LogMaps],
    preprocessing: PreprocessingConfig,
    config: EvaluationConfig,
) -> dict[str, Preprocessing | LogMaps]:
    """Preprocess test maps or reuse log maps; see `multifield.data.test_set.reuse_log_maps`."""
    at_width = test_set.at_width(preprocessing, config.smoothing_width)
    floors = {field: each.floor for field, each in log_maps.items() if each.floor is not None}
    wanted = prepare(maps, manifest, at_width, floors)
    return test_set.reuse_log_maps(wanted, log_maps, selection, test_selection)


def load_test_maps(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    manifest: Manifest,
    normalization: Normalization,
    data: SplitLoaders,
    selection: Selection,
    test_selection: Selection,
    split: SplitConfig,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> MapLoader:
    """Make the loader of the test maps; see `multifield.data.test_set.load_test_maps`."""
    simulations = test_set.choose_simulations(
        len(theta), selection, test_selection, split, config.simulations
    )
    return test_set.load_test_maps(
        log_maps,
        theta,
        manifest,
        normalization,
        simulations,
        training=data,
        keep_all=config.not_inferred == "keep",
        batch_size=training_config.batch_size,
        **training.loader_options(training_config),
    )


# ---- networks and what they infer ----


def load_networks(
    study: "tuning.Study",
    networks: ModelFolder,
    data: SplitLoaders,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "dict[int, models.Network]":
    """Load the networks of the best trials of this split; see `multifield.models.load_weights`."""
    causes = fingerprint(data, training_config)
    tuning.check_fingerprint(study, causes, networks.database)
    return {
        trial.number: models.load_weights(
            networks.weights(trial.number),
            hidden=trial.params["hidden"],
            channels=data.channels,
            map_size=data.map_size,
            architecture=training_config.architecture,
            head=training_config.head,
            sha256=trial.user_attrs.get(tuning.WEIGHTS_SHA256),
        )
        for trial in tuning.top_trials(study, config.top_k)
    }


def predict_test_maps(
    networks: "Mapping[int, models.Network]",
    data: MapLoader,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "tuple[evaluation.Results, dict[int, evaluation.Results]]":
    """Predict test maps, the best trial separately; see `multifield.evaluation.predict`."""
    best, *others = networks
    return (
        predict_with(networks[best], data, training_config, config),
        {n: predict_with(networks[n], data, training_config, config) for n in others},
    )


def predict_validation_maps(
    networks: "Mapping[int, models.Network]",
    data: SplitLoaders,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "tuple[evaluation.Results, dict[int, evaluation.Results]]":
    """Predict validation maps, the best trial separately; see `multifield.evaluation.predict`."""
    return predict_test_maps(networks, data.valid, training_config, config)


def predict_shifted_maps(
    networks: "Mapping[int, models.Network]",
    test_data: MapLoader,
    data: SplitLoaders,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "tuple[evaluation.Results, ...]":
    """Predict shifted validation and test maps; see `multifield.evaluation.predict_shifted`."""
    best, *_ = networks.values()
    return tuple(
        evaluation.predict_shifted(
            best,
            loader,
            range(config.orientations),
            n_shifts=config.shifts,
            seed=config.shifts_seed,
            map_size=data.map_size,
            device=training_config.device,
            n_threads=training_config.n_threads,
        )
        for loader in (data.valid, test_data)
        if config.shifts
    )


def average_networks(
    best: "evaluation.Results", others: "Mapping[int, evaluation.Results]"
) -> "dict[int, evaluation.Results]":
    """Average several networks; see `multifield.evaluation.average_networks`."""
    k = 1 + len(others)
    return {k: evaluation.average_networks([best, *others.values()])} if others else {}


def predict_with(
    network: "models.Network",
    data: MapLoader,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "evaluation.Results":
    """Predict maps with one network; see `multifield.evaluation.predict`."""
    return evaluation.predict(
        network,
        data,
        range(config.orientations),
        device=training_config.device,
        precision=config.precision,
        n_threads=training_config.n_threads,
    )


# ---- scores ----


def keep_comparable(
    results: "evaluation.Results", selection: Selection, test_selection: Selection
) -> "evaluation.Results":
    """Keep parameters that have a true value; see `multifield.evaluation.comparable`."""
    return evaluation.comparable(results, selection.suite, test_selection.suite)


def keep_comparable_others(
    others: "Mapping[int, evaluation.Results]",
    shifted: "tuple[evaluation.Results, ...]",
    selection: Selection,
    test_selection: Selection,
) -> "tuple[dict[int, evaluation.Results], tuple[evaluation.Results, ...]]":
    """Keep them in other trials and shifted test maps; see `multifield.evaluation.comparable`."""
    return (
        {n: keep_comparable(each, selection, test_selection) for n, each in others.items()},
        (*shifted[:1], *(keep_comparable(each, selection, test_selection) for each in shifted[1:])),
    )


def draw_posteriors(
    results: "evaluation.Results", config: EvaluationConfig
) -> "tuple[Any, dict[str, evaluation.Draws]]":
    """Draw from the posterior of each map, for files; see `multifield.evaluation.draw`."""
    return draws_for_files(results, config.orientations, config.draws)


def fit_sigma_factors(
    validation_results: "evaluation.Results", config: EvaluationConfig
) -> "evaluation.Factors":
    """Fit factors of sigma on validation maps; see `multifield.evaluation.fit_sigma_factors`."""
    simulation = evaluation.simulation_of_rows(validation_results, config.orientations)
    return evaluation.fit_sigma_factors(validation_results, simulation)


def recalibrate_results(
    results: "evaluation.Results", factors: "evaluation.Factors"
) -> "evaluation.Results":
    """Apply the factors of sigma; see `multifield.evaluation.recalibrate`."""
    return evaluation.recalibrate(results, factors)


def score_results(results: "evaluation.Results") -> "evaluation.Metrics":
    """Compute every metric; see `multifield.evaluation.score_results`."""
    return evaluation.score_results(results)


def estimate_intervals(
    results: "evaluation.Results", config: EvaluationConfig
) -> "evaluation.Intervals":
    """Estimate intervals of the metrics; see `multifield.evaluation.estimate_intervals`."""
    simulation = evaluation.simulation_of_rows(results, config.orientations)
    return evaluation.estimate_intervals(results, simulation, config.bootstrap)


def estimate_recalibrated_intervals(
    results: "evaluation.Results",
    validation_results: "evaluation.Results",
    config: EvaluationConfig,
) -> "evaluation.Intervals":
    """Resample validation maps too; see `multifield.evaluation.estimate_recalibrated_intervals`."""
    test, valid = (
        (each, evaluation.simulation_of_rows(each, config.orientations))
        for each in (results, validation_results)
    )
    return evaluation.estimate_recalibrated_intervals(*test, *valid, config.bootstrap)


def score_recalibrated(
    results: "evaluation.Results", factors: "evaluation.Factors"
) -> "evaluation.Metrics":
    """Score results after recalibration; see `multifield.evaluation.score_recalibrated`."""
    return evaluation.score_recalibrated(results, factors)


def check_calibration(
    results: "evaluation.Results", recalibrated: "evaluation.Results", config: EvaluationConfig
) -> Any:
    """Test calibration with recalibration; see `multifield.evaluation.compare_calibration`."""
    simulation = evaluation.simulation_of_rows(results, config.orientations)
    return to_frame(
        evaluation.compare_calibration(
            results, recalibrated, simulation, config.bootstrap, config.calibration
        )
    )


def compare_levels(
    results: "evaluation.Results",
    others: "Mapping[int, evaluation.Results]",
    validation_results: "evaluation.Results",
    validation_others: "Mapping[int, evaluation.Results]",
    shifted: "tuple[evaluation.Results, ...]",
    config: EvaluationConfig,
) -> Any:
    """Compare levels of averaging; see `multifield.evaluation.compare_levels`."""
    valid = [validation_results, *validation_others.values()]
    test = [results, *others.values()]
    named = evaluation.name_predictions(valid, test, config.orientations)
    if shifted:
        n_copies = config.orientations * config.shifts
        valid_shifted, test_shifted = shifted
        named[f"best, {config.shifts} shifts"] = evaluation.Predictions(
            valid_shifted, test_shifted, n_copies
        )
    return to_frame(evaluation.compare_levels(named, config.bootstrap))


def compare_trials(
    study: "tuning.Study", best: "evaluation.Results", others: "Mapping[int, evaluation.Results]"
) -> Any:
    """Compare the tested trials; see `multifield.evaluation.compare_trials`."""
    by_number = {tuning.best_trial(study).number: best, **others}
    return to_frame(evaluation.compare_trials(by_number, tuning.valid_losses(study)))
