"""Raw maps and log maps, memory-mapped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview

from multifield import camels
from multifield.core.arrays import Maps
from multifield.data.map_files import MapStream, find_file, write_or_link_maps
from multifield.data.preprocess import LogMaps, Preprocessing, moments_path, open_log_maps
from multifield.datasets.previews import preview_maps
from multifield.maps.memory import open_maps, source_name


class RawMapsDataset(AbstractDataset[MapStream | Mapping[str, Path], dict[str, Maps]]):
    """Raw maps of one or several fields of a suite, one file per field, under CMD's names.

    Loading returns read-only memory maps by field. Saving writes a stream of maps, or links to
    published files, which are not copied.

    Parameters
    ----------
    path : str
        Folder of all suites.
    suite, sim_set : str
        Names of the suite and of the set.
    field : str
        Names of the fields, joined by ``_``.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        sim_set: str,
        field: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = Path(path) / suite
        self._suite, self._sim_set = suite, camels.find_set(sim_set, suite).name
        self._fields = camels.parse_fields(field, suite)
        self.metadata = metadata

    def load(self) -> dict[str, Maps]:
        """Memory-map the file of each field."""
        return {
            field: open_maps(find_file(self._folder, self._names(field))) for field in self._fields
        }

    def save(self, data: MapStream | Mapping[str, Path]) -> None:
        """Write a stream of maps, or link to published files."""
        paths = {field: self._folder / self._names(field)[0] for field in self._fields}
        write_or_link_maps(paths, data)

    def preview(self) -> ImagePreview:
        """Draw the first simulation's first map of each field, for Kedro-Viz."""
        first = {field: maps[:1] for field, maps in self.load().items()}
        return preview_maps(first, self._suite, logarithmic=False)

    def _names(self, field: str) -> tuple[str, ...]:
        return camels.maps_names(field, self._suite, self._sim_set)

    def _exists(self) -> bool:
        try:
            return all(find_file(self._folder, self._names(field)) for field in self._fields)
        except FileNotFoundError:
            return False

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._folder), "sim_set": self._sim_set, "fields": self._fields}


class LogMapsDataset(AbstractDataset[Mapping[str, Preprocessing | LogMaps], dict[str, LogMaps]]):
    """Log maps of one or several fields, one file per field, with the moments of every map.

    Saving preprocesses raw maps into the files, or accepts the log maps that these files contain
    already.

    Parameters
    ----------
    path : str
        Folder of all suites.
    suite, sim_set : str
        Names of the suite and of the set.
    field : str
        Names of the fields, joined by ``_``.
    smoothing_width : float
        Standard deviation of the smoothing in [pixels].
    remove_monopole : bool
        Whether the mean of each log map is subtracted.
    compact : bool, optional
        Whether the log maps are stored in 16 bits.
    suffix : str, optional
        End of the names for cut-outs, masks and instrument; see `multifield.config.data.pixels_suffix`.
    metadata : dict, optional
        Metadata for Kedro plugins.
    """

    def __init__(
        self,
        *,
        path: str,
        suite: str,
        sim_set: str,
        field: str,
        smoothing_width: float | int,
        remove_monopole: bool,
        compact: bool = False,
        suffix: str = "",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._suite, self._compact = suite, compact
        self._paths = {
            name: Path(path)
            / suite
            / camels.log_maps_name(
                name, suite, sim_set, smoothing_width, remove_monopole, compact, suffix
            )
            for name in camels.parse_fields(field, suite)
        }
        self.metadata = metadata

    def load(self) -> dict[str, LogMaps]:
        """Memory-map the file of each field."""
        return {field: open_log_maps(path) for field, path in self._paths.items()}

    def save(self, data: Mapping[str, Preprocessing | LogMaps]) -> None:
        """Preprocess each field into its file, unless the file contains it already."""
        for field, path in self._paths.items():
            maps = data[field]
            if isinstance(maps, Preprocessing):
                self._check_type(maps, path)
                maps.write(path)
            elif Path(source_name(maps.maps, field)).resolve() != path.resolve():
                raise DatasetError(
                    f"{path}: Expected the log maps of this file, got those of "
                    f"{source_name(maps.maps, field)}."
                )

    def _check_type(self, maps: Preprocessing, path: Path) -> None:
        """Check the type that the name of the file promises."""
        if maps.config.compact != self._compact:
            raise DatasetError(
                f"{path}: Expected log maps with compact {self._compact} from the catalog, got "
                f"preprocessing.compact {maps.config.compact}."
            )

    def preview(self) -> ImagePreview:
        """Draw the first simulation's first map of each field, for Kedro-Viz."""
        first = {field: entry.read(slice(1)) for field, entry in self.load().items()}
        return preview_maps(first, self._suite, logarithmic=True)

    def _exists(self) -> bool:
        paths = self._paths.values()
        return all(path.is_file() and moments_path(path).is_file() for path in paths)

    def _describe(self) -> dict[str, Any]:
        return {"paths": {field: str(path) for field, path in self._paths.items()}}
