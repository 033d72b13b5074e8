"""Nodes of `predict`."""

from collections.abc import Mapping
from typing import Any

from multifield import inference, models
from multifield.config.prediction import PredictionConfig
from multifield.config.training import TrainingConfig
from multifield.core.arrays import Maps
from multifield.models.folder import ModelFolder
from multifield.pipelines.tables import to_frame

# Kedro reads these annotations to check parameters. What is slow to import is named as an attribute of
# its package, in quotes: it is imported when a run reads it, and `kedro --help` stays quick.


def open_maps(card: "inference.ModelCard", config: PredictionConfig) -> dict[str, Maps]:
    """Open the maps that the run asks for; see `multifield.inference.open_new_maps`."""
    return inference.open_new_maps(config.maps, card.fields, card.map_size)


def load_networks(
    card: "inference.ModelCard", folder: ModelFolder, config: PredictionConfig
) -> "list[models.Network]":
    """Load the networks that the card names; see `multifield.inference.load_networks`."""
    inference.check_is_of(card, folder)
    return inference.load_networks(card, folder, config.top_k)


def infer_parameters(
    maps: Mapping[str, Maps],
    card: "inference.ModelCard",
    networks: "list[models.Network]",
    training: TrainingConfig,
    config: PredictionConfig,
) -> tuple[Any, Any]:
    """Infer from every map, for CSV and Parquet; see `multifield.inference.infer_parameters`."""
    records = inference.infer_parameters(
        maps, card, networks, orientations=config.orientations, training=training
    )
    frame = to_frame(records)
    return frame, frame
