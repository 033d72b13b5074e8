"""Which published files a folder lacks, where a server has them, and what they must be."""

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import requests
from pydantic import TypeAdapter

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.ingest import DownloadConfig
from multifield.core.progress import progress
from multifield.data.manifest import Manifest
from multifield.data.map_files import find_in_folders, read_theta
from multifield.ingest.http import (
    DownloadError,
    Item,
    attempt_often,
    check_status,
    fetch,
    length_of,
    read_text,
    send_request,
    wrong_size,
)

__all__ = ["DownloadConfig", "DownloadError", "download_missing"]

NPY_HEADER = 128  # [bytes]
SIMULATION_BYTES = camels.MAPS_PER_SIMULATION * 256 * 256 * 4  # a field of one simulation, float32


def maps_size(n_simulations: int) -> int:
    """Size of a file of 256-pixel float32 maps in [bytes]."""
    return NPY_HEADER + n_simulations * SIMULATION_BYTES


def download_missing(selection: Selection, folder: Path, config: DownloadConfig) -> None:
    """Fetch those published files of a selection that are not in `folder` or `folder/<suite>`.

    The parameter table comes first: it says how many simulations a set without a fixed number has.

    Parameters
    ----------
    selection : Selection
    folder : Path
        Files go to its sub-folder named like the suite, which is made if it is not there.
    config : DownloadConfig

    Raises
    ------
    DownloadError
        If a file is nowhere on the server, has not the size or checksum it must have, another process is
        fetching it, the disk is too small, or the server fails too often.
    ValueError
        If a file that is there has another size than it must have.
    """
    suite, sim_set = selection.suite, selection.sim_set
    homes = (folder / suite, folder)
    n_simulations = _bring_theta(selection, homes, config)
    size = maps_size(n_simulations)
    missing = []
    for field in selection.fields:
        names = camels.maps_names(field, suite, sim_set)
        found = find_in_folders(homes, names)
        if found is None:
            missing.append(_locate(suite, names, homes[0], size, config))
        elif found.stat().st_size != size:
            raise ValueError(
                f"{found}: expected {size} bytes ({n_simulations} simulations of {sim_set}), got "
                f"{found.stat().st_size}; move it away to have it fetched, or use it as it is with "
                "--params source.partial=true"
            )
    _fetch_all(missing, selection, config)


def _bring_theta(selection: Selection, homes: tuple[Path, Path], config: DownloadConfig) -> int:
    """Fetch the parameter table if it is missing; count its rows, which must be the set's."""
    names = camels.theta_names(selection.suite, selection.sim_set)
    sim_set = camels.find_set(selection.sim_set, selection.suite)
    path = find_in_folders(homes, names)
    if path is None:
        item = _locate(selection.suite, names, homes[0], None, config)
        _fetch_all([item], selection, config)
        path = item.path
        _check_table(item, sim_set.n_columns)
    rows = len(read_theta(path, sim_set.n_columns))
    if sim_set.n_simulations not in (None, rows):
        raise ValueError(
            f"{path}: expected {sim_set.n_simulations} rows, the simulations of {sim_set.name}, got "
            f"{rows}; move it away to have it fetched, or use it as it is with "
            "--params source.partial=true"
        )
    return rows


def _check_table(item: Item, n_columns: tuple[int, ...]) -> None:
    """Require a table of what was fetched; a page that says something else does not stay."""
    try:
        read_theta(item.path, n_columns)
    except ValueError as error:
        item.path.unlink()
        raise DownloadError(
            f"{item.url}: expected a table of parameters, got none ({error})"
        ) from None


def _known_checksums(home: Path, selection: Selection, config: DownloadConfig) -> dict[str, str]:
    """SHA-256 by file name: what the server publishes, then what was ingested before."""
    known = _published_checksums(selection.suite, config)
    for path in sorted(home.glob(f"manifest_*_{selection.suite}_{selection.sim_set}.json")):
        manifest = TypeAdapter(Manifest).validate_json(path.read_bytes())
        known |= {record.name: record.sha256 for record in manifest.files.values()}
    return known


def _published_checksums(suite: str, config: DownloadConfig) -> dict[str, str]:
    """Read `SHA256SUMS` of the suite's folder, as `sha256sum` writes it, if there is one (CMD has none)."""
    url = f"{config.base_url}/{suite}/SHA256SUMS"

    def read() -> str:
        with requests.Session() as session:
            response = send_request(session, "GET", url, {}, config.timeout)
            if response.status_code in (403, 404, 410):  # some servers forbid what they do not have
                return ""
            check_status(response, url, (200,))
            return read_text(response, url)

    matches = re.findall(r"^([0-9a-f]{64}) [ *](.+)$", attempt_often(url, config, read), re.M)
    return {name: checksum for checksum, name in matches}


# ---- which address ----


def _locate(
    suite: str, names: tuple[str, ...], home: Path, size: int | None, config: DownloadConfig
) -> Item:
    """Find the first address that has a file under one of its names."""
    addresses = [
        (f"{base}/{quote(name, safe='=')}", name)
        for name in names
        for base in (f"{config.base_url}/{suite}", config.base_url)
    ]
    for url, name in addresses:
        length = attempt_often(url, config, partial(_ask, url, config.timeout))
        if length is not None:
            known = size if size is not None else (length if length >= 0 else None)
            item = Item(url, home / name, known)
            if size is not None and length not in (-1, size):
                raise DownloadError(wrong_size(item, length))
            return item
    tried = "\n".join(f"  {url}" for url, _ in addresses)
    raise DownloadError(f"expected one of these addresses, got 404 (not found) for each:\n{tried}")


def _ask(url: str, timeout: float) -> int | None:
    """Size of a file in [bytes], -1 if the server does not say; None if it has no such file."""
    with requests.Session() as session:
        response = send_request(session, "HEAD", url, {}, timeout)
        if response.status_code == 404:
            return None
        check_status(response, url, (200,))
        length = length_of(response)
        return -1 if length is None else length


# ---- several files ----


def _fetch_all(items: list[Item], selection: Selection, config: DownloadConfig) -> None:
    """Fetch files side by side; the first error stops the others, whose parts are kept."""
    if not items:
        return
    known = _known_checksums(items[0].path.parent, selection, config)
    items = [replace(item, sha256=known.get(item.path.name)) for item in items]
    items[0].path.parent.mkdir(parents=True, exist_ok=True)
    _check_space(items)
    here = sum(_size_of(item.partial) for item in items)
    total = sum(item.size or 0 for item in items)
    stop = threading.Event()
    names = ", ".join(item.path.name for item in items)
    with progress(f"download {names}", total, "bytes", completed=here) as advance:
        pool = ThreadPoolExecutor(config.n_parallel)
        try:
            jobs = [pool.submit(fetch, item, config, advance, stop) for item in items]
            for job in as_completed(jobs):
                job.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _check_space(items: list[Item]) -> None:
    needed = sum(max((item.size or 0) - _size_of(item.partial), 0) for item in items)
    folder = items[0].path.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"{folder}: expected {needed} bytes free for {len(items)} file(s), got {free}"
        )


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
