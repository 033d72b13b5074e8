"""Prediction: parameters of new maps."""

from kedro.pipeline import Pipeline

from multifield.pipelines.predict import nodes
from multifield.pipelines.stage import make_stage, step


def create_pipeline() -> Pipeline:
    """From the maps in ``--params`` and networks with their card to `predictions`."""
    return make_stage(
        "predict",
        [
            step(
                nodes.open_maps, inputs=["prediction_card", "params:prediction"], outputs="new_maps"
            ),
            step(
                nodes.load_networks,
                inputs=["prediction_card", "model_folder", "params:prediction"],
                outputs="predicting_networks",
            ),
            step(
                nodes.infer_parameters,
                inputs=[
                    "new_maps",
                    "prediction_card",
                    "predicting_networks",
                    "params:training",
                    "params:prediction",
                ],
                outputs=["predictions_csv", "predictions", "predicted_results"],
            ),
            step(
                nodes.compare_with_training,
                inputs=[
                    "new_maps",
                    "prediction_card",
                    "predicting_networks",
                    "params:training",
                    "params:prediction",
                ],
                outputs="compared_scales",
            ),
            step(
                nodes.draw_posteriors,
                inputs=["predicted_results", "predictions", "params:prediction"],
                outputs=["predicted_draws", "predicted_draws_files"],
            ),
        ],
    )
