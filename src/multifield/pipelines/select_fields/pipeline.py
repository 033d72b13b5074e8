"""Field selection: the smallest sets of fields that keep most of the information."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines.select_fields import nodes
from multifield.pipelines.stage import make_stage

RANKING = ["params:training", "params:select_fields"]
SETTINGS = ["params:training", "params:tuning", "params:select_fields"]


def create_pipeline() -> Pipeline:
    """From `log_maps` of several fields to `field_sets`, `smallest_field_sets` and their figure."""
    return make_stage("select_fields", [*_ranking(), *_finalists(), *_answer()])


def _ranking() -> list[Node]:
    """Train the scorer, rank field sets and propose finalists."""
    return [
        node(
            nodes.gather_fields,
            inputs=[
                "log_maps",
                "theta",
                "split",
                "normalization",
                "manifest",
                "params:split",
                "params:normalization",
                "params:training",
            ],
            outputs="field_loaders",
            name="gather_fields",
        ),
        node(
            nodes.train_scorer,
            inputs=[
                "field_loaders",
                "scorer_folder",
                *SETTINGS,
                "params:execution",
            ],
            outputs=["scorer_study", "scorer_networks"],
            name="train_scorer",
        ),
        node(
            nodes.score_sets,
            inputs=["scorer_study", "scorer_networks", "field_loaders", *RANKING],
            outputs="field_scores",
            name="score_sets",
        ),
        node(
            nodes.propose_finalists,
            inputs=["field_scores", "params:select_fields"],
            outputs="finalists",
            name="propose_finalists",
        ),
    ]


def _finalists() -> list[Node]:
    """Train networks on each finalist and measure their information."""
    return [
        node(
            nodes.train_finalists,
            inputs=[
                "finalists",
                "field_loaders",
                "finalist_folder",
                *SETTINGS,
                "params:hyperparameters",
                "params:execution",
            ],
            outputs=["finalist_study", "finalist_networks"],
            name="train_finalists",
        ),
        node(
            nodes.measure_finalists,
            inputs=[
                "finalist_study",
                "finalist_networks",
                "finalists",
                "field_loaders",
                "params:training",
                "params:evaluation",
                "params:select_fields",
            ],
            outputs="measured_sets",
            name="measure_finalists",
        ),
    ]


def _answer() -> list[Node]:
    """Find, tabulate and draw the smallest sets."""
    return [
        node(
            nodes.list_sets,
            inputs=["field_scores", "measured_sets"],
            outputs="field_sets",
            name="list_sets",
        ),
        node(
            nodes.find_smallest,
            inputs=[
                "field_scores",
                "measured_sets",
                "params:selection",
                "params:split",
                "params:evaluation",
                "params:select_fields",
            ],
            outputs="smallest_field_sets",
            name="find_smallest",
        ),
        node(
            nodes.plot_sets,
            inputs=["field_scores", "measured_sets", "smallest_field_sets"],
            outputs="selection_figure_information",
            name="plot_sets",
        ),
    ]
