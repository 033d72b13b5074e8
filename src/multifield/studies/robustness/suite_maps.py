"""Maps of several suites: ingestion, preprocessing and pseudo-labels.

Pseudo-labels (Lee 2013, ICML workshop on challenges in representation learning) are parameters
inferred by a network of another field, which transfers better between suites.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isclose

import numpy as np
from jaxtyping import Float32
from pydantic import ValidationError

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig, SplitConfig
from multifield.config.ingest import SourceConfig
from multifield.config.studies import RobustnessConfig
from multifield.core.arrays import Maps, Theta
from multifield.data import LogMaps
from multifield.data.manifest import Manifest, verify_suite
from multifield.data.parameter_tables import align
from multifield.data.test_set import BOX_TOLERANCE
from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.results import Results
from multifield.ingest.raw_maps import bring_raw, make_log_maps
from multifield.ingest.regridded import bring_regridded
from multifield.maps.splits import Split, split_simulations
from multifield.studies.robustness.folders import SuiteFolders
from multifield.studies.robustness.plan import every_network, list_tasks


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
    and log maps of the same raw maps are reused. Mock maps have the pixels of `source` in the
    smallest box, and more in larger ones. Maps with smaller pixels than those of another suite are
    averaged over pixels of that size.

    Parameters
    ----------
    config : RobustnessConfig
        Suites, fields and smoothing.
    sim_set : str
        Simulation set of the suites without a set of their own.
    source : SourceConfig
        Source of the raw maps.
    preprocessing : PreprocessingConfig
        Preprocessing. `config` replaces its smoothing width. Its cut-out is of all suites.
    split_config : SplitConfig
        Split. The same simulations are held out in each suite of one set.
    folders : SuiteFolders
        Folders of raw maps and log maps.

    Returns
    -------
    suites : dict of suite to SuiteMaps
        Maps of each suite, in the order of `config.suites`.

    Raises
    ------
    ValueError
        If log maps are stored in 16 bits, which cannot be joined, if zeros get a floor, if suites
        have no common cosmological parameter, if those of one set have different numbers of
        simulations, or if boxes differ and no cut-out of a common side is chosen.
    """
    if preprocessing.compact:
        raise ValueError("preprocessing.compact: Expected false for robustness, got True.")
    if preprocessing.zeros != "refuse":
        raise ValueError("zeros: Expected refuse for robustness, got floor.")
    suites = {}
    selections = config.selections(sim_set)
    sets = {suite: selection.simulations for suite, selection in selections.items()}
    space = find_common(sets)
    check_boxes(sets, preprocessing.cutout)
    check_joined(sets, config)
    boxes = {suite: each.box for suite, each in sets.items()}
    raw = {
        suite: bring_raw(
            selection,
            scale_mock(source, boxes[suite] / min(boxes.values())),
            folders.raw / selection.suite,
        )
        for suite, selection in selections.items()
    }
    sizes = {suite: next(iter(maps.values())).shape[-1] for suite, (maps, _) in raw.items()}
    pixels = find_pixels(boxes, sizes)
    preprocessing.pixels(min(pixels.values()))  # cut-outs fit into every map
    for suite, selection in selections.items():
        maps, manifest = _verify(
            selection, *raw[suite], pixels[suite], folders, partial=source.partial
        )
        theta = raw[suite][1]
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
                    folders.log_maps / selection.suite,
                ).items()
            },
            space,
            sets[suite].maps_per_simulation,
        )
    check_equal_sizes(suites, selections)
    return suites


def _verify(
    selection: Selection,
    maps: Mapping[str, Maps],
    theta: Theta,
    n_pixels: int,
    folders: SuiteFolders,
    *,
    partial: bool,
) -> tuple[Mapping[str, Float32[np.ndarray, "N K K"]], Manifest]:
    """Verify the maps of a suite, and regrid them if they have other pixels."""
    suite, sim_set = selection.suite, selection.sim_set
    manifest = verify_suite(suite, sim_set, maps, theta, partial=partial)
    if next(iter(maps.values())).shape[-1] == n_pixels:
        return maps, manifest
    folder = folders.raw / suite
    table = folder / camels.theta_names(suite, sim_set)[0]
    regridded = bring_regridded(maps, manifest, n_pixels, folder / f"regridded_{n_pixels}")
    # partial, because regridded maps have fewer pixels than published ones
    return regridded, verify_suite(suite, sim_set, regridded, theta, partial=True, table=table)


