"""Ingestion: raw maps and parameters, verified and listed in a manifest."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.ingest import nodes
from multifield.pipelines.stage import make_stage


def create_pipeline() -> Pipeline:
    """From mock simulations or published files to `raw_maps`, `theta` and `manifest`."""
    return make_stage(
        "ingest",
        [
            node(
                nodes.bring_maps,
                inputs=["params:selection", "params:source"],
                outputs=["raw_maps", "theta"],
                name="bring_maps",
            ),
            node(
                nodes.verify_maps,
                inputs=["params:selection", "params:source", "raw_maps", "theta"],
                outputs="manifest",
                name="verify_maps",
            ),
        ],
    )
