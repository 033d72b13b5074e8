"""Nodes of `preprocess`."""

from collections.abc import Mapping

from multifield.config.data import NormalizationConfig, PreprocessingConfig, SplitConfig
from multifield.core.arrays import Maps, Theta
from multifield.data import fills, normalization
from multifield.data.manifest import Manifest
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps, Preprocessing, prepare
from multifield.maps import splits
from multifield.maps.splits import Split


def preprocess_maps(
    maps: Mapping[str, Maps], manifest: Manifest, config: PreprocessingConfig, split: Split
) -> dict[str, Preprocessing]:
    """Smooth each field and take its log; see `multifield.data.preprocess.prepare`."""
    return prepare(maps, manifest, config, fills.find_floors(maps, split, config))


def split_simulations(theta: Theta, config: SplitConfig) -> Split:
    """Split simulations into three parts; see `multifield.maps.splits.split_simulations`."""
    return splits.split_simulations(
        len(theta), config.seed, n_valid=config.n_valid, n_test=config.n_test
    )


def fit_normalization(
    log_maps: Mapping[str, LogMaps], split: Split, config: NormalizationConfig
) -> Normalization:
    """Compute mean and std per field; see `multifield.data.normalization.fit_normalization`."""
    moments = {field: entry.moments for field, entry in log_maps.items()}
    return normalization.fit_normalization(moments, split, config.over)
