"""Published files over HTTP(S): resumed, checked, and put in place whole or not at all.

While a file is fetched it is `<name>.download`; what the server calls this version of it is kept in
`<name>.download.json`. Both survive a kill, and the next run goes on where the last one stopped.
"""

import fcntl
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass as plain_dataclass
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import quote, urlsplit

import requests
import urllib3
from pydantic import ConfigDict, Field, TypeAdapter, field_validator
from pydantic.dataclasses import dataclass

from multifield import camels
from multifield.atomic import atomic_path
from multifield.maps.files import find_file, read_theta
from multifield.maps.manifest import Manifest, sha256
from multifield.progress import progress
from multifield.selection import Selection

logger = logging.getLogger(__name__)

NPY_HEADER = 128  # [bytes]
SIMULATION_BYTES = camels.MAPS_PER_SIMULATION * 256 * 256 * 4  # a field of one simulation, float32
CHUNK = 2**18  # [bytes] read and written at a time; what a kill loses at most
LONGEST_WAIT = 300.0  # [s] between two attempts, whatever the server asks for
T = TypeVar("T")
TRANSIENT = (408, 429)  # and 5xx: statuses that a later attempt may not meet


class DownloadError(RuntimeError):
    """A file cannot be fetched; the message says which, why, and what to do."""


class _TransientError(Exception):
    """An attempt failed, and another may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait  # [s], where the server asked for it


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DownloadConfig:
    """Whether, whence and how `ingest` fetches published files that are missing."""

    enabled: Annotated[bool, Field(strict=True)]
    base_url: str  # files are at <base_url>/<suite>/<name> or <base_url>/<name>
    n_parallel: Annotated[int, Field(strict=True, ge=1, le=16)]  # files at once
    n_retries: Annotated[
        int, Field(strict=True, ge=0)
    ]  # attempts in a row that may bring nothing new
    timeout: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]  # [s] without a byte
    backoff: Annotated[
        float, Field(strict=True, gt=0, allow_inf_nan=False)
    ]  # [s], doubled at each failure

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, base_url: str) -> str:
        address = urlsplit(base_url)
        if "@" in address.netloc:  # the value is not shown: it holds a password
            raise ValueError("expected an address without user and password, got one with them")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"expected an http:// or https:// address, got {base_url!r}")
        if address.query or address.fragment:
            raise ValueError("expected the address of a folder, got one with ? or #")
        return base_url.rstrip("/")


@plain_dataclass(frozen=True)
class _Item:
    """One file to fetch.

    Attributes
    ----------
    url : str
    path : Path
        Where it shall be.
    size : int or None
        [bytes] that it must have; None if neither the rules nor the server say.
    sha256 : str or None
        If the server or a manifest knows it.
    """

    url: str
    path: Path
    size: int | None
    sha256: str | None = None

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.download")

    @property
    def version(self) -> Path:
        return self.path.with_name(f"{self.path.name}.download.json")


def expected_simulations(sim_set: str) -> int | None:
    """Count the simulations of a set; None where the parameter table says it."""
    return {"LH": 1000, "CV": 27, "BE": 27, "EX": 4, "SB28": 2048}.get(sim_set)


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
        found = _find(homes, names)
        if found is None:
            missing.append(_locate(suite, names, homes[0], size, config))
        elif found.stat().st_size != size:
            raise ValueError(
                f"{found}: expected {size} bytes ({n_simulations} simulations of {sim_set}), got "
                f"{found.stat().st_size}; move it away to have it fetched, or use it as it is with "
                "--params source.download.enabled=false"
            )
    _fetch_all(missing, selection, config)


def _bring_theta(selection: Selection, homes: tuple[Path, Path], config: DownloadConfig) -> int:
    """Fetch the parameter table if it is missing; count its rows, which must be the set's."""
    names = camels.theta_names(selection.suite, selection.sim_set)
    path = _find(homes, names)
    if path is None:
        item = _locate(selection.suite, names, homes[0], None, config)
        _fetch_all([item], selection, config)
        path = item.path
        _check_table(item)
    rows = len(read_theta(path))
    expected = expected_simulations(selection.sim_set)
    if expected not in (None, rows):
        raise ValueError(
            f"{path}: expected {expected} rows, the simulations of {selection.sim_set}, got {rows}; "
            "move it away to have it fetched, or use it as it is with "
            "--params source.download.enabled=false"
        )
    return rows


