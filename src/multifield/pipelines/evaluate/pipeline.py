"""The best networks of a study, on maps they have never seen: of their own suite or of any other."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines.evaluate import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage

TESTED = ["params:selection", "params:test_selection"]


def create_pipeline() -> Pipeline:
    """From a `study` and test maps to `results`, `metrics` and figures."""
    return make_stage("evaluate", [*_test_maps(), *_predictions(), *_scores()])


def _test_maps() -> list[Node]:
    """Bring and preprocess the test maps, or take those of the training's suite and set."""
    return [
        node(
            nodes.bring_test_maps,
            inputs=[*TESTED, "params:source", "raw_maps"],
            outputs=["test_raw_maps", "test_theta"],
            name="bring_test_maps",
        ),
        node(
            nodes.verify_test_maps,
            inputs=[*TESTED, "params:source", "test_raw_maps", "test_theta", "manifest"],
            outputs="test_manifest",
            name="verify_test_maps",
        ),
        node(
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
            name="preprocess_test_maps",
        ),
    ]


def _predictions() -> list[Node]:
    """Load the networks and let them infer."""
    return [
        load_splits_into("evaluate_data"),
        node(
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
            name="load_test_maps",
        ),
        node(
            nodes.load_networks,
            inputs=["study", "networks", "evaluate_data", "params:training", "params:evaluation"],
            outputs="tested_networks",
            name="load_networks",
        ),
        node(
            nodes.predict_test_maps,
            inputs=["tested_networks", "test_data", "params:training", "params:evaluation"],
            outputs=["results", "runner_up_results"],
            name="predict_test_maps",
        ),
        node(
            nodes.predict_validation_maps,
            inputs=["tested_networks", "evaluate_data", "params:training", "params:evaluation"],
            outputs=["validation_results", "runner_up_validation_results"],
            name="predict_validation_maps",
        ),
        node(
            nodes.predict_shifted_maps,
            inputs=[
                "tested_networks",
                "test_data",
                "evaluate_data",
                "params:training",
                "params:evaluation",
            ],
            outputs="shifted_predictions",
            name="predict_shifted_maps",
        ),
        node(
            nodes.average_networks,
            inputs=["results", "runner_up_results"],
            outputs="ensemble_results",
            name="average_networks",
        ),
    ]


def _scores() -> list[Node]:
    """Score the networks and draw."""
    return [
        node(
            nodes.score_results,
            inputs=["results", *TESTED],
            outputs="metrics",
            name="score_results",
        ),
        node(
            nodes.estimate_intervals,
            inputs=["results", *TESTED, "params:evaluation"],
            outputs="metrics_intervals",
            name="estimate_intervals",
        ),
        node(
            nodes.score_recalibrated,
            inputs=["results", "validation_results", *TESTED],
            outputs="metrics_recalibrated",
            name="score_recalibrated",
        ),
        node(
            nodes.check_calibration,
            inputs=["results", "validation_results", *TESTED, "params:evaluation"],
            outputs="calibration_tests",
            name="check_calibration",
        ),
        node(
            nodes.compare_levels,
            inputs=[
                "results",
                "runner_up_results",
                "validation_results",
                "runner_up_validation_results",
                "shifted_predictions",
                *TESTED,
                "params:evaluation",
            ],
            outputs="levels",
            name="compare_levels",
        ),
        node(
            nodes.compare_trials,
            inputs=["study", "results", "runner_up_results", *TESTED],
            outputs="tested_trials",
            name="compare_trials",
        ),
        node(
            nodes.plot_results,
            inputs=["results", *TESTED, "params:evaluation"],
            outputs="figure_true_against_predicted",
            name="plot_results",
        ),
        node(
            nodes.plot_calibration,
            inputs=["results", "validation_results", *TESTED, "params:evaluation"],
            outputs="figure_calibration",
            name="plot_calibration",
        ),
        node(
            nodes.plot_losses,
            inputs=["study", "networks", "params:selection"],
            outputs="figure_losses",
            name="plot_losses",
        ),
    ]
