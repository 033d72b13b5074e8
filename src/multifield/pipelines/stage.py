"""Stages: groups of nodes."""

from collections.abc import Callable, Iterable
from typing import Any

from kedro.pipeline import Node, Pipeline, node

Names = str | list[str] | dict[str, str] | None


def step(function: Callable[..., Any], inputs: Names, outputs: Names) -> Node:
    """Return a node with the name of its function."""
    return node(function, inputs, outputs, name=function.__name__)


def make_stage(name: str, nodes: Iterable[Node]) -> Pipeline:
    """Join nodes into a pipeline that Kedro-Viz shows as one box; datasets keep their names."""
    return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)
