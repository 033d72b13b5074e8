"""The best network of a study, on simulations it has never seen."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.evaluate import nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.stage import make_stage


def create_pipeline() -> Pipeline:
    """From a `study` to `results`, `metrics` and figures."""
    return make_stage(
        "evaluate",
        [
            load_splits_into("evaluate_data"),
            node(
                nodes.load_best,
                inputs=["study", "networks", "evaluate_data", "params:training"],
                outputs="best_network",
                name="load_best",
            ),
            node(
                nodes.predict_test_maps,
                inputs=["best_network", "evaluate_data", "params:training", "params:evaluation"],
                outputs="results",
                name="predict_test_maps",
            ),
            node(nodes.score_results, inputs="results", outputs="metrics", name="score_results"),
            node(
                nodes.plot_results,
                inputs=["results", "params:selection", "params:evaluation"],
                outputs="figure_true_against_predicted",
                name="plot_results",
            ),
            node(
                nodes.plot_losses,
                inputs=["study", "networks", "params:selection"],
                outputs="figure_losses",
                name="plot_losses",
            ),
        ],
    )
