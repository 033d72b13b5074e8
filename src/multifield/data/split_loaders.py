"""Loaders of the training, validation and test maps of a suite."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Unpack

import numpy as np

from multifield import camels
from multifield.config.data import NormalizationConfig, SplitConfig
from multifield.core.arrays import Theta
from multifield.data.loader import BatchOptions, MapLoader
from multifield.data.manifest import Manifest
from multifield.data.map_files import check_counts
from multifield.data.normalization import Normalization, fit_normalization
from multifield.data.preprocess import LogMaps, check_current
from multifield.maps.splits import Split, split_simulations


@dataclass(frozen=True)
class SplitLoaders:
    """Loaders of the training, validation and test maps of a suite.

    Attributes
    ----------
    train, valid, test : MapLoader
        Loader of each part.
    causes : mapping of str to str
        Settings and checksums that determine the batches, so that two sets of loaders can be
        compared.
    maps_per_set : int, optional
        Number of consecutive maps that are shown with the same random set of fields. 0 shows all
        fields.
    periodic : bool, optional
        Whether the maps are whole periodic maps, not cut-outs.
    """

    train: MapLoader
    valid: MapLoader
    test: MapLoader
    causes: Mapping[str, str]
    maps_per_set: int = 0
    periodic: bool = True

    @property
    def channels(self) -> int:
        """Number of fields, C."""
        return self.train.channels

    @property
    def map_size(self) -> int:
        """Pixels per side of a map, L."""
        return self.train.map_size

    @property
    def box(self) -> float:
        """Side of a map [Mpc/h]."""
        return self.train.box

    @property
    def inferred(self) -> tuple[int, ...]:
        """Columns of the parameter table that are inferred."""
        return self.train.inferred

    @property
    def space(self) -> camels.ParameterSpace:
        """Parameters of the columns of the parameter table."""
        return self.train.space

    @property
    def network_channels(self) -> int:
        """Number of input channels of a network: the fields, and their masks if sets are random."""
        return 2 * self.channels if self.maps_per_set else self.channels

    def any_fields(self, maps_per_set: int) -> "SplitLoaders":
        """Return loaders of the same maps for a network that receives random sets of fields.

        Parameters
        ----------
        maps_per_set : int
            Number of consecutive maps with the same set.

        Returns
        -------
        loaders : SplitLoaders
            Loaders with `maps_per_set`.
        """
        causes = {**self.causes, "fields_shown": f"random, {maps_per_set} maps a set"}
        return replace(self, maps_per_set=maps_per_set, causes=causes)


def load_splits(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    *,
    split_config: SplitConfig,
    normalization_config: NormalizationConfig,
    batch_size: int,
    parameters: str | Sequence[str] = "all",
    head: str = "diagonal",
    **options: Unpack[BatchOptions],
) -> SplitLoaders:
    """Create the loaders of the three parts of a split.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        Log maps of each field. The fields are the channels, in this order.
    theta : (S, P) float64
        Parameters of the simulations.
    split : Split
        Split of the simulations.
    normalization : Normalization
        Mean and standard deviation of the fields, in the same order.
    manifest : Manifest
        Manifest of the raw files. Its suite determines the inferred parameters.
    split_config : SplitConfig
        Settings that `split` must match.
    normalization_config : NormalizationConfig
        Settings that `normalization` must match.
    batch_size : int
        Maps per batch.
    parameters : {"all", "cosmology"} or sequence of str, optional
        Parameters to infer; see `camels.choose_parameters`. Those that the table does not have are
        left out.
    head : str, optional
        Head of the networks. With `diagonal`, the published one, they learn the coordinates of
        results. The prior of all others is uniform in what they learn, so they learn parameters as
        the set draws them; see `camels.ParameterSpace.learn_as_drawn`.
    **options : BatchOptions
        Options of `MapLoader`.

    Returns
    -------
    loaders : SplitLoaders
        Loaders of the training, validation and test maps.

    Raises
    ------
    ValueError
        If maps or parameters do not match the manifest, or split or normalization do not match
        their settings, for example because an earlier run wrote them.
    """
    manifest.check_theta(theta)
    check_current(log_maps, manifest.checksums(tuple(log_maps)))
    _check_split(split, len(theta), split_config)
    _check_normalization(normalization, log_maps, split, normalization_config)
    sim_set = camels.find_set(manifest.sim_set, manifest.suite)
    chosen = camels.choose_parameters(parameters, manifest.suite, manifest.sim_set)
    space = sim_set.space if head == "diagonal" else sim_set.space_as_drawn
    acting = space.columns(chosen)
    inferred = tuple(column for column in acting if np.isfinite(theta[:, column]).all())
    for field, entry in log_maps.items():
        check_counts(entry.maps, theta, field, sim_set.maps_per_simulation)

    first = next(iter(log_maps.values()))
    train = MapLoader(
        [entry.channel for entry in log_maps.values()],
        theta,
        split.train,
        normalization,
        batch_size=batch_size,
        inferred=inferred,
        space=space,
        maps_per_simulation=sim_set.maps_per_simulation,
        box=manifest.side(first.maps.shape[-1]),
        **options,
    )
    return SplitLoaders(
        train=train,
        valid=train.serving(theta, split.valid),
        test=train.serving(theta, split.test),
        causes=_list_causes(log_maps, split, normalization, manifest, space),
        periodic=first.periodic,
    )


def _list_causes(
    log_maps: Mapping[str, LogMaps],
    split: Split,
    normalization: Normalization,
    manifest: Manifest,
    space: camels.ParameterSpace,
) -> dict[str, str]:
    causes: dict[str, object] = {
        "suite": manifest.suite,
        "sim_set": manifest.sim_set,
        "theta_sha256": manifest.files["theta"].sha256,
        **{f"split.{key}": value for key, value in asdict(split).items()},
        **{f"normalization.{key}": value for key, value in asdict(normalization).items()},
    }
    if space.learned is not None:
        causes["parameters"] = "learned as drawn"
    if manifest.made_by:
        causes["made_by"] = manifest.made_by
    for field, entry in log_maps.items():
        causes |= {f"log_maps.{field}.{key}": value for key, value in entry.provenance.items()}
    return {key: str(value) for key, value in causes.items()}


def _check_split(split: Split, n_simulations: int, config: SplitConfig) -> None:
    """Check that the split is the one that the settings draw."""
    expected = split_simulations(
        n_simulations, config.seed, n_valid=config.n_valid, n_test=config.n_test
    )
    if split != expected:
        raise ValueError(
            f"split: Expected {n_simulations} simulations, seed {config.seed}, n_valid "
            f"{config.n_valid} and n_test {config.n_test}, got {split.n_simulations}, seed "
            f"{split.seed}, {len(split.valid)} and {len(split.test)}. "
            "Run `multifield run --pipelines preprocess`."
        )


def _check_normalization(
    normalization: Normalization,
    log_maps: Mapping[str, LogMaps],
    split: Split,
    config: NormalizationConfig,
) -> None:
    """Check that the normalization is that of these maps and this split."""
    moments = {field: entry.moments for field, entry in log_maps.items()}
    expected = fit_normalization(moments, split, config.over)
    if normalization != expected:
        raise ValueError(
            f"normalization: Expected {expected}, got {normalization}. "
            "Run `multifield run --pipelines preprocess`."
        )
