"""How a stage is put together."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline


def make_stage(name: str, nodes: Iterable[Node]) -> Pipeline:
    """Join nodes into a pipeline that is one box in Kedro-Viz; its datasets keep their names."""
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)
