"""Training: one network with the hyperparameters in conf, tested on held-out simulations."""

from kedro.pipeline import Node, Pipeline, node

from multifield.pipelines.evaluate import nodes as evaluate_nodes
from multifield.pipelines.model_input import load_splits_into
from multifield.pipelines.report import nodes as report_nodes
from multifield.pipelines.stage import make_stage, step
from multifield.pipelines.train import nodes


def create_pipeline() -> Pipeline:
    """From `log_maps` to `trained_network`, its card, losses, results, metrics and figures."""
    return make_stage("train", [load_splits_into("train_data"), *_training(), *_test()])


def _training() -> list[Node]:
    """Train the network, write its card and draw its losses."""
    return [
        step(
            nodes.train_network,
            inputs=[
                "train_data",
                "params:hyperparameters",
                "params:training",
                "params:execution",
                "model_folder",
            ],
            outputs=["trained_network", "trained_losses"],
        ),
        node(
            nodes.describe_network,
            inputs=[
                "trained_network",
                "trained_losses",
                "model_folder",
                "train_data",
                "split",
                "normalization",
                "manifest",
                "params:preprocessing",
                "params:hyperparameters",
                "params:training",
                "params:card",
            ],
            outputs="trained_card",
            name="describe_trained",
        ),
        step(
            nodes.remove_checkpoint,
            inputs=["model_folder", "trained_network", "trained_losses"],
            outputs=None,
        ),
        node(
            nodes.plot_losses,
            inputs=["trained_losses", "params:selection"],
            outputs="trained_figure_losses",
            name="plot_trained_losses",
        ),
    ]


def _test() -> list[Node]:
    """Test the network on held-out simulations."""
    return [
        node(
            nodes.predict_held_out_maps,
            inputs=["trained_network", "train_data", "params:training", "params:evaluation"],
            outputs="trained_results",
            name="predict_with_trained",
        ),
        node(
            evaluate_nodes.keep_comparable,
            inputs=["trained_results", "params:selection", "params:selection"],
            outputs="compared_trained_results",
            name="keep_comparable_trained",
        ),
        node(
            evaluate_nodes.score_results,
            inputs="compared_trained_results",
            outputs="trained_metrics",
            name="score_trained",
        ),
        node(
            evaluate_nodes.estimate_intervals,
            inputs=["compared_trained_results", "params:evaluation"],
            outputs="trained_metrics_intervals",
            name="estimate_trained_intervals",
        ),
        node(
            report_nodes.plot_results,
            inputs=[
                "compared_trained_results",
                "params:selection",
                "params:selection",
                "params:evaluation",
            ],
            outputs="trained_figure_true_against_predicted",
            name="plot_trained",
        ),
    ]
