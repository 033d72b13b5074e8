"""Stages: groups of nodes."""

from collections.abc import Iterable

from kedro.pipeline import Node, Pipeline


def make_stage(name: str, nodes: Iterable[Node]) -> Pipeline:
    """Join nodes into a pipeline that Kedro-Viz shows as one box; datasets keep their names."""
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)
