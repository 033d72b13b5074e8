"""Several suites brought and preprocessed together, each file under its usual name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from multifield import camels
from multifield.camels.selection import Selection
from multifield.challenges.robustness.config import RobustnessConfig
from multifield.challenges.robustness.data import SuiteMaps
from multifield.core.arrays import Maps, Theta
from multifield.maps.files import (
    MapStream,
    find_file,
    link_file,
    read_theta,
    write_map_files,
    write_theta,
)
from multifield.maps.manifest import Manifest, verify_suite
from multifield.maps.memory import open_maps
from multifield.maps.preprocess import (
    LogMaps,
    Preprocessing,
    PreprocessingConfig,
    moments_path,
    open_log_maps,
)
from multifield.maps.splits import SplitConfig, split_simulations
from multifield.sources import PublishedMaps, SourceConfig, open_source


@dataclass(frozen=True)
class SuiteFolders:
    """Where files of all suites lie, a sub-folder each."""

    raw: Path
    log_maps: Path


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


def bring_raw(
    selection: Selection, source: SourceConfig, folder: Path
) -> tuple[dict[str, Maps], Theta]:
    """Make or find the raw maps and the parameters of a suite, under CMD's names.

    Parameters
    ----------
    selection : Selection
        Suite, set and fields.
    source : SourceConfig
        Where the maps come from.
    folder : Path
        Where maps that are made here are written, and published files linked to.

    Returns
    -------
    maps : dict of field to (15 S, L, L) float32
        Memory maps.
    theta : (S, 6) float64
        Parameters of the simulations.
    """
    suite, sim_set = selection.suite, selection.sim_set
    found, table = open_source(selection, source)
    paths = {
        field: folder / camels.maps_names(field, suite, sim_set)[0] for field in selection.fields
    }
    _place(found, table, paths, folder / camels.theta_names(suite, sim_set)[0])
    theta = read_theta(
        find_file(folder, camels.theta_names(suite, sim_set)),
        camels.find_set(sim_set, suite).n_columns,
    )
    return {field: open_maps(path) for field, path in paths.items()}, theta


def _place(
    found: MapStream | PublishedMaps,
    table: Theta | Path,
    paths: Mapping[str, Path],
    table_path: Path,
) -> None:
    """Write what is made here, link to what is published."""
    if isinstance(table, Path):
        link_file(table, table_path)
    else:
        write_theta(table_path, table)
    if not isinstance(found, Mapping):
        write_map_files(paths, found)
        return
    for field, path in paths.items():
        link_file(found[field], path)


def make_log_maps(
    selection: Selection,
    maps: Mapping[str, Maps],
    manifest: Manifest,
    config: PreprocessingConfig,
    folder: Path,
) -> dict[str, LogMaps]:
    """Open log maps that are there, of the same raw maps and settings; make the others.

    Parameters
    ----------
    selection : Selection
        Suite and set, which are in the names of the files.
    maps : mapping of field to (15 S, L, L) float32
        Raw maps.
    manifest : Manifest
        Checksums of the raw maps.
    config : PreprocessingConfig
        Smoothing, monopole and how log maps are stored.
    folder : Path
        Where they are.

    Returns
    -------
    log_maps : dict of field to LogMaps
        Memory maps.
    """
    checksums = manifest.checksums(tuple(maps))
    log_maps = {}
    for field, raw in maps.items():
        name = camels.log_maps_name(
            field,
            selection.suite,
            selection.sim_set,
            config.smoothing_width,
            config.remove_monopole,
            config.compact,
        )
        log_maps[field] = _make_or_open(
            Preprocessing(raw, field, config, checksums[field]), folder / name
        )
    return log_maps


def _make_or_open(wanted: Preprocessing, path: Path) -> LogMaps:
    if path.is_file() and moments_path(path).is_file():
        present = open_log_maps(path)
        if dict(present.provenance) == wanted.provenance:
            return present
    wanted.write(path)
    return open_log_maps(path)


def check_equal_sizes(suites: Mapping[str, SuiteMaps]) -> None:
    """Require as many simulations of each suite, so that the same numbers are held out; ValueError if not."""
    numbers = {name: len(each.theta) for name, each in suites.items()}
    if len(set(numbers.values())) > 1:
        raise ValueError(
            f"robustness.suites: expected as many simulations of each, got {numbers}; the same numbers "
            "are held out in all"
        )
