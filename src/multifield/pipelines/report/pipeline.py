"""Report: figures and a page from the outputs of `evaluate`, without training or prediction."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines import evaluate
from multifield.pipelines.evaluate.pipeline import TESTED
from multifield.pipelines.report import nodes
from multifield.pipelines.stage import make_stage, step

FIGURES = (
    "true_against_predicted",
    "residuals",
    "calibration",
    "contours",
    "corner",
    "typical_and_worst",
    "saliency",
    "spectra",
    "losses",
    "study_history",
    "importance",
    "parallel_coordinates",
)
SHARED = (
    "load_splits",
    "load_test_maps",
    "load_networks",
    "keep_comparable",
    "fit_sigma_factors",
    "recalibrate_results",
)
"""Nodes of `evaluate` that compute the data of the figures from stored files."""


def create_pipeline() -> Pipeline:
    """From `study`, `results`, `draws` and `metrics` to figures and `report`."""
    shared = evaluate.create_pipeline().only_nodes(*(f"evaluate.{name}" for name in SHARED))
    return shared + make_stage("report", [*_drawings(), _page()])


def _drawings() -> list[Node]:
    """Draw results, maps, spectra and the study."""
    return [
        step(
            nodes.plot_results,
            inputs=["compared_results", *TESTED, "params:evaluation"],
            outputs="figure_true_against_predicted",
        ),
        step(
            nodes.plot_calibration,
            inputs=["compared_results", "recalibrated_results", *TESTED, "params:evaluation"],
            outputs="figure_calibration",
        ),
        *(
            node(plot, inputs=["draws", *TESTED], outputs=figure, name=plot.__name__)
            for plot, figure in (
                (nodes.plot_contours, "figure_contours"),
                (nodes.plot_corner, "figure_corner"),
            )
        ),
        step(
            nodes.plot_losses,
            inputs=["study", "networks", "params:selection", "params:training"],
            outputs="figure_losses",
        ),
        step(
            nodes.plot_residuals,
            inputs=["compared_results", *TESTED, "params:evaluation"],
            outputs="figure_residuals",
        ),
        step(
            nodes.plot_typical_and_worst,
            inputs=["compared_results", "test_data", "test_raw_maps", *TESTED, "params:evaluation"],
            outputs="figure_typical_and_worst",
        ),
        step(
            nodes.plot_saliency,
            inputs=[
                "tested_networks",
                "compared_results",
                "test_data",
                *TESTED,
                "params:training",
                "params:evaluation",
            ],
            outputs="figure_saliency",
        ),
        step(
            nodes.plot_spectra,
            inputs=["log_maps", "theta", "results", "params:selection"],
            outputs="figure_spectra",
        ),
        *(
            node(plot, inputs=["study", "params:selection"], outputs=figure, name=plot.__name__)
            for plot, figure in (
                (nodes.plot_study_history, "figure_study_history"),
                (nodes.plot_importance, "figure_importance"),
                (nodes.plot_parallel_coordinates, "figure_parallel_coordinates"),
            )
        ),
    ]


def _page() -> Node:
    """Write the page of tables, figures and provenance."""
    joined = (
        "metrics",
        "metrics_intervals",
        "metrics_recalibrated",
        "metrics_recalibrated_intervals",
        "calibration_tests",
        "levels",
        "study",
        "manifest",
        "test_manifest",
        "parameters",
    )
    return step(
        nodes.write_report,
        inputs={
            "selection": "params:selection",
            "test_selection": "params:test_selection",
            "training_config": "params:training",
            **{name: name for name in joined},
            **{name: f"figure_{name}" for name in FIGURES},
        },
        outputs="report",
    )
