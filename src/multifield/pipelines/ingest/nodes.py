"""Nodes of `ingest`."""

from collections.abc import Mapping
from pathlib import Path

from multifield.camels.selection import Selection
from multifield.config.ingest import SourceConfig
from multifield.core.arrays import Maps, Theta
from multifield.data.manifest import Manifest, verify_suite
from multifield.data.map_files import MapStream
from multifield.ingest.sources import open_source


def bring_maps(
    selection: Selection, source: SourceConfig
) -> tuple[MapStream | Mapping[str, Path], Theta | Path]:
    """Simulate mock maps or find published files; see `multifield.ingest.sources.open_source`."""
    return open_source(selection, source)


def verify_maps(
    selection: Selection, source: SourceConfig, maps: Mapping[str, Maps], theta: Theta
) -> Manifest:
    """Check every pixel and record checksums; see `multifield.data.manifest.verify_suite`."""
    suite, sim_set = selection.suite, selection.sim_set
    return verify_suite(suite, sim_set, maps, theta, partial=source.partial)
