"""Download of published files that are missing in a folder."""

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
from multifield.data.map_files import find_in_folders
from multifield.data.parameter_tables import read_theta
from multifield.ingest.download import Item, attempt_often, fetch, wrong_size
from multifield.ingest.http import DownloadError, check_status, length_of, read_text, send_request

__all__ = ["DownloadConfig", "DownloadError", "download_missing"]

NPY_HEADER = 128  # [bytes]
PIXEL_BYTES = 4  # float32


def maps_size(n_simulations: int, sim_set: camels.SimulationSet) -> int:
    """Return the size of a file of float32 maps.

    Parameters
    ----------
    n_simulations : int
        Number of simulations in the file.
    sim_set : SimulationSet
        Set of the simulations.

    Returns
    -------
    size : int
        Size in [bytes].
    """
    n_maps = n_simulations * sim_set.maps_per_simulation
    return NPY_HEADER + n_maps * sim_set.map_size**2 * PIXEL_BYTES


def download_missing(selection: Selection, folder: Path, config: DownloadConfig) -> None:
    """Download the published files of a selection that are not in `folder` or `folder/<suite>`.

    The parameter table is downloaded first, because it determines the number of simulations of some
    sets.

    Parameters
    ----------
    selection : Selection
        Suite, set and fields.
    folder : Path
        Folder of published files. New files are stored in its sub-folder ``<suite>``.
    config : DownloadConfig
        Settings of the download.

    Raises
    ------
    DownloadError
        If the server does not have a file, size or checksum are wrong, another process downloads
        it, the disk is too small, or the server fails too often.
    ValueError
        If an existing file has the wrong size.
    """
    suite, sim_set = selection.suite, selection.sim_set
    homes = (folder / suite, folder)
    n_simulations = _bring_theta(selection, homes, config)
    size = maps_size(n_simulations, selection.simulations)
    missing = []
    for field in selection.fields:
        names = camels.maps_names(field, suite, sim_set)
        found = find_in_folders(homes, names)
        if found is None:
            missing.append(_locate(suite, names, homes[0], size, config))
        elif found.stat().st_size != size:
            raise ValueError(
                f"{found}: Expected {size} bytes ({n_simulations} simulations of {sim_set}), got "
                f"{found.stat().st_size}. Move it away to download it, or use it with "
                "--params source.partial=true."
            )
    _fetch_all(missing, selection, config)


def _bring_theta(selection: Selection, homes: tuple[Path, Path], config: DownloadConfig) -> int:
    """Download the parameter table if it is missing. Return its number of rows."""
    names = camels.theta_names(selection.suite, selection.sim_set)
    sim_set = selection.simulations
    path = find_in_folders(homes, names)
    if path is None:
        item = _locate(selection.suite, names, homes[0], None, config)
        _fetch_all([item], selection, config)
        path = item.path
        _check_table(item, sim_set)
    rows = len(read_theta(path, sim_set))
    if sim_set.n_simulations not in (None, rows):
        raise ValueError(
            f"{path}: Expected {sim_set.n_simulations} rows, the simulations of {sim_set.name}, "
            f"got {rows}. Move it away to download it, or use it with --params source.partial=true."
        )
    return rows


def _check_table(item: Item, sim_set: camels.SimulationSet) -> None:
    """Check that a download is a parameter table, else remove it."""
    try:
        read_theta(item.path, sim_set)
    except ValueError as error:
        item.path.unlink()
        raise DownloadError(
            f"{item.url}: Expected a parameter table, got another file ({error})."
        ) from None


def _known_checksums(home: Path, selection: Selection, config: DownloadConfig) -> dict[str, str]:
    """Return SHA-256 by file name, from the server and from earlier manifests."""
    known = _published_checksums(selection.suite, config)
    for path in sorted(home.glob(f"manifest_*_{selection.suite}_{selection.sim_set}.json")):
        manifest = TypeAdapter(Manifest).validate_json(path.read_bytes())
        known |= {record.name: record.sha256 for record in manifest.files.values()}
    return known


def _published_checksums(suite: str, config: DownloadConfig) -> dict[str, str]:
    """Read the file `SHA256SUMS` of the suite's folder if it exists. CMD has none."""
    url = f"{config.base_url}/{suite}/SHA256SUMS"

    def read() -> str:
        with requests.Session() as session:
            response = send_request(session, "GET", url, {}, config.timeout)
            if response.status_code in (403, 404, 410):  # some servers forbid missing files
                return ""
            check_status(response, url, (200,))
            return read_text(response, url)

    matches = re.findall(r"^([0-9a-f]{64}) [ *](.+)$", attempt_often(url, config, read), re.M)
    return {name: checksum for checksum, name in matches}


# ---- addresses ----


def _locate(
    suite: str, names: tuple[str, ...], home: Path, size: int | None, config: DownloadConfig
) -> Item:
    """Find the first address of a file under one of its names."""
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
    raise DownloadError(f"Expected a file at one of these addresses, got 404 (not found):\n{tried}")


def _ask(url: str, timeout: float) -> int | None:
    """Return the size of a file in [bytes], -1 if unknown, None if there is no file."""
    with requests.Session() as session:
        response = send_request(session, "HEAD", url, {}, timeout)
        if response.status_code == 404:
            return None
        check_status(response, url, (200,))
        length = length_of(response)
        return -1 if length is None else length


# ---- several files ----


def _fetch_all(items: list[Item], selection: Selection, config: DownloadConfig) -> None:
    """Download files in parallel. The first error stops the others, which can be resumed."""
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
            f"{folder}: Expected {needed} bytes free for {len(items)} file(s), got {free}."
        )


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
