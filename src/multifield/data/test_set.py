"""The maps that a trained network is tested on: its own suite's, or those of any other suite and set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Unpack

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.evaluation import WhichSimulations
from multifield.core.arrays import Theta
from multifield.data.loader import BatchOptions, MapLoader, SplitLoaders
from multifield.data.manifest import Manifest
from multifield.data.map_files import check_counts
from multifield.data.normalization import Normalization
from multifield.data.preprocess import LogMaps, Preprocessing, check_current
from multifield.maps.splits import Simulations, split_simulations


def choose_simulations(
    n: int,
    trained_on: Selection,
    tested_on: Selection,
    split_config: SplitConfig,
    which: WhichSimulations,
) -> Simulations:
    """Choose the simulations of a test.

    Parameters
    ----------
    n : int
        Simulations of the set tested on.
    trained_on, tested_on : Selection
    split_config : SplitConfig
        As the training's.
    which : {"auto", "held_out", "all"}
        ``held_out`` are the last part of the split, ``all`` the whole set. ``auto`` holds out in a latin
        hypercube, of any suite, as the benchmark does: hydrodynamic and N-body runs of one number
        share their initial conditions. Other sets (CV, 1P, EX, ...) are used whole.

    Returns
    -------
    simulations : tuple of int

    Raises
    ------
    ValueError
        If simulations that were trained on would be tested on, or nothing can be held out.
    """
    hypercube = tested_on.sim_set == "LH"
    if which == "held_out" or (which == "auto" and hypercube):
        return split_simulations(
            n, split_config.seed, n_valid=split_config.n_valid, n_test=split_config.n_test
        ).test
    if (trained_on.suite, trained_on.sim_set) == (tested_on.suite, tested_on.sim_set):
        raise ValueError(
            f"evaluation.simulations: expected auto or held_out for {tested_on.suite} "
            f"{tested_on.sim_set}, which the network was trained on, got {which!r}"
        )
    return tuple(range(n))


def reuse_log_maps(
    wanted: Mapping[str, Preprocessing],
    present: Mapping[str, LogMaps],
    trained_on: Selection,
    tested_on: Selection,
) -> dict[str, Preprocessing | LogMaps]:
    """Replace what was preprocessed for the training: same suite, set, raw file, transform, width, monopole.

    Files of two sets may have the same bytes, and each has log maps under its own name.
    """
    if (trained_on.suite, trained_on.sim_set) != (tested_on.suite, tested_on.sim_set):
        return dict(wanted)
    return {
        field: present[field]
        if field in present and dict(present[field].provenance) == maps.provenance
        else maps
        for field, maps in wanted.items()
    }


def at_width(config: PreprocessingConfig, smoothing_width: float) -> PreprocessingConfig:
    """Give the training's preprocessing at the smoothing width of the test maps [pixels]."""
    return replace(config, smoothing_width=smoothing_width)


def load_test_maps(
    log_maps: Mapping[str, LogMaps],
    theta: Theta,
    manifest: Manifest,
    normalization: Normalization,
    simulations: Simulations,
    *,
    training: SplitLoaders,
    keep_all: bool = False,
    batch_size: int,
    **options: Unpack[BatchOptions],
) -> MapLoader:
    """Make the loader of test maps, standardized with the training suite's mean and std.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        Of the set tested on; the fields are the channels, in this order.
    theta : (S, P) float64
    manifest : Manifest
        Of the raw files of that set.
    normalization : Normalization
        Of the maps that the network was trained on; never the test maps'.
    simulations : tuple of int
        Those to test on; see `choose_simulations`.
    training : SplitLoaders
        What the network was trained on.
    keep_all : bool, optional
        Whether the network's outputs are kept for parameters that do not act in its suite, as the
        benchmark does.
    batch_size : int
    **options : BatchOptions
        How batches are made; see `MapLoader`.

    Returns
    -------
    loader : MapLoader

    Raises
    ------
    ValueError
        If maps or parameters are not those of the manifest, or differ from the training's in the number
        of channels or pixels.
    """
    manifest.check_theta(theta)
    check_current(log_maps, manifest.checksums(tuple(log_maps)))
    for field, entry in log_maps.items():
        check_counts(entry.maps, theta, field)
    maps = list(log_maps.values())
    found = (len(maps), maps[0].maps.shape[-1])
    if found != (training.channels, training.map_size):
        raise ValueError(
            f"{manifest.suite} {manifest.sim_set}: expected {training.channels} fields of "
            f"{training.map_size} pixels, as the network was trained on, got {found[0]} of {found[1]}"
        )
    return MapLoader(
        maps,
        theta,
        simulations,
        normalization,
        batch_size=batch_size,
        inferred=tuple(range(len(camels.PARAMETERS))) if keep_all else training.inferred,
        **options,
    )
