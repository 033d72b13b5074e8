"""Nodes of `report`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from multifield import evaluation, reporting, training, tuning
from multifield.camels.selection import Selection
from multifield.config.evaluation import EvaluationConfig
from multifield.config.training import TrainingConfig
from multifield.core import versions
from multifield.core.arrays import Maps, Theta
from multifield.data.loader import MapLoader
from multifield.data.manifest import Manifest
from multifield.data.preprocess import LogMaps
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.records import to_records

N_BASELINES = 8  # maps that span the first parameter, from which attributions start
N_EXAMPLES = 3  # maps drawn of the typical and of the worst predictions
N_ATTRIBUTED = 3  # maps with attributed pixels; one map for several fields, one row per field


def plot_results(
    results: "evaluation.Results",
    selection: Selection,
    test_selection: Selection,
    config: EvaluationConfig,
) -> "reporting.figures.Figure":
    """Draw truth against prediction; see `multifield.reporting.figures.true_against_predicted`."""
    return reporting.figures.true_against_predicted(
        results,
        selection.suite,
        selection.field,
        test_selection,
        n_orientations=config.orientations,
    )


def plot_calibration(
    results: "evaluation.Results",
    recalibrated: "evaluation.Results",
    selection: Selection,
    test_selection: Selection,
    config: EvaluationConfig,
) -> "reporting.figures.Figure":
    """Draw calibration and recalibration; see `multifield.reporting.figures.calibration`."""
    return reporting.figures.calibration(
        results,
        recalibrated,
        evaluation.simulation_of_rows(results, config.orientations),
        config.bootstrap,
        selection.suite,
        selection.field,
        test_selection,
    )


def plot_contours(
    draws: Any, selection: Selection, test_selection: Selection
) -> "reporting.figures.Figure":
    """Draw contours of test maps; see `multifield.reporting.figures.contours_of_maps`."""
    return reporting.figures.contours_of_maps(
        evaluation.Draws.from_table(draws), selection.suite, selection.field, test_selection
    )


def plot_corner(
    draws: Any, selection: Selection, test_selection: Selection
) -> "reporting.figures.Figure":
    """Draw posteriors of one simulation; see `multifield.reporting.figures.corner`."""
    return reporting.figures.corner_of_simulation(
        evaluation.Draws.from_table(draws), selection.suite, selection.field, test_selection
    )


def plot_losses(
    study: "tuning.Study",
    networks: ModelFolder,
    selection: Selection,
    training_config: TrainingConfig,
) -> "reporting.figures.Figure":
    """Draw the losses of all trials; see `multifield.reporting.figures.loss_curves`."""
    values = tuning.valid_losses(study)
    if not any(networks.losses(trial).is_file() for trial in values):  # networks without loss files
        return plot_study_history(study, selection)
    losses = {trial: training.read_losses(networks.losses(trial)) for trial in values}
    best = min(values, key=values.__getitem__)
    return reporting.figures.loss_curves(
        losses, best, selection.suite, selection.field, training_config.judged_by
    )


def plot_residuals(
    compared: "evaluation.Results",
    selection: Selection,
    test_selection: Selection,
    config: EvaluationConfig,
) -> "reporting.figures.Figure":
    """Draw residuals and pulls; see `multifield.reporting.figures.residuals`."""
    return reporting.figures.residuals(
        compared,
        selection.suite,
        selection.field,
        test_selection,
        n_orientations=config.orientations,
    )


def plot_typical_and_worst(
    compared: "evaluation.Results",
    data: MapLoader,
    raw_maps: Mapping[str, Maps],
    selection: Selection,
    test_selection: Selection,
    config: EvaluationConfig,
) -> "reporting.figures.Figure":
    """Draw typical and the worst predictions; see `multifield.reporting.figures.typical_and_worst`."""
    typical, worst = evaluation.choose_typical_and_worst(compared, config.orientations, N_EXAMPLES)
    shown = raw_maps[test_selection.fields[0]]
    return reporting.figures.typical_and_worst(
        typical,
        worst,
        shown[data.take(typical.rows).index],
        shown[data.take(worst.rows).index],
        selection.suite,
        selection.field,
        test_selection,
    )


def plot_saliency(
    networks: "Mapping[int, Any]",
    compared: "evaluation.Results",
    data: MapLoader,
    selection: Selection,
    test_selection: Selection,
    training_config: TrainingConfig,
    config: EvaluationConfig,
) -> "reporting.figures.Figure":
    """Draw the pixels that matter; see `multifield.evaluation.attribute_means`."""
    n = N_ATTRIBUTED if len(test_selection.fields) == 1 else 1
    examples = evaluation.choose_across(compared, config.orientations, n)
    batch = data.take(examples.rows)
    others = evaluation.choose_across(compared, config.orientations, N_BASELINES)
    best, *_ = networks.values()
    attributions = evaluation.attribute_means(
        best,
        batch.x,
        compared.inferred[:2],
        baselines=data.take(others.rows).x,
        space=compared.space,
        n_steps=config.saliency_steps,
        device=training_config.device,
        n_threads=training_config.n_threads,
    )
    return reporting.figures.saliency(
        attributions, batch.x, examples, selection.suite, selection.field, test_selection, data.box
    )


def plot_spectra(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    results: "evaluation.Results",
    selection: Selection,
) -> "reporting.figures.Figure":
    """Draw power spectra of the training suite; see `multifield.reporting.figures.spectra`."""
    return reporting.figures.spectra(
        log_maps, theta, results.inferred, selection.suite, selection.field, results.space
    )


def plot_study_history(study: "tuning.Study", selection: Selection) -> "reporting.figures.Figure":
    """Draw the history of trials; see `multifield.reporting.figures.study_history`."""
    trials = tuning.trials_table(study)
    return reporting.figures.study_history(trials, selection.suite, selection.field)


def plot_importance(study: "tuning.Study", selection: Selection) -> "reporting.figures.Figure":
    """Draw importances of hyperparameters; see `multifield.tuning.estimate_importances`."""
    return reporting.figures.hyperparameter_importance(
        tuning.estimate_importances(study),
        len(tuning.rank_trials(study)),
        tuning.MIN_TRIALS,
        selection.suite,
        selection.field,
    )


def plot_parallel_coordinates(
    study: "tuning.Study", selection: Selection
) -> "reporting.figures.Figure":
    """Draw hyperparameters and losses; see `multifield.reporting.figures.parallel_coordinates`."""
    trials = tuning.trials_table(study)
    return reporting.figures.parallel_coordinates(trials, selection.suite, selection.field)


def write_report(
    selection: Selection,
    test_selection: Selection,
    parameters: Mapping[str, Any],
    metrics: dict[str, dict[str, float]],
    metrics_intervals: "evaluation.Intervals",
    metrics_recalibrated: dict[str, dict[str, float]],
    metrics_recalibrated_intervals: "evaluation.Intervals",
    calibration_tests: Any,
    levels: Any,
    study: "tuning.Study",
    manifest: Manifest,
    test_manifest: Manifest,
    training_config: TrainingConfig,
    **figures: bytes,
) -> str:
    """Write the report of the run; see `multifield.reporting.render_report`."""
    at_home = selection == test_selection
    return reporting.render_report(
        reporting.RunReport(
            trained_on=selection,
            tested_on=test_selection,
            parameters=parameters,
            metrics=metrics,
            intervals=metrics_intervals,
            recalibrated=metrics_recalibrated,
            recalibrated_intervals=metrics_recalibrated_intervals,
            calibration_tests=to_records(calibration_tests),
            levels=to_records(levels),
            trials=tuning.trials_table(study),
            study_name=study.study_name,
            manifests={"trained and tested on": manifest}
            if at_home
            else {"trained on": manifest, "tested on": test_manifest},
            figures=figures,
            software=versions.describe_software(),
            device=reporting.describe_device(training_config.device),
            seconds=versions.process_seconds(),
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
