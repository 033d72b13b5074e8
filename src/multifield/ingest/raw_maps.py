"""Raw and log maps of one suite in files with the usual names."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.data import PreprocessingConfig
from multifield.config.ingest import SourceConfig
from multifield.core.arrays import Maps, Theta
from multifield.data.manifest import Manifest
from multifield.data.map_files import write_or_link_maps, write_or_link_theta
from multifield.data.parameter_tables import read_theta
from multifield.data.preprocess import LogMaps, Preprocessing, open_log_maps, prepare
from multifield.ingest.sources import open_source
from multifield.maps.memory import open_maps


def bring_raw(
    selection: Selection, source: SourceConfig, folder: Path
) -> tuple[dict[str, Maps], Theta]:
    """Simulate or find the raw maps and the parameters of a suite, under CMD's names.

    Parameters
    ----------
    selection : Selection
        Suite, set and fields.
    source : SourceConfig
        Source of the maps.
    folder : Path
        Folder of the simulated maps and of the links to published files.

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
    table_path = folder / camels.theta_names(suite, sim_set)[0]
    write_or_link_theta(table_path, table)
    write_or_link_maps(paths, found)
    theta = read_theta(table_path, camels.find_set(sim_set, suite))
    return {field: open_maps(path) for field, path in paths.items()}, theta


def make_log_maps(
    selection: Selection,
    maps: Mapping[str, Maps],
    manifest: Manifest,
    config: PreprocessingConfig,
    folder: Path,
    floors: Mapping[str, float] | None = None,
) -> dict[str, LogMaps]:
    """Open existing log maps of the same raw maps and settings, and compute the others.

    Parameters
    ----------
    selection : Selection
        Suite and set, for the names of the files.
    maps : mapping of field to (15 S, L, L) float32
        Raw maps.
    manifest : Manifest
        Manifest with the checksums of the raw maps.
    config : PreprocessingConfig
        Settings of the preprocessing.
    folder : Path
        Folder of the log maps.
    floors : mapping of field to float, optional
        Values of zero pixels; see `multifield.data.fills.find_floors`.

    Returns
    -------
    log_maps : dict of field to LogMaps
        Memory maps.

    Raises
    ------
    ValueError
        If a raw file has changed since it was verified, or a pixel is invalid.
    """
    log_maps = {}
    for field, wanted in prepare(maps, manifest, config, floors or {}).items():
        name = camels.log_maps_name(
            field,
            selection.suite,
            selection.sim_set,
            config.smoothing_width,
            config.remove_monopole,
            config.compact,
            config.suffix,
        )
        log_maps[field] = _make_or_open(wanted, folder / name)
    return log_maps


def _make_or_open(wanted: Preprocessing, path: Path) -> LogMaps:
    with suppress(OSError, ValueError):  # none yet, or damaged ones
        present = open_log_maps(path)
        if dict(present.provenance) == wanted.provenance:
            return present
    wanted.write(path)
    return open_log_maps(path)
