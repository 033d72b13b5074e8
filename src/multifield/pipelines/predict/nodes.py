"""Nodes of `predict`."""

from collections.abc import Mapping
from typing import Any

from multifield import evaluation, models, prediction
from multifield.config.prediction import PredictionConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.records import draws_for_files, to_frame


def open_maps(card: "prediction.ModelCard", config: PredictionConfig) -> dict[str, Maps]:
    """Open the maps to predict; see `multifield.prediction.open_new_maps`."""
    maps = prediction.open_new_maps(config.maps, card.fields)
    prediction.find_geometry(card, maps, config.box)
    return maps


def load_networks(
    card: "prediction.ModelCard", folder: ModelFolder, config: PredictionConfig
) -> "list[models.Network]":
    """Load the networks of the card; see `multifield.prediction.load_networks`."""
    prediction.check_is_of(card, folder)
    return prediction.load_networks(card, folder, config.top_k)


def infer_parameters(
    maps: Mapping[str, Maps],
    card: "prediction.ModelCard",
    networks: "list[models.Network]",
    training: TrainingConfig,
    config: PredictionConfig,
) -> "tuple[Any, Any, evaluation.Results]":
    """Predict every map, for CSV and Parquet; see `multifield.prediction.infer_parameters`."""
    results, records = prediction.infer_parameters(
        maps,
        card,
        networks,
        orientations=config.orientations,
        training=training,
        box=config.box,
        smoothed=config.smoothed,
    )
    names = prediction.name_files(maps)
    frame = to_frame({**record, **names} for record in records)
    return frame, frame, results


def compare_with_training(
    maps: Mapping[str, Maps],
    card: "prediction.ModelCard",
    networks: "list[models.Network]",
    training: TrainingConfig,
    config: PredictionConfig,
) -> Any:
    """Compare the maps with the validation maps; see `prediction.compare_with_training`.

    The table has no rows if no training maps are given.
    """
    if config.training_maps is None:
        return to_frame([]).reindex(columns=prediction.COLUMNS)
    records = prediction.compare_with_training(
        maps,
        prediction.open_training_maps(config.training_maps, card),
        card,
        networks[0],
        training=training,
        maps_per_simulation=config.maps_per_simulation,
        box=config.box,
        smoothed=config.smoothed,
    )
    return to_frame(records)


def draw_posteriors(
    results: "evaluation.Results", predictions: Any, config: PredictionConfig
) -> "tuple[Any, dict[str, evaluation.Draws]]":
    """Draw from the posterior of each map, for files; see `multifield.evaluation.draw`."""
    n_views = len(results) // len(predictions)  # orientations of all tiles of a map
    return draws_for_files(results, n_views, config.draws)