def scale_mock(source: SourceConfig, factor: float) -> SourceConfig:
    """Scale the pixels and particles of mock maps with their box.

    Mock suites of different boxes then have the same pixels and particle masses.

    Parameters
    ----------
    source : SourceConfig
        Source of maps of the smallest box.
    factor : float
        Side of the box over that of the smallest box.

    Returns
    -------
    source : SourceConfig
        Source of the maps of the box. Sources of published files are unchanged.

    Raises
    ------
    ValueError
        If mock maps cannot have so many pixels or particles.
    """
    if source.kind != "mock" or factor == 1:
        return source
    mock = source.mock
    map_size, lattice = round(factor * mock.map_size), round(factor * mock.lattice)
    try:
        return replace(source, mock=replace(mock, map_size=map_size, lattice=lattice))
    except ValidationError:
        raise ValueError(
            f"source.mock: Expected a map_size and a lattice that a box can have that is "
            f"{factor:g} times as large as the smallest, got {map_size} and {lattice} for it. "
            "Reduce them with --params source.mock.map_size=...,source.mock.lattice=..."
        ) from None


def check_boxes(sets: Mapping[str, camels.SimulationSet], cutout: int) -> None:
    """Check that suites of different boxes are compared by cut-outs.

    Parameters
    ----------
    sets : mapping of suite to SimulationSet
        Set of each suite.
    cutout : int
        Pixels per side of the cut-outs. 0 for whole maps.

    Raises
    ------
    ValueError
        If boxes differ and maps are whole.
    """
    boxes = {suite: each.box for suite, each in sets.items()}
    if len(set(boxes.values())) > 1 and not cutout:
        raise ValueError(
            f"robustness.suites: Expected suites of one box, got {boxes} Mpc/h. Leave some out, or "
            "compare cut-outs of one size with --params cutout=<pixels>."
        )


def find_pixels(boxes: Mapping[str, float], sizes: Mapping[str, int]) -> dict[str, int]:
    """Find the pixels of each suite's maps at the largest pixel size of all suites.

    Parameters
    ----------
    boxes : mapping of suite to float
        Side of the maps [Mpc/h].
    sizes : mapping of suite to int
        Pixels per side of the maps.

    Returns
    -------
    pixels : dict of suite to int
        Pixels per side after regridding, at most those of `sizes`.

    Raises
    ------
    ValueError
        If a box is not a whole number of these pixels.
    """
    largest = max(boxes[suite] / sizes[suite] for suite in boxes)
    wanted = {suite: box / largest for suite, box in boxes.items()}
    for suite, number in wanted.items():
        if not isclose(number, round(number), rel_tol=BOX_TOLERANCE):
            raise ValueError(
                f"robustness.suites: Expected boxes that are whole numbers of the largest pixel, "
                f"{largest:.4g} Mpc/h, got {number:.4g} pixels for {suite}. Leave it out."
            )
    return {suite: round(number) for suite, number in wanted.items()}


def check_joined(sets: Mapping[str, camels.SimulationSet], config: RobustnessConfig) -> None:
    """Check that suites that are joined have the same number of maps per simulation.

    Parameters
    ----------
    sets : mapping of suite to SimulationSet
        Set of each suite.
    config : RobustnessConfig
        Suites and methods.

    Raises
    ------
    ValueError
        If the numbers differ for suites that a method joins.
    """
    for task in every_network(list_tasks(config)):
        joined = [*task.suites, *([task.target] if task.target else [])]
        numbers = {suite: sets[suite].maps_per_simulation for suite in joined}
        if len(set(numbers.values())) > 1:
            raise ValueError(
                f"robustness.methods: Expected {task.method.name} to join suites with the same "
                f"number of maps per simulation, got {numbers}. Leave the method or a suite out."
            )


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
        If there is no common cosmological parameter.
    """
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


def check_equal_sizes(suites: Mapping[str, SuiteMaps], selections: Mapping[str, Selection]) -> None:
    """Check that suites of one set have the same number of simulations, because they share a split.

    Parameters
    ----------
    suites : mapping of suite to SuiteMaps
        Maps of each suite.
    selections : mapping of suite to Selection
        Set of each suite.

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    for sim_set in {selection.sim_set for selection in selections.values()}:
        numbers = {
            name: len(each.theta)
            for name, each in suites.items()
            if selections[name].sim_set == sim_set
        }
        if len(set(numbers.values())) > 1:
            raise ValueError(
                f"robustness.suites: Expected the same number of simulations in each suite of set "
                f"{sim_set}, got {numbers}. They share one split."
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