def _check_table(item: _Item) -> None:
    """Require a table of what was fetched; a page that says something else does not stay."""
    try:
        read_theta(item.path)
    except ValueError as error:
        item.path.unlink()
        raise DownloadError(
            f"{item.url}: expected a table of parameters, got none ({error})"
        ) from None


def _find(homes: tuple[Path, Path], names: tuple[str, ...]) -> Path | None:
    for home in homes:
        if any((home / name).is_file() for name in names):
            return find_file(home, names)
    return None


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
    # some servers forbid what they do not have
    ask = partial(_ask, url, config.timeout, absent=(403, 404, 410))
    if _attempt_often(url, config, ask) is None:
        return {}
    lines = _attempt_often(url, config, partial(_read_text, url, config.timeout)).splitlines()
    matches = (re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in lines)
    return {match[2]: match[1] for match in matches if match}


# ---- which address ----


def _locate(
    suite: str, names: tuple[str, ...], home: Path, size: int | None, config: DownloadConfig
) -> _Item:
    """Find the first address that has a file under one of its names."""
    addresses = [
        (f"{base}/{quote(name, safe='=')}", name)
        for name in names
        for base in (f"{config.base_url}/{suite}", config.base_url)
    ]
    for url, name in addresses:
        length = _attempt_often(url, config, partial(_ask, url, config.timeout))
        if length is not None:
            known = size if size is not None else (length if length >= 0 else None)
            item = _Item(url, home / name, known)
            if size is not None and length not in (-1, size):
                raise DownloadError(_wrong_size(item, length))
            return item
    tried = "\n".join(f"  {url}" for url, _ in addresses)
    raise DownloadError(f"expected one of these addresses, got 404 (not found) for each:\n{tried}")


def _ask(url: str, timeout: float, absent: tuple[int, ...] = (404,)) -> int | None:
    """Size of a file in [bytes], -1 if the server does not say; None if it has no such file."""
    with requests.Session() as session:
        response = _request(session, "HEAD", url, {}, timeout)
        if response.status_code in (405, 501):  # a server that knows no HEAD
            response = _request(session, "GET", url, {}, timeout)
        response.close()
        if response.status_code in absent:
            return None
        _check_status(response, url, (200,))
        return int(response.headers.get("Content-Length", -1))


def _read_text(url: str, timeout: float) -> str:
    with requests.Session() as session, _request(session, "GET", url, {}, timeout) as response:
        _check_status(response, url, (200,))
        try:
            return response.text
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise _TransientError(f"connection lost ({type(error).__name__})") from None


def _wrong_size(item: _Item, size: int) -> str:
    return (
        f"{item.url}: expected {item.size} bytes, the server offers {size}; it has not the "
        "published file, or source.download.base_url is wrong"
    )


# ---- several files ----


def _fetch_all(items: list[_Item], selection: Selection, config: DownloadConfig) -> None:
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
            jobs = [pool.submit(_fetch, item, config, advance, stop) for item in items]
            _first_error_stops(jobs)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _first_error_stops(jobs: list[Future[None]]) -> None:
    for job in as_completed(jobs):
        job.result()


def _check_space(items: list[_Item]) -> None:
    needed = sum(max((item.size or 0) - _size_of(item.partial), 0) for item in items)
    folder = items[0].path.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"{folder}: expected {needed} bytes free for {len(items)} file(s), got {free}"
        )


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


