"""What a file of mock maps was made from, beside the file: a rerun finds it instead of making it again."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from multifield.core.atomic_files import atomic_path


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class _Record:
    """A file as it was when it was written."""

    origin: dict[str, str]
    size: int  # [bytes]
    modified: int  # [ns since 1970]


_ADAPTER = TypeAdapter(_Record)


def origin_path(path: Path) -> Path:
    """Where the origin of a file of maps is written."""
    return path.with_name(f"{path.name.removesuffix('.npy')}.origin.json")


def write_origin(path: Path, origin: Mapping[str, str]) -> None:
    """Write down what the file was made from."""
    found = path.stat()
    record = _Record(origin=dict(origin), size=found.st_size, modified=found.st_mtime_ns)
    with atomic_path(origin_path(path)) as partial:
        partial.write_bytes(_ADAPTER.dump_json(record, indent=2))


def is_made_from(path: Path, origin: Mapping[str, str]) -> bool:
    """Whether the file is there, unchanged, and was made from this."""
    if not (path.is_file() and origin_path(path).is_file()):
        return False
    try:
        record = _ADAPTER.validate_json(origin_path(path).read_bytes())
    except ValidationError:  # a file that another program left: the maps are made again
        return False
    found = path.stat()
    return record == _Record(origin=dict(origin), size=found.st_size, modified=found.st_mtime_ns)
