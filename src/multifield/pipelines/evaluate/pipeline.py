"""The best network of a study, on simulations it has never seen."""

from kedro.pipeline import Pipeline, node

from multifield.pipelines.evaluate import nodes

MODEL_INPUT = [
    "log_maps",
    "theta",
    "split",
    "normalization",
    "manifest",
    "params:split",
    "params:normalization",
]


def create_pipeline() -> Pipeline:
    """From a `study` to `results`, `metrics` and figures."""
    return Pipeline(
        [
            node(
                nodes.load_best,
                inputs=[
                    "study",
                    "networks",
                    "log_maps",
                    "split",
                    "normalization",
                    "manifest",
                    "params:training",
                ],
                outputs="best_network",
                name="load_best",
            ),
            node(
                nodes.predict_test_maps,
                inputs=["best_network", *MODEL_INPUT, "params:training", "params:evaluation"],
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
        namespace="evaluate",  # a box that opens and closes in Kedro-Viz
        prefix_datasets_with_namespace=False,
        tags="evaluate",
    )