# ---- one file ----


def _fetch(
    item: _Item, config: DownloadConfig, advance: Callable[[int], None], stop: threading.Event
) -> None:
    with _locked(item.partial) as file, requests.Session() as session:
        if item.path.exists():  # another process has brought it since
            return

        def attempt() -> None:
            _continue(session, item, file, config.timeout, advance, stop)

        if item.size is None or file.tell() != item.size:
            _attempt_often(item.url, config, attempt, stop, done=file.tell)
        _check_sha256(item)
        os.fsync(file.fileno())
        item.partial.replace(item.path)
        item.version.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[FileIO]:
    """Open a partial file at its end, for this process alone."""
    # unbuffered: what was received is on disk, whenever the process is killed
    with FileIO(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(
                f"{path}: another process is downloading this file; wait for it"
            ) from None
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise DownloadError(f"{path}: another process has just finished this file; run again")
        yield file


def _attempt_often(
    url: str,
    config: DownloadConfig,
    attempt: Callable[[], T],
    stop: threading.Event | None = None,
    done: Callable[[], int] = lambda: 0,
) -> T:
    """Repeat an attempt until it ends well, or fails too often without getting further."""
    stop = stop or threading.Event()
    failures, furthest = 0, done()
    while True:
        try:
            return attempt()
        except _TransientError as error:
            failures = 1 if done() > furthest else failures + 1
            furthest = max(furthest, done())
            if failures > config.n_retries:
                raise DownloadError(
                    f"{url}: gave up after {failures} attempts without progress, the last: {error}; "
                    "what was fetched is kept, run again to go on"
                ) from None
            wait = error.wait if error.wait is not None else config.backoff * 2 ** (failures - 1)
            wait = min(wait, LONGEST_WAIT)
            logger.warning("%s: %s; trying again in %.1f s", url, error, wait)
            if stop.wait(wait):
                raise DownloadError(f"{url}: stopped") from None


def _continue(
    session: requests.Session,
    item: _Item,
    file: FileIO,
    timeout: float,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Ask for what is missing of a file, and append it."""
    if file.tell() and _read_version(item) is None:
        # another version has the same size: CMD's maps were all made again in May 2024
        _restart(file, item, "it cannot be known which version the partial file is of", advance)
    if item.size is not None and file.tell() > item.size:
        _restart(file, item, "the partial file is too long", advance)
    response = _request(session, "GET", item.url, _range_headers(item, file.tell()), timeout)
    with response:
        if response.status_code == 416:
            _restart(file, item, "the server has nothing after what is here", advance)
            raise _TransientError("range not satisfiable", wait=0.0)
        _check_status(response, item.url, (200, 206))
        _begin(response, item, file, advance)
        _receive(response, item, file, advance, stop)
    if item.size is not None and file.tell() < item.size:
        raise _TransientError(f"the connection ended at {file.tell()} of {item.size} bytes")


def _range_headers(item: _Item, offset: int) -> dict[str, str]:
    version = _read_version(item)
    return {"Range": f"bytes={offset}-", "If-Range": version} if offset and version else {}


def _begin(
    response: requests.Response, item: _Item, file: FileIO, advance: Callable[[int], None]
) -> None:
    """Check what the answer is a part of, and go back to zero if it is the whole file."""
    version = _version_of(response)
    offset = file.tell()
    changed = version != _read_version(item)
    if response.status_code == 206:
        _check_range(response, item, offset)
        if changed:  # a server that does not know If-Range
            _restart(file, item, "the file on the server has changed", advance)
            raise _TransientError("another version", wait=0.0)
    elif offset:
        reason = "the file on the server has changed" if changed else "the server has no ranges"
        _restart(file, item, reason, advance)
    length = response.headers.get("Content-Length")
    if response.status_code == 200 and length and item.size not in (None, int(length)):
        raise DownloadError(_wrong_size(item, int(length)))
    with atomic_path(item.version) as written:
        written.write_text(json.dumps({"url": item.url, "version": version}))


def _check_range(response: requests.Response, item: _Item, offset: int) -> None:
    expected = f"bytes {offset}-"
    given = response.headers.get("Content-Range", "none")
    total = given.rpartition("/")[2]
    if not given.startswith(expected):
        raise DownloadError(f"{item.url}: expected Content-Range {expected}..., got {given}")
    if item.size is not None and total.isdigit() and int(total) != item.size:
        raise DownloadError(_wrong_size(item, int(total)))


def _receive(
    response: requests.Response,
    item: _Item,
    file: FileIO,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    try:
        # read1 gives what has come; a full read would throw it away when the connection is cut
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            if stop.is_set():
                raise DownloadError(f"{item.url}: stopped")
            if item.size is not None and file.tell() + len(chunk) > item.size:
                file.truncate(0)
                raise DownloadError(f"{item.url}: expected {item.size} bytes, the server sent more")
            _write(file, item, chunk)
            advance(len(chunk))
    except urllib3.exceptions.HTTPError as error:
        raise _TransientError(
            f"connection lost at {file.tell()} bytes ({type(error).__name__})"
        ) from None


def _write(file: FileIO, item: _Item, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        try:
            rest = rest[file.write(rest) :]
        except OSError as error:
            raise DownloadError(
                f"{item.partial}: cannot be written ({error.strerror}); what was fetched is kept, "
                "make room and run again to go on"
            ) from error


def _restart(file: FileIO, item: _Item, reason: str, advance: Callable[[int], None]) -> None:
    logger.warning("%s: %s; beginning again from zero", item.url, reason)
    advance(-file.tell())
    file.truncate(0)
    file.seek(0)


def _check_sha256(item: _Item) -> None:
    if item.sha256 is None:
        return
    found = sha256(item.partial)
    if found != item.sha256:
        item.partial.unlink()
        item.version.unlink(missing_ok=True)
        raise DownloadError(
            f"{item.url}: expected SHA-256 {item.sha256}, as SHA256SUMS of the server or a manifest in "
            f"{item.path.parent} has it, got {found}; what was fetched is removed. If the published file "
            "was replaced since it was ingested, move the manifest away"
        )


# ---- HTTP ----


def _request(
    session: requests.Session, method: str, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    """Send a request; raise `_TransientError` where a later one may fare better."""
    # a compressed answer would have neither the size nor the ranges of the file
    headers = {"Accept-Encoding": "identity"} | headers
    try:
        response = session.request(
            method, url, headers=headers, timeout=timeout, stream=True, allow_redirects=True
        )
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"{url}: no trusted connection ({error})") from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _TransientError(f"no answer ({type(error).__name__})") from None
    except requests.RequestException as error:
        raise DownloadError(f"{url}: cannot be asked for ({type(error).__name__})") from None
    if response.status_code in TRANSIENT or response.status_code >= 500:
        if response.status_code == 501 and method == "HEAD":  # `_ask` has another way
            return response
        response.close()
        raise _TransientError(f"the server answered {response.status_code}", _retry_after(response))
    return response


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as such or as a date."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _check_status(response: requests.Response, url: str, allowed: tuple[int, ...]) -> None:
    if response.status_code not in allowed:
        raise DownloadError(
            f"{url}: expected status {' or '.join(map(str, allowed))}, got {response.status_code} "
            f"({response.reason})"
        )
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"{url}: expected the file as it is, got it encoded as {encoding}")


def _version_of(response: requests.Response) -> str | None:
    """Give the server's name of a version, for If-Range: a strong ETag or the date."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag


def _read_version(item: _Item) -> str | None:
    """Give the version that the partial file is of; None if it is unknown or another address's."""
    if not item.version.is_file():
        return None
    kept = json.loads(item.version.read_text())
    version: str | None = kept["version"]
    return version if kept["url"] == item.url else None
