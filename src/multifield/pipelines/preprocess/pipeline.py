"""Preprocessing: log maps, split and normalization for training."""

from kedro.pipeline import Pipeline

from multifield.pipelines.preprocess import nodes
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From `raw_maps` and `theta` to `log_maps`, `split` and `normalization`."""
    return make_stage(
        "preprocess",
        [
            step(
                nodes.preprocess_maps,
                inputs=["raw_maps", "manifest", "params:preprocessing", "split"],
                outputs="log_maps",
            ),
            step(nodes.split_simulations, inputs=["theta", "params:split"], outputs="split"),
            step(
                nodes.fit_normalization,
                inputs=["log_maps", "split", "params:normalization"],
                outputs="normalization",
            ),
        ],
    )
