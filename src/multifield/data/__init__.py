"""From map files to batches: log maps, splits, normalization, augmentation and loaders."""

from multifield.data.fills import NONE, Fills, encode_mask_of, find_floors
from multifield.data.loader import Batch, MapLoader
from multifield.data.map_files import save_maps
from multifield.data.normalization import Normalization, fit_normalization
from multifield.data.parameter_tables import read_theta
from multifield.data.preprocess import (
    LogMaps,
    Preprocessing,
    compute_log_maps,
    moments_of_log_maps,
    open_log_maps,
)
from multifield.data.split_loaders import SplitLoaders, load_splits

__all__ = [
    "NONE",
    "Batch",
    "Fills",
    "LogMaps",
    "MapLoader",
    "Normalization",
    "Preprocessing",
    "SplitLoaders",
    "compute_log_maps",
    "encode_mask_of",
    "find_floors",
    "fit_normalization",
    "load_splits",
    "moments_of_log_maps",
    "open_log_maps",
    "read_theta",
    "save_maps",
]
