"""Record of the origin of a mock map file, so that a rerun reuses the file."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from multifield.core.atomic_files import atomic_path


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class _Record:
    """Origin, size and modification time of a file when it was written."""

    origin: dict[str, str]
    size: int  # [bytes]
    modified: int  # [ns since 1970]


_ADAPTER = TypeAdapter(_Record)


def origin_path(path: Path) -> Path:
    """Return the path of the record of a map file."""
    return path.with_name(f"{path.name.removesuffix('.npy')}.origin.json")


def write_origin(path: Path, origin: Mapping[str, str]) -> None:
    """Write the record of a file beside it."""
    found = path.stat()
    record = _Record(origin=dict(origin), size=found.st_size, modified=found.st_mtime_ns)
    with atomic_path(origin_path(path)) as partial:
        partial.write_bytes(_ADAPTER.dump_json(record, indent=2))


def is_made_from(path: Path, origin: Mapping[str, str]) -> bool:
    """Return whether the file exists, is unchanged and has this origin."""
    if not (path.is_file() and origin_path(path).is_file()):
        return False
    try:
        record = _ADAPTER.validate_json(origin_path(path).read_bytes())
    except ValidationError:  # not a record of ours: the maps are simulated again
        return False
    found = path.stat()
    return record == _Record(origin=dict(origin), size=found.st_size, modified=found.st_mtime_ns)
