"""Raw maps and parameters, verified, with a manifest."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.ingest import nodes


def create_pipeline() -> Pipeline:
    """From a mock universe or a folder of published files to `raw_maps`, `theta` and `manifest`."""
    return Pipeline(
        [
            node(
                nodes.bring_maps,
                inputs=["params:selection", "params:source"],
                outputs=["raw_maps", "theta"],
                name="bring_maps",
            ),
            node(
                nodes.verify_maps,
                inputs=["params:selection", "raw_maps", "theta"],
                outputs="manifest",
                name="verify_maps",
            ),
        ],
        namespace="ingest",  # a box that opens and closes in Kedro-Viz
        prefix_datasets_with_namespace=False,
        tags="ingest",
    )
