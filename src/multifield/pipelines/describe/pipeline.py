"""Description: the model card of networks that were released without a card."""

from kedro.pipeline import Node, Pipeline

from multifield.pipelines.describe import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From `study`, its `networks` and their training maps to the card."""
    return make_stage(
        "describe",
        [
            load_splits_into("describe_data"),
            describe_networks_of("describe_data", "described_card"),
        ],
    )


def describe_networks_of(data: str, card: str) -> Node:
    """Make the node that writes `card` for the networks trained on `data`."""
    return step(
        nodes.describe_networks,
        inputs=[
            "study",
            "networks",
            data,
            "split",
            "normalization",
            "manifest",
            "params:preprocessing",
            "params:training",
            "params:card",
        ],
        outputs=card,
    )
