"""Explanation: what the best networks of a study read from the maps."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines import evaluate
from multifield.pipelines.explain import nodes
from multifield.pipelines.stage import make_stage, step

SHARED = ("load_splits", "load_networks")
"""Nodes of `evaluate` that open maps and networks."""
FIGURES = ("scales", "environments", "statistics", "fields")


def create_pipeline() -> Pipeline:
    """From a `study` and its maps to `explanation`, figures and `explanation_page`."""
    shared = evaluate.create_pipeline().only_nodes(*(f"evaluate.{name}" for name in SHARED))
    return shared + make_stage("explain", [_measure(), *_drawings(), _page()])


def _measure() -> Node:
    """Measure the information in changed maps."""
    return step(
        nodes.explain_networks,
        inputs=[
            "tested_networks",
            "evaluate_data",
            "params:selection",
            "params:explain",
            "params:evaluation",
            "params:training",
        ],
        outputs="explanation",
    )


def _drawings() -> list[Node]:
    """Draw the explanation."""
    return [
        node(plot, inputs="explanation", outputs=f"explain_figure_{name}", name=plot.__name__)
        for name, plot in zip(
            FIGURES,
            (nodes.plot_scales, nodes.plot_environments, nodes.plot_statistics, nodes.plot_fields),
            strict=True,
        )
    ]


def _page() -> Node:
    """Write the page of figures and tables."""
    return step(
        nodes.write_explanation,
        inputs={"explanation": "explanation"}
        | {name: f"explain_figure_{name}" for name in FIGURES},
        outputs="explanation_page",
    )
