"""Tuning: hyperparameters of the network, optimized by Optuna."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.describe.pipeline import describe_networks_of
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage, step
from multifield.pipelines.tune import nodes


def create_pipeline() -> Pipeline:
    """From `log_maps` to `study`, the `networks` of its trials and their `model_card`."""
    return make_stage(
        "tune",
        [
            load_splits_into("tune_data"),
            step(
                nodes.tune_network,
                inputs=[
                    "tune_data",
                    "model_folder",
                    "params:training",
                    "params:execution",
                    "params:tuning",
                ],
                outputs=["study", "networks"],
            ),
            node(nodes.list_trials, inputs="study", outputs="trials", name="list_trials"),
            describe_networks_of("tune_data", "model_card"),
        ],
    )
