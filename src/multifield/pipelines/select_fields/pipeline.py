"""Field selection: the smallest sets of fields that keep most of the information."""

from kedro.pipeline import Node, Pipeline

from multifield.pipelines.select_fields import nodes
from multifield.pipelines.stage import make_stage, step

RANKING = ["params:training", "params:select_fields"]
SETTINGS = ["params:training", "params:tuning", "params:select_fields"]


def create_pipeline() -> Pipeline:
    """From `log_maps` of several fields to `field_sets`, `smallest_field_sets` and their figure."""
    return make_stage("select_fields", [*_ranking(), *_finalists(), *_answer()])


def _ranking() -> list[Node]:
    """Train the scorer, rank field sets and propose finalists."""
    return [
        step(
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
        ),
        step(
            nodes.train_scorer,
            inputs=["field_loaders", "scorer_folder", *SETTINGS, "params:execution"],
            outputs=["scorer_study", "scorer_networks"],
        ),
        step(
            nodes.score_sets,
            inputs=["scorer_study", "scorer_networks", "field_loaders", *RANKING],
            outputs="field_scores",
        ),
        step(
            nodes.propose_finalists,
            inputs=["field_scores", "params:select_fields"],
            outputs="finalists",
        ),
    ]


def _finalists() -> list[Node]:
    """Train networks on each finalist and measure their information."""
    return [
        step(
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
        ),
        step(
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
        ),
    ]


def _answer() -> list[Node]:
    """Find, tabulate and draw the smallest sets."""
    return [
        step(nodes.list_sets, inputs=["field_scores", "measured_sets"], outputs="field_sets"),
        step(
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
        ),
        step(
            nodes.plot_sets,
            inputs=["field_scores", "measured_sets", "smallest_field_sets"],
            outputs="selection_figure_information",
        ),
    ]
