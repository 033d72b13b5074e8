"""Maps of several suites: ingestion, preprocessing and pseudo-labels.

Pseudo-labels (Lee 2013, ICML workshop on challenges in representation learning) are parameters
inferred by a network of another field, which transfers better between suites.
"""

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
from multifield.data.parameter_tables import align
from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.results import Results
from multifield.ingest.raw_maps import bring_raw, make_log_maps
from multifield.maps.splits import Split, split_simulations
from multifield.studies.robustness.folders import SuiteFolders


@dataclass(frozen=True, eq=False)
class SuiteMaps:
    """Parameters, split and log maps of a suite.

    Attributes
    ----------
    suite : str
        Name of the suite.
    theta : (S, P) float64
        Coordinates of the parameters of each simulation.
    split : Split
        Split of the simulations.
    log_maps : mapping of (field, smoothing width [pixels]) to LogMaps
        Log maps of single fields.
    space : ParameterSpace
        Parameters of the columns of `theta`, the same for all suites of a study. By default CMD's
        six.
    maps_per_simulation : int
        Number of maps per simulation.
    """

    suite: str
    theta: Theta
    split: Split
    log_maps: Mapping[tuple[str, float], LogMaps]
    space: camels.ParameterSpace = camels.CMD
    maps_per_simulation: int = camels.MAPS_PER_SIMULATION


def bring_suites(
    config: RobustnessConfig,
    sim_set: str,
    source: SourceConfig,
    preprocessing: PreprocessingConfig,
    split_config: SplitConfig,
    folders: SuiteFolders,
) -> dict[str, SuiteMaps]:
    """Simulate or find the maps of every suite, verify them and preprocess them.

    Files have the same names as in `ingest` and `preprocess`. Stored raw maps of the same origin
    and log maps of the same raw maps are reused.

    Parameters
    ----------
    config : RobustnessConfig
        Suites, fields and smoothing.
    sim_set : str
        Simulation set of all suites.
    source : SourceConfig
        Source of the raw maps.
    preprocessing : PreprocessingConfig
        Preprocessing. `config` replaces its smoothing width.
    split_config : SplitConfig
        Split. The same simulations are held out in each suite.
    folders : SuiteFolders
        Folders of raw maps and log maps.

    Returns
    -------
    suites : dict of suite to SuiteMaps
        Maps of each suite, in the order of `config.suites`.

    Raises
    ------
    ValueError
        If log maps are stored in 16 bits, which cannot be joined, if zeros get a floor, or if
        suites have different numbers of simulations, boxes, or no common cosmological parameter.
    """
    if preprocessing.compact:
        raise ValueError("preprocessing.compact: Expected false for robustness, got True.")
    if preprocessing.zeros != "refuse":
        raise ValueError("zeros: Expected refuse for robustness, got floor.")
    suites = {}
    sets = {suite: camels.find_set(sim_set, suite) for suite in config.suites}
    space = find_common(sets)
    for suite in config.suites:
        selection = Selection(suite=suite, sim_set=sim_set, field="_".join(config.single_fields))
        maps, theta = bring_raw(selection, source, folders.raw / suite)
        manifest = verify_suite(suite, sim_set, maps, theta, partial=source.partial)
        suites[suite] = SuiteMaps(
            suite,
            align(sets[suite].space.physical(theta), sets[suite].space, space),
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
            space,
            sets[suite].maps_per_simulation,
        )
    check_equal_sizes(suites)
    return suites


def find_common(sets: Mapping[str, camels.SimulationSet]) -> camels.ParameterSpace:
    """Find the parameters that networks of several suites have.

    Parameters
    ----------
    sets : mapping of suite to SimulationSet
        Set of each suite.

    Returns
    -------
    space : ParameterSpace
        CMD's six if all sets have them, else the cosmological parameters that all have, over the
        ranges of all.

    Raises
    ------
    ValueError
        If boxes differ, or there is no common cosmological parameter.
    """
    boxes = {suite: each.box for suite, each in sets.items()}
    if len(set(boxes.values())) > 1:
        raise ValueError(
            f"robustness.suites: Expected suites of one box, got {boxes} Mpc/h. Leave some out."
        )
    spaces = [each.space for each in sets.values()]
    if all(space.names == camels.PARAMETER_NAMES for space in spaces):
        return camels.CMD
    shared = [n for n in spaces[0].cosmology if all(n in space.cosmology for space in spaces)]
    if not shared:
        raise ValueError(
            "robustness.suites: Expected a cosmological parameter that all suites have, got none "
            f"in the tables {', '.join(space.name for space in spaces)}."
        )
    lows, highs = zip(
        *[zip(*[s[n].range for n in shared], strict=True) for s in spaces], strict=True
    )
    bounds = zip(np.min(lows, axis=0).tolist(), np.max(highs, axis=0).tolist(), strict=True)
    name = "+".join(dict.fromkeys(space.name for space in spaces))
    found = spaces[0].only(shared)
    return camels.ParameterSpace(
        name, tuple(replace(p, bounds=each) for p, each in zip(found, bounds, strict=True))
    )


def check_equal_sizes(suites: Mapping[str, SuiteMaps]) -> None:
    """Check that all suites have the same number of simulations, because they share a split.

    Parameters
    ----------
    suites : mapping of suite to SuiteMaps
        Maps of each suite.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    numbers = {name: len(each.theta) for name, each in suites.items()}
    if len(set(numbers.values())) > 1:
        raise ValueError(
            "robustness.suites: Expected the same number of simulations in each suite, got "
            f"{numbers}. All suites share one split."
        )


def without_parameters(suite: SuiteMaps) -> SuiteMaps:
    """Replace all parameters of a suite by NaN, so that no training can use them.

    Parameters
    ----------
    suite : SuiteMaps
        Maps of a suite.

    Returns
    -------
    suite : SuiteMaps
        The same maps without parameters.
    """
    return replace(suite, theta=np.full_like(suite.theta, np.nan))


def take_as_labels(suite: SuiteMaps, inferred: Results, n_orientations: int) -> SuiteMaps:
    """Use inferred parameters as labels of the training simulations of a suite.

    Parameters
    ----------
    suite : SuiteMaps
        Suite from `without_parameters`.
    inferred : Results
        Results for its training simulations, rows ordered (orientation, simulation, map).
    n_orientations : int
        Number of orientations per map.

    Returns
    -------
    suite : SuiteMaps
        Suite whose theta is the posterior mean, averaged over the maps of each training
        simulation. Other rows and parameters that were not inferred are NaN.
    """
    simulation = simulation_of_rows(inferred, n_orientations)
    n_maps = n_orientations * suite.maps_per_simulation
    theta = suite.theta.copy()
    for name in inferred.inferred:
        column = suite.space.index(name)
        sums = np.bincount(simulation, weights=inferred.mean[:, column])
        theta[list(suite.split.train), column] = sums / n_maps
    return replace(suite, theta=theta)
