"""Download of one file: resumable, verified and atomic.

An incomplete file is `<name>.download`, and `<name>.download.json` contains the server's identifier
of its version. Both survive a kill, so that the next run resumes the download.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TypeVar

import requests
import urllib3
from filelock import FileLock, Timeout

from multifield.config.ingest import DownloadConfig
from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import sha256
from multifield.ingest import http
from multifield.ingest.http import DownloadError, TransientError

logger = logging.getLogger(__name__)

LONGEST_WAIT = 300.0  # [s] between two attempts, even if the server requests a longer wait
T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """File to download.

    Attributes
    ----------
    url : str
        Address of the file.
    path : Path
        Destination.
    size : int or None
        Required size in [bytes]. None if it is unknown.
    sha256 : str or None
        Required SHA-256. None if neither the server nor a manifest contains it.
    """

    url: str
    path: Path
    size: int | None
    sha256: str | None = None

    @property
    def partial(self) -> Path:
        """Path of the incomplete file."""
        return self.path.with_name(f"{self.path.name}.download")

    @property
    def version(self) -> Path:
        """Path of the record of the version of the incomplete file."""
        return self.path.with_name(f"{self.path.name}.download.json")


def fetch(
    item: Item, config: DownloadConfig, advance: Callable[[int], None], stop: threading.Event
) -> None:
    """Download a file, or resume its download, and move it to its destination.

    Parameters
    ----------
    item : Item
        File to download.
    config : DownloadConfig
        Settings of the download.
    advance : callable
        Function that is called with the number of received bytes, or a negative number if bytes are
        discarded.
    stop : threading.Event
        Event that ends the download with an error. The incomplete file is kept.

    Raises
    ------
    DownloadError
        If another process downloads the file, the server fails too often, or size or checksum are
        wrong.
    """
    with _only_process(item):
        if item.path.exists():  # another process has finished it
            return
        # unbuffered: received bytes are on disk if the process is killed
        with FileIO(item.partial, "ab") as file, requests.Session() as session:
            attempt = partial(_continue, session, item, file, config.timeout, advance, stop)
            if item.size is None or file.tell() != item.size:
                attempt_often(item.url, config, attempt, stop, done=file.tell)
            _check_sha256(item)
            os.fsync(file.fileno())
        item.partial.replace(item.path)
        item.version.unlink(missing_ok=True)


@contextmanager
def _only_process(item: Item) -> Iterator[None]:
    """Lock the incomplete file, and remove the lock when the file is complete."""
    path = item.partial.with_name(f"{item.partial.name}.lock")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DownloadError(
            f"{item.partial}: Another process is downloading this file. Wait until it has finished."
        ) from None
    try:
        yield
    finally:
        if not item.partial.exists():
            with suppress(OSError):  # Windows removes it when it is released
                path.unlink()
        lock.release()


def attempt_often(
    url: str,
    config: DownloadConfig,
    attempt: Callable[[], T],
    stop: threading.Event | None = None,
    done: Callable[[], int] = lambda: 0,
) -> T:
    """Repeat an attempt until it succeeds, or fails too often without progress.

    Parameters
    ----------
    url : str
        Address, for messages.
    config : DownloadConfig
        Settings of the download.
    attempt : callable
        Function that returns the result, or raises TransientError.
    stop : threading.Event, optional
        Event that ends the wait between two attempts.
    done : callable, optional
        Function that returns the progress in [bytes]. Progress resets the count of failures.

    Returns
    -------
    result : object
        Result of `attempt`.

    Raises
    ------
    DownloadError
        If more than `config.n_retries` attempts in a row make no progress, or `stop` is set.
    """
    stop = stop or threading.Event()
    failures, furthest = 0, done()
    while True:
        try:
            return attempt()
        except TransientError as error:
            failures = 1 if done() > furthest else failures + 1
            furthest = max(furthest, done())
            if failures > config.n_retries:
                raise DownloadError(
                    f"{url}: Gave up after {failures} attempts without progress, the last: {error}. "
                    "The incomplete file is kept. Run the same command again to resume."
                ) from None
            wait = error.wait if error.wait is not None else config.backoff * 2 ** (failures - 1)
            wait = min(wait, LONGEST_WAIT)
            logger.warning(
                "%s: %s. Retrying in %.1f s (%d of %d).",
                url, error, wait, failures, config.n_retries,
            )  # fmt: skip
            if stop.wait(wait):
                raise DownloadError(f"{url}: Stopped.") from None


def _continue(
    session: requests.Session,
    item: Item,
    file: FileIO,
    timeout: float,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Request the missing bytes of a file and append them. Restart if the version has changed."""
    version, size = _read_version(item), item.size
    if file.tell() and (version is None or (size is not None and file.tell() > size)):
        # other versions may have the same size: all of CMD's maps were recomputed in May 2024
        _restart(file, item, "The incomplete file is too long or of an unknown version", advance)
    begin = file.tell()
    headers = {"Range": f"bytes={begin}-", "If-Range": version} if begin and version else {}
    with http.send_request(session, "GET", item.url, headers, timeout) as response:
        http.check_status(response, item.url, (200, 206, 416) if begin else (200,))
        found, content_range = _version_of(response), response.headers.get("Content-Range", "")
        is_rest = response.status_code == 206 and content_range.startswith(f"bytes {begin}-")
        if begin and (found != version or not is_rest):
            _restart(file, item, "The server has another version or does not send parts", advance)
            if response.status_code != 200:
                raise TransientError("The server did not send the complete file", wait=0.0)
        length = http.length_of(response)
        if size is not None and length is not None and file.tell() + length != size:
            raise DownloadError(wrong_size(item, file.tell() + length))
        with atomic_path(item.version) as written:
            written.write_text(json.dumps({"url": item.url, "version": found}))
        _receive(response, item, file, advance, stop)
    if size is not None and file.tell() < size:
        raise TransientError(f"The connection ended at {file.tell()} of {size} bytes")


