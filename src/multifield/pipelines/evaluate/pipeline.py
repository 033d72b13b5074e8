"""Evaluation: test the best networks of a study on held-out maps of any suite."""

from kedro.pipeline import Node, Pipeline

from multifield.pipelines.evaluate import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage, step

TESTED = ["params:selection", "params:test_selection"]


def create_pipeline() -> Pipeline:
    """From a `study` and test maps to `results` and `metrics`."""
    return make_stage("evaluate", [*_test_maps(), *_predictions(), *_scores(), *_comparisons()])


def _test_maps() -> list[Node]:
    """Prepare the test maps, or reuse those of the training suite and set."""
    return [
        step(
            nodes.bring_test_maps,
            inputs=[*TESTED, "params:source", "raw_maps"],
            outputs=["test_raw_maps", "test_theta"],
        ),
        step(
            nodes.verify_test_maps,
            inputs=[*TESTED, "params:source", "test_raw_maps", "test_theta", "manifest"],
            outputs="test_manifest",
        ),
        step(
            nodes.preprocess_test_maps,
            inputs=[
                *TESTED,
                "test_raw_maps",
                "test_manifest",
                "log_maps",
                "params:preprocessing",
                "params:evaluation",
            ],
            outputs="test_log_maps",
        ),
    ]


def _predictions() -> list[Node]:
    """Load the networks and predict."""
    return [
        load_splits_into("evaluate_data"),
        step(
            nodes.load_test_maps,
            inputs=[
                "test_log_maps",
                "test_theta",
                "test_manifest",
                "normalization",
                "evaluate_data",
                *TESTED,
                "params:split",
                "params:training",
                "params:evaluation",
            ],
            outputs="test_data",
        ),
        step(
            nodes.load_networks,
            inputs=["study", "networks", "evaluate_data", "params:training", "params:evaluation"],
            outputs="tested_networks",
        ),
        step(
            nodes.predict_test_maps,
            inputs=["tested_networks", "test_data", "params:training", "params:evaluation"],
            outputs=["results", "runner_up_results"],
        ),
        step(
            nodes.predict_validation_maps,
            inputs=["tested_networks", "evaluate_data", "params:training", "params:evaluation"],
            outputs=["validation_results", "runner_up_validation_results"],
        ),
        step(
            nodes.predict_shifted_maps,
            inputs=[
                "tested_networks",
                "test_data",
                "evaluate_data",
                "params:training",
                "params:evaluation",
            ],
            outputs="shifted_predictions",
        ),
        step(
            nodes.average_networks,
            inputs=["results", "runner_up_results"],
            outputs="ensemble_results",
        ),
    ]


def _scores() -> list[Node]:
    """Score the best network before and after recalibration."""
    return [
        step(nodes.keep_comparable, inputs=["results", *TESTED], outputs="compared_results"),
        step(
            nodes.keep_comparable_others,
            inputs=["runner_up_results", "shifted_predictions", *TESTED],
            outputs=["compared_runner_ups", "compared_shifts"],
        ),
        step(
            nodes.draw_posteriors,
            inputs=["compared_results", "params:evaluation"],
            outputs=["draws", "draws_files"],
        ),
        step(
            nodes.fit_sigma_factors,
            inputs=["validation_results", "params:evaluation"],
            outputs="sigma_factors",
        ),
        step(
            nodes.recalibrate_results,
            inputs=["compared_results", "sigma_factors"],
            outputs="recalibrated_results",
        ),
        step(nodes.score_results, inputs="compared_results", outputs="metrics"),
        step(
            nodes.estimate_intervals,
            inputs=["compared_results", "params:evaluation"],
            outputs="metrics_intervals",
        ),
        step(
            nodes.score_recalibrated,
            inputs=["compared_results", "sigma_factors"],
            outputs="metrics_recalibrated",
        ),
        step(
            nodes.estimate_recalibrated_intervals,
            inputs=["compared_results", "validation_results", "params:evaluation"],
            outputs="metrics_recalibrated_intervals",
        ),
        step(
            nodes.check_calibration,
            inputs=["compared_results", "recalibrated_results", "params:evaluation"],
            outputs="calibration_tests",
        ),
    ]


def _comparisons() -> list[Node]:
    """Compare levels of averaging, and trials."""
    return [
        step(
            nodes.compare_levels,
            inputs=[
                "compared_results",
                "compared_runner_ups",
                "validation_results",
                "runner_up_validation_results",
                "compared_shifts",
                "params:evaluation",
            ],
            outputs="levels",
        ),
        step(
            nodes.compare_trials,
            inputs=["study", "compared_results", "compared_runner_ups"],
            outputs="tested_trials",
        ),
    ]
