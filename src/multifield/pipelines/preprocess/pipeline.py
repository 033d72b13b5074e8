"""Preprocessing: log maps, split and normalization for training."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.preprocess import nodes
from multifield.pipelines.stage import make_stage


def create_pipeline() -> Pipeline:
    """From `raw_maps` and `theta` to `log_maps`, `split` and `normalization`."""
    return make_stage(
        "preprocess",
        [
            node(
                nodes.preprocess_maps,
                inputs=["raw_maps", "manifest", "params:preprocessing", "split"],
                outputs="log_maps",
                name="preprocess_maps",
            ),
            node(
                nodes.split_simulations,
                inputs=["theta", "params:split"],
                outputs="split",
                name="split_simulations",
            ),
            node(
                nodes.fit_normalization,
                inputs=["log_maps", "split", "params:normalization"],
                outputs="normalization",
                name="fit_normalization",
            ),
        ],
    )