def _receive(
    response: requests.Response,
    item: Item,
    file: FileIO,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    most = http.MAX_UNKNOWN if item.size is None else item.size
    try:
        for chunk in http.read_chunks(response, item.url):
            if stop.is_set():
                raise DownloadError(f"{item.url}: Stopped.")
            if file.tell() + len(chunk) > most:
                file.truncate(0)
                limit = "at most " if item.size is None else ""
                raise DownloadError(
                    f"{item.url}: Expected {limit}{most} bytes, the server sent more."
                )
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
            advance(len(chunk))
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(
            f"Connection lost at {file.tell()} bytes ({type(error).__name__})"
        ) from None
    except OSError as error:
        raise DownloadError(
            f"{item.partial}: The file cannot be written ({error.strerror}). The incomplete file is "
            "kept. Free disk space, then run the same command again to resume."
        ) from error


def _restart(file: FileIO, item: Item, reason: str, advance: Callable[[int], None]) -> None:
    logger.warning("%s: %s. Restarting from zero.", item.url, reason)
    advance(-file.tell())
    file.truncate(0)
    file.seek(0)


def _check_sha256(item: Item) -> None:
    if item.sha256 is None:
        return
    found = sha256(item.partial)
    if found != item.sha256:
        item.partial.unlink()
        item.version.unlink(missing_ok=True)
        raise DownloadError(
            f"{item.url}: Expected SHA-256 {item.sha256} (from SHA256SUMS on the server or a "
            f"manifest in {item.path.parent}), got {found}. The file is removed. If the published "
            "file has been replaced since it was ingested, move the manifest away."
        )


def _version_of(response: requests.Response) -> str | None:
    """Return the server's identifier of a version for If-Range: a strong ETag or the date."""
    tag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if tag.startswith("W/") else tag


def _read_version(item: Item) -> str | None:
    """Return the version of the incomplete file, or None if it is unknown or of another address."""
    if not item.version.is_file():
        return None
    try:
        kept = json.loads(item.version.read_text())
        version: str | None = kept["version"]
        return version if kept["url"] == item.url else None
    except (ValueError, LookupError, TypeError):  # damaged, for example by a full disk
        return None


def wrong_size(item: Item, size: int) -> str:
    """Return the message for a file whose size on the server is wrong."""
    return (
        f"{item.url}: Expected {item.size} bytes, the server offers {size}. Check "
        "source.download.base_url."
    )
