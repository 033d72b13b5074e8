"""Baselines: inference from summary statistics, compared with the network."""

from kedro.pipeline import Pipeline

from multifield.pipelines.baselines import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From `log_maps` and `network_results` (optional) to `baseline_scores`."""
    return make_stage(
        "baselines",
        [
            load_splits_into("baselines_data"),
            step(
                nodes.infer_with_baselines,
                inputs=["baselines_data", "params:baselines"],
                outputs="baseline_results",
            ),
            step(
                nodes.infer_exactly,
                inputs=["params:selection", "log_maps", "theta", "split"],
                outputs="exact_results",
            ),
            step(
                nodes.compare_methods,
                inputs=["baseline_results", "exact_results", "network_results"],
                outputs="baseline_scores",
            ),
        ],
    )
