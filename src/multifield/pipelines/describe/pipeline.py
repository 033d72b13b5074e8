"""The card of networks that were released, or tuned before there were cards."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines.describe import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage


def create_pipeline() -> Pipeline:
    """From a `study`, its networks and the maps they were trained on to their card."""
    return make_stage(
        "describe",
        [
            load_splits_into("describe_data"),
            describe_networks_of("describe_data", "described_card"),
        ],
    )


def describe_networks_of(data: str, card: str) -> Node:
    """Make the node that writes the `card` of the networks trained on `data`."""
    return node(
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
        name="describe_networks",
    )
