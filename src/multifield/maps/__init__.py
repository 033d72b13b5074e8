"""Mathematics on maps: transforms, power spectra, statistics, splits and memory maps."""

from multifield.maps.memory import open_maps
from multifield.maps.power_spectrum import power_spectrum
from multifield.maps.splits import Split, maps_of, split_simulations
from multifield.maps.transforms import gaussian_smooth, log_transform, remove_monopole

__all__ = [
    "Split",
    "gaussian_smooth",
    "log_transform",
    "maps_of",
    "open_maps",
    "power_spectrum",
    "remove_monopole",
    "split_simulations",
]
