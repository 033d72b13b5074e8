"""Hyperparameters of the network, found by Optuna."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.tune import nodes


def create_pipeline() -> Pipeline:
    """From `log_maps` to a `study` and the `networks` of its trials."""
    return Pipeline(
        [
            node(
                nodes.tune_network,
                inputs=[
                    "log_maps",
                    "theta",
                    "split",
                    "normalization",
                    "manifest",
                    "params:split",
                    "params:normalization",
                    "model_folder",
                    "params:training",
                    "params:tuning",
                ],
                outputs=["study", "networks"],
                name="tune_network",
            ),
            node(nodes.list_trials, inputs="study", outputs="trials", name="list_trials"),
        ],
        namespace="tune",  # a box that opens and closes in Kedro-Viz
        prefix_datasets_with_namespace=False,
        tags="tune",
    )
