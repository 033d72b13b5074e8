"""Where raw maps come from: made here, or published files in a folder."""

from collections.abc import Mapping
from pathlib import Path

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.ingest import SourceConfig, check_source
from multifield.core.arrays import Maps, Theta
from multifield.data.map_files import MapStream, find_file, find_in_folders
from multifield.ingest.published_files import download_missing
from multifield.maps.memory import source_name
from multifield.mock import make_suite

PublishedMaps = Mapping[str, Path]


def open_source(
    selection: Selection, config: SourceConfig
) -> tuple[MapStream | PublishedMaps, Theta | Path]:
    """Find or begin to make the maps and parameters of a selection.

    Parameters
    ----------
    selection : Selection
    config : SourceConfig

    Returns
    -------
    maps : MapStream or mapping of field to path
        A stream of mock maps, which are made as they are written; or the published files.
    theta : (S, 6) float64 or path
        The parameters of the mock simulations; or the published table.

    Raises
    ------
    ValueError
        If a mock suite is asked of a folder of published files, or the reverse.
    FileNotFoundError
        If a published file is missing, under any of its names, and is not to be fetched.
    DownloadError
        If one that is to be fetched cannot be.
    """
    check_source(selection.suite, config)
    if config.kind == "mock":
        theta, stream = make_suite(selection.suite, selection.fields, config.mock)
        return stream, theta
    folder = Path(config.folder).expanduser()
    if config.download.enabled and not config.partial:
        download_missing(selection, folder, config.download)
        return find_published(selection, folder)
    try:
        return find_published(selection, folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error}; put it there, or have it fetched with --params source.download.enabled=true"
        ) from None


def open_test_source(
    trained_on: Selection,
    tested_on: Selection,
    config: SourceConfig,
    raw_maps: Mapping[str, Maps],
) -> tuple[MapStream | PublishedMaps, Theta | Path]:
    """Find or begin to make the maps that a network is tested on.

    Parameters
    ----------
    trained_on, tested_on : Selection
    config : SourceConfig
    raw_maps : mapping of field to (15 S, L, L) float32
        Memory maps of what the network was trained on: if that is tested on, these files are given back.

    Returns
    -------
    maps, theta
        As from `open_source`.
    """
    if tested_on != trained_on:
        return open_source(tested_on, config)
    paths = {field: Path(source_name(maps, field)) for field, maps in raw_maps.items()}
    folder = next(iter(paths.values())).parent
    return paths, find_file(folder, camels.theta_names(trained_on.suite, trained_on.sim_set))


def find_published(selection: Selection, folder: Path) -> tuple[PublishedMaps, Path]:
    """Find the published files of a selection in `folder` or its sub-folder named like the suite.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or a file is in neither under any of its names.
    """
    suite, sim_set = selection.suite, selection.sim_set
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()}: expected the folder of published maps; found none"
        )
    homes = (folder / suite, folder)
    maps = {
        field: _find(homes, camels.maps_names(field, suite, sim_set)) for field in selection.fields
    }
    return maps, _find(homes, camels.theta_names(suite, sim_set))


def _find(homes: tuple[Path, Path], names: tuple[str, ...]) -> Path:
    return find_in_folders(homes, names) or find_file(homes[1].absolute(), names)
