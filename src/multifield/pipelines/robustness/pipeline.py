"""Robustness: networks of one suite tested on all suites, smoothing scans and robust methods."""

from kedro.pipeline import Node, Pipeline

from multifield.pipelines.robustness import nodes
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From `suite_folders` to `robustness_scores`, `robustness_methods` and figures."""
    return make_stage("robustness", [*_networks(), *_comparison()])


def _networks() -> list[Node]:
    """Prepare the maps of all suites and train networks that are not stored yet."""
    return [
        step(
            nodes.bring_suites,
            inputs=[
                "params:robustness",
                "params:selection",
                "params:source",
                "params:preprocessing",
                "params:split",
                "suite_folders",
            ],
            outputs="suites",
        ),
        step(
            nodes.train_networks,
            inputs=[
                "suites",
                "params:robustness",
                "params:hyperparameters",
                "params:training",
                "params:normalization",
                "robustness_networks",
                "params:execution",
            ],
            outputs="trained_on_suites",
        ),
    ]


def _comparison() -> list[Node]:
    """Test every network on every suite, and compare methods."""
    return [
        step(
            nodes.score_networks,
            inputs=[
                "trained_on_suites",
                "suites",
                "params:robustness",
                "params:evaluation",
                "params:card",
            ],
            outputs="robustness_scores",
        ),
        step(
            nodes.compare_robust_methods,
            inputs=["robustness_scores", "params:robustness"],
            outputs="robustness_methods",
        ),
        step(
            nodes.plot_matrices,
            inputs=["robustness_scores", "params:robustness"],
            outputs="robustness_figure_matrices",
        ),
        step(
            nodes.plot_smoothing_scan,
            inputs=["robustness_scores", "params:robustness"],
            outputs="robustness_figure_smoothing",
        ),
    ]
