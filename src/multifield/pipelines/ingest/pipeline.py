"""Ingestion: raw maps and parameters, verified and listed in a manifest."""

from kedro.pipeline import Pipeline

from multifield.pipelines.ingest import nodes
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From mock simulations or published files to `raw_maps`, `theta` and `manifest`."""
    return make_stage(
        "ingest",
        [
            step(
                nodes.bring_maps,
                inputs=["params:selection", "params:source"],
                outputs=["raw_maps", "theta"],
            ),
            step(
                nodes.verify_maps,
                inputs=["params:selection", "params:source", "raw_maps", "theta"],
                outputs="manifest",
            ),
        ],
    )
