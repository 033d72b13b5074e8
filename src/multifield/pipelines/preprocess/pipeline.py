"""Log maps, the split and the normalization: what a network is trained on."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.preprocess import nodes


def create_pipeline() -> Pipeline:
    """From `raw_maps` and `theta` to `log_maps`, `split` and `normalization`."""
    return Pipeline(
        [
            node(
                nodes.preprocess_maps,
                inputs=["raw_maps", "manifest", "params:preprocessing"],
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
        namespace="preprocess",  # a box that opens and closes in Kedro-Viz
        prefix_datasets_with_namespace=False,
        tags="preprocess",
    )
