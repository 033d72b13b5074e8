"""Sources of raw maps: mock suites, or published files in a folder."""

from collections.abc import Mapping
from pathlib import Path

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.ingest import SourceConfig, check_source
from multifield.core.arrays import Maps, Theta
from multifield.data.map_files import MapStream, find_file, find_in_folders
from multifield.data.parameter_tables import read_theta
from multifield.ingest.published_files import download_missing
from multifield.maps.memory import source_name
from multifield.mock import make_suite

PublishedMaps = Mapping[str, Path]
OWN_FOLDER = Path("data/01_raw")  # of a project; created by a download


def open_source(
    selection: Selection, config: SourceConfig
) -> tuple[MapStream | PublishedMaps, Theta | Path]:
    """Find the published files of a selection, or create the stream of its mock maps.

    Parameters
    ----------
    selection : Selection
        Suite, set and fields.
    config : SourceConfig
        Settings of the source.

    Returns
    -------
    maps : MapStream or mapping of field to Path
        Stream of mock maps, or published files.
    theta : (S, 6) float64 or Path
        Parameters of the mock simulations, or published table.

    Raises
    ------
    ValueError
        If the source is a folder and the suite is a mock suite, or the reverse.
    FileNotFoundError
        If the folder does not exist, or a published file is missing and downloads are disabled.
    DownloadError
        If a download fails.
    """
    check_source(selection.suite, config)
    if config.kind == "mock":
        theta, stream = make_suite(selection.suite, selection.fields, config.mock)
        return stream, theta
    folder = Path(config.folder).expanduser()
    if config.download.enabled and not config.partial:
        if not folder.is_dir() and folder != OWN_FOLDER:  # a misspelt folder, gigabytes
            raise FileNotFoundError(
                f"source.folder: {folder.absolute()} does not exist. Correct the path, or create "
                "the folder to download into it."
            )
        download_missing(selection, folder, config.download)
        return find_published(selection, folder)
    try:
        return find_published(selection, folder)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} Put it there, or download it with --params source.download.enabled=true."
        ) from None


def open_test_source(
    trained_on: Selection,
    tested_on: Selection,
    config: SourceConfig,
    raw_maps: Mapping[str, Maps],
) -> tuple[MapStream | PublishedMaps, Theta | Path]:
    """Find the maps of a test, or create the stream of its mock maps.

    Parameters
    ----------
    trained_on, tested_on : Selection
        Suite, set and fields of the training and of the test.
    config : SourceConfig
        Settings of the source.
    raw_maps : mapping of field to (15 S, L, L) float32
        Memory maps of the training. Their files are reused if the network is tested on the same
        set.

    Returns
    -------
    maps : MapStream or mapping of field to Path
        Stream of mock maps, or files.
    theta : (S, 6) float64 or Path
        Parameters of the mock simulations, or parameter table.
    """
    if tested_on != trained_on:
        return open_source(tested_on, config)
    paths = {field: Path(source_name(maps, field)) for field, maps in raw_maps.items()}
    folder = next(iter(paths.values())).parent
    return paths, find_file(folder, camels.theta_names(trained_on.suite, trained_on.sim_set))


def find_published(selection: Selection, folder: Path) -> tuple[PublishedMaps, Path]:
    """Find the published files of a selection in a folder or its sub-folder ``<suite>``.

    Parameters
    ----------
    selection : Selection
        Suite, set and fields.
    folder : Path
        Folder of published files.

    Returns
    -------
    maps : mapping of field to Path
        Map file of each field.
    theta : Path
        Parameter table.

    Raises
    ------
    FileNotFoundError
        If the folder or a file does not exist.
    ValueError
        If the table is not one of the set.
    """
    suite, sim_set = selection.suite, selection.sim_set
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()}: Expected the folder of published maps, got none."
        )
    entry = camels.find_suite(suite)
    homes = tuple(folder / name for name in (entry.name, *entry.aliases, ""))
    maps = {
        field: _find(homes, camels.maps_names(field, suite, sim_set)) for field in selection.fields
    }
    theta = _find(homes, camels.theta_names(suite, sim_set))
    read_theta(theta, entry.sets[sim_set])  # nothing is linked to a wrong table
    return maps, theta


def _find(homes: tuple[Path, ...], names: tuple[str, ...]) -> Path:
    return find_in_folders(homes, names) or find_file(homes[-1].absolute(), names[:2])
