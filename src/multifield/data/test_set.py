"""Test maps of a trained network, of its own suite and set or of another."""

from collections.abc import Mapping
from dataclasses import replace
from math import isclose
from typing import Unpack

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.evaluation import WhichSimulations
from multifield.core.arrays import Theta
from multifield.data.loader import BatchOptions, MapLoader
from multifield.data.manifest import Manifest
from multifield.data.map_files import check_counts
from multifield.data.normalization import Normalization
from multifield.data.parameter_tables import align
from multifield.data.preprocess import LogMaps, Preprocessing, check_current
from multifield.data.split_loaders import SplitLoaders
from multifield.maps.splits import Simulations, split_simulations

BOX_TOLERANCE = 1e-3  # relative; less than half a pixel of the largest maps


def choose_simulations(
    n: int,
    trained_on: Selection,
    tested_on: Selection,
    split_config: SplitConfig,
    which: WhichSimulations,
) -> Simulations:
    """Choose the simulations to test a network on.

    Parameters
    ----------
    n : int
        Number of simulations of the test set.
    trained_on, tested_on : Selection
        Suite, set and fields of the training and of the test.
    split_config : SplitConfig
        Settings of the split of the training.
    which : {"auto", "held_out", "all"}
        ``held_out`` selects the test part of the split, ``all`` the whole set. ``auto`` selects the
        test part of the set of the training, and of a latin hypercube of any suite, like the
        benchmark, because hydrodynamic and N-body simulations of the same number share initial
        conditions. It selects other sets (CV, 1P, EX, ...) whole.

    Returns
    -------
    simulations : tuple of int
        Numbers of the simulations.

    Raises
    ------
    ValueError
        If training simulations would be tested on, or the split leaves an empty part.
    """
    same = (trained_on.suite, trained_on.sim_set) == (tested_on.suite, tested_on.sim_set)
    if which == "held_out" or (which == "auto" and (same or tested_on.sim_set == "LH")):
        return split_simulations(
            n, split_config.seed, n_valid=split_config.n_valid, n_test=split_config.n_test
        ).test
    if same:
        raise ValueError(
            f"evaluation.simulations: Expected auto or held_out for {tested_on.suite} "
            f"{tested_on.sim_set}, which the network was trained on, got {which!r}."
        )
    return tuple(range(n))


def reuse_log_maps(
    wanted: Mapping[str, Preprocessing],
    present: Mapping[str, LogMaps],
    trained_on: Selection,
    tested_on: Selection,
) -> dict[str, Preprocessing | LogMaps]:
    """Reuse log maps of the training that have the same suite, set and provenance.

    Files of two sets may have the same content. Each set has log maps of its own.

    Parameters
    ----------
    wanted : mapping of field to Preprocessing
        Log maps that the test needs.
    present : mapping of field to LogMaps
        Log maps of the training.
    trained_on, tested_on : Selection
        Suite, set and fields of the training and of the test.

    Returns
    -------
    log_maps : dict of field to Preprocessing or LogMaps
        Log maps of the training where they match, else what is to be preprocessed.
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
    """Return the settings of the training at the smoothing width of the test maps [pixels]."""
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
    """Create the loader of test maps, normalized with mean and std of the training maps.

    Parameters
    ----------
    log_maps : mapping of field to LogMaps
        Log maps of the test set. The fields are the channels, in this order.
    theta : (S, P) float64
        Parameters of the simulations of the test set.
    manifest : Manifest
        Manifest of the raw files of the test set.
    normalization : Normalization
        Mean and standard deviation of the maps that the network was trained on.
    simulations : tuple of int
        Simulations to test on; see `choose_simulations`.
    training : SplitLoaders
        Loaders of the maps that the network was trained on.
    keep_all : bool, optional
        Whether to keep the network's outputs for parameters that do not act in its suite, like the
        benchmark.
    batch_size : int
        Maps per batch.
    **options : BatchOptions
        Options of `MapLoader`.

    Returns
    -------
    loader : MapLoader
        Loader of the maps of the simulations.

    Raises
    ------
    ValueError
        If maps or parameters do not match the manifest, or the number of channels or pixels or the
        box differs from the training.
    """
    manifest.check_theta(theta)
    check_current(log_maps, manifest.checksums(tuple(log_maps)))
    sim_set = camels.find_set(manifest.sim_set, manifest.suite)
    for field, entry in log_maps.items():
        check_counts(entry.maps, theta, field, sim_set.maps_per_simulation)
    maps = [entry.channel for entry in log_maps.values()]
    found = (len(maps), maps[0].shape[-1])
    if found != (training.channels, training.map_size):
        raise ValueError(
            f"{manifest.suite} {manifest.sim_set}: Expected {training.channels} fields of "
            f"{training.map_size} pixels, like the training maps, got {found[0]} of {found[1]}."
        )
    box = manifest.side(found[1])
    if not isclose(box, training.box, rel_tol=BOX_TOLERANCE):
        raise ValueError(
            f"{manifest.suite} {manifest.sim_set}: Expected {found[1]} pixels of {training.box:g} "
            f"Mpc/h, as in the training, got {box:g} Mpc/h. Train a network on maps of that box and "
            "pixel size."
        )
    space = sim_set.table_like(training.space)
    return MapLoader(
        maps,
        align(space.physical(theta), space, training.space),
        simulations,
        normalization,
        batch_size=batch_size,
        inferred=tuple(range(len(training.space))) if keep_all else training.inferred,
        space=training.space,
        maps_per_simulation=sim_set.maps_per_simulation,
        box=box,
        **options,
    )
