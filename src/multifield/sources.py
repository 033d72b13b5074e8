"""Where raw maps come from: made here, or published files in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.arrays import Theta
from multifield.maps.files import MapStream, find_file
from multifield.mock import MockConfig, make_suite
from multifield.selection import Selection

PublishedMaps = Mapping[str, Path]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SourceConfig:
    """Where `ingest` takes its maps from."""

    kind: Literal["mock", "folder"]
    folder: str  # published files, in it or in a sub-folder named like the suite
    mock: MockConfig


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
        If a published file is missing, under any of its names.
    """
    is_mock = camels.find_suite(selection.suite).mock
    if is_mock != (config.kind == "mock"):
        environment = "mock" if is_mock else "cmd"
        raise ValueError(
            f"suite: source {config.kind!r} has not {selection.suite}; use --env {environment}"
        )
    if is_mock and selection.sim_set != "LH":
        raise ValueError(f"sim_set: mock suites have LH alone, got {selection.sim_set!r}")
    if is_mock:
        theta, stream = make_suite(selection.suite, selection.fields, config.mock)
        return stream, theta
    return find_published(selection, Path(config.folder))


def find_published(selection: Selection, folder: Path) -> tuple[PublishedMaps, Path]:
    """Find the published files of a selection in `folder` or its sub-folder named like the suite."""
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
    for home in homes:
        if any((home / name).is_file() for name in names):
            return find_file(home, names)
    return find_file(homes[1].absolute(), names)
