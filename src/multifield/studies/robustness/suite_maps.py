"""Several suites brought and preprocessed together, each file under its usual name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.ingest import SourceConfig
from multifield.config.studies import RobustnessConfig
from multifield.core.arrays import Theta
from multifield.data import LogMaps
from multifield.data.manifest import verify_suite
from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.results import Results
from multifield.ingest.raw_maps import bring_raw, make_log_maps
from multifield.maps.splits import Split, split_simulations
from multifield.studies.robustness.folders import SuiteFolders


@dataclass(frozen=True, eq=False)
class SuiteMaps:
    """What was ingested and preprocessed of a suite.

    Attributes
    ----------
    suite : str
    theta : (S, 6) float64
    split : Split
    log_maps : mapping of (field, smoothing width [pixels]) to LogMaps
        Single fields.
    """

    suite: str
    theta: Theta
    split: Split
    log_maps: Mapping[tuple[str, float], LogMaps]


def bring_suites(
    config: RobustnessConfig,
    sim_set: str,
    source: SourceConfig,
    preprocessing: PreprocessingConfig,
    split_config: SplitConfig,
    folders: SuiteFolders,
) -> dict[str, SuiteMaps]:
    """Make or find the maps of every suite, verify them, smooth them and take their logarithm.

    Files have the names of `ingest` and `preprocess`. Raw maps of mock suites that are there, of the same
    origin, and log maps of the same raw maps are used as they are.

    Parameters
    ----------
    config : RobustnessConfig
        Suites, fields and smoothing.
    sim_set : str
    source : SourceConfig
    preprocessing : PreprocessingConfig
        Its smoothing is replaced by the configuration's.
    split_config : SplitConfig
        The same simulations are held out in each suite.
    folders : SuiteFolders

    Returns
    -------
    suites : dict of suite to SuiteMaps
        In the order of the configuration.

    Raises
    ------
    ValueError
        If log maps are to be kept in 16 bits, which cannot be joined, or suites differ in the number of
        their simulations, so that a number would be held out in one and not in another.
    """
    if preprocessing.compact:
        raise ValueError("preprocessing.compact: expected false for robustness, got True")
    suites = {}
    for suite in config.suites:
        selection = Selection(suite=suite, sim_set=sim_set, field="_".join(config.single_fields))
        maps, theta = bring_raw(selection, source, folders.raw / suite)
        manifest = verify_suite(suite, sim_set, maps, theta, partial=source.partial)
        suites[suite] = SuiteMaps(
            suite,
            theta,
            split_simulations(
                len(theta),
                split_config.seed,
                n_valid=split_config.n_valid,
                n_test=split_config.n_test,
            ),
            {
                (field, width): log_maps
                for width in config.all_widths
                for field, log_maps in make_log_maps(
                    selection,
                    maps,
                    manifest,
                    replace(preprocessing, smoothing_width=width),
                    folders.log_maps / suite,
                ).items()
            },
        )
    check_equal_sizes(suites)
    return suites


def check_equal_sizes(suites: Mapping[str, SuiteMaps]) -> None:
    """Require as many simulations of each suite, so that the same numbers are held out; ValueError if not."""
    numbers = {name: len(each.theta) for name, each in suites.items()}
    if len(set(numbers.values())) > 1:
        raise ValueError(
            f"robustness.suites: expected as many simulations of each, got {numbers}; the same numbers "
            "are held out in all"
        )


def without_parameters(suite: SuiteMaps) -> SuiteMaps:
    """Give a suite with NaN for all its parameters, so that nothing behind it can use them."""
    return replace(suite, theta=np.full_like(suite.theta, np.nan))


def take_as_labels(suite: SuiteMaps, inferred: Results, n_orientations: int) -> SuiteMaps:
    """Give the training simulations of a suite the parameters that were inferred of their maps.

    Parameters
    ----------
    suite : SuiteMaps
        `without_parameters`.
    inferred : Results
        Of its training simulations, rows ordered (orientation, simulation, map).
    n_orientations : int

    Returns
    -------
    suite : SuiteMaps
        Its theta is the average of the posterior means over the maps of each training simulation; NaN in
        other rows, and for what was not inferred.
    """
    simulation = simulation_of_rows(inferred, n_orientations)
    n_maps = n_orientations * camels.MAPS_PER_SIMULATION
    theta = suite.theta.copy()
    for name in inferred.inferred:
        column = camels.PARAMETER_NAMES.index(name)
        sums = np.bincount(simulation, weights=inferred.mean[:, column])
        theta[list(suite.split.train), column] = sums / n_maps
    return replace(suite, theta=theta)
