"""Maps: their files, what is done to them, and how they reach a network."""

from multifield.maps.files import read_theta, save_maps
from multifield.maps.loader import Batch, MapLoader, SplitLoaders, load_splits
from multifield.maps.memory import open_maps
from multifield.maps.normalization import Normalization, fit_normalization
from multifield.maps.power_spectrum import power_spectrum
from multifield.maps.preprocess import (
    LogMaps,
    Preprocessing,
    moments_of_log_maps,
    open_log_maps,
)
from multifield.maps.splits import Split, maps_of, split_simulations
from multifield.maps.transforms import gaussian_smooth, log_transform, remove_monopole

__all__ = [
    "Batch",
    "LogMaps",
    "MapLoader",
    "Normalization",
    "Preprocessing",
    "Split",
    "SplitLoaders",
    "fit_normalization",
    "gaussian_smooth",
    "load_splits",
    "log_transform",
    "maps_of",
    "moments_of_log_maps",
    "open_log_maps",
    "open_maps",
    "power_spectrum",
    "read_theta",
    "remove_monopole",
    "save_maps",
    "split_simulations",
]
