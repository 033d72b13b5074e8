"""One file over HTTP(S): resumed, checked, and put in place whole or not at all.

While a file is fetched it is `<name>.download`; what the server calls this version of it is kept in
`<name>.download.json`. Both survive a kill, and the next run goes on where the last one stopped.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass as plain_dataclass
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

logger = logging.getLogger(__name__)

CHUNK = 2**18  # [bytes] read and written at a time; what a kill loses at most
LONGEST_WAIT = 300.0  # [s] between two attempts, whatever the server asks for
MAX_UNKNOWN = 2**24  # [bytes] of a file whose size nobody knows: tables of parameters have 60 kB
WINDOW, LEAST_RATE = 60.0, 1000  # [s], [bytes/s] over it; a server that sends less is given up
T = TypeVar("T")
TRANSIENT = (408, 429)  # and 5xx: statuses that a later attempt may not meet


class DownloadError(RuntimeError):
    """A file cannot be fetched; the message says which, why, and what to do."""


class TransientError(Exception):
    """An attempt failed, and another may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait  # [s], where the server asked for it


@plain_dataclass(frozen=True)
class Item:
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
        """Where it is until it is whole."""
        return self.path.with_name(f"{self.path.name}.download")

    @property
    def version(self) -> Path:
        """Where the version is kept that the partial file is of."""
        return self.path.with_name(f"{self.path.name}.download.json")


def fetch(
    item: Item, config: DownloadConfig, advance: Callable[[int], None], stop: threading.Event
) -> None:
    """Fetch a file, from where an earlier process left it, and put it in place.

    Parameters
    ----------
    item : Item
    config : DownloadConfig
    advance : callable
        Called with the number of bytes that came, negative if they are dropped.
    stop : threading.Event
        Once set, the transfer ends with an error; what was fetched is kept.

    Raises
    ------
    DownloadError
        If another process fetches it, the server fails too often, or size or checksum are wrong.
    """
    with _only_process(item):
        if item.path.exists():  # another process has brought it since
            return
        # unbuffered: what was received is on disk, whenever the process is killed
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
    """Hold a lock beside the partial file, and remove both together."""
    path = item.partial.with_name(f"{item.partial.name}.lock")
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DownloadError(
            f"{item.partial}: another process is downloading this file; wait for it"
        ) from None
    try:
        yield
    finally:
        if not item.partial.exists():
            with suppress(OSError):  # Windows removes it at the release
                path.unlink()
        lock.release()


def attempt_often(
    url: str,
    config: DownloadConfig,
    attempt: Callable[[], T],
    stop: threading.Event | None = None,
    done: Callable[[], int] = lambda: 0,
) -> T:
    """Repeat an attempt until it ends well, or fails too often without getting further.

    Parameters
    ----------
    url : str
        Named in messages.
    config : DownloadConfig
    attempt : callable
        Gives the result, or raises TransientError.
    stop : threading.Event, optional
        Ends the wait between two attempts.
    done : callable, optional
        How far the attempts have got [bytes]; one that got further begins the count of failures anew.

    Raises
    ------
    DownloadError
        If more than `config.n_retries` attempts in a row brought nothing, or when stopped.
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
    item: Item,
    file: FileIO,
    timeout: float,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Ask for what is missing of a file, and append it; for all where the rest is of another version."""
    version, size = _read_version(item), item.size
    if file.tell() and (version is None or (size is not None and file.tell() > size)):
        # another version has the same size: CMD's maps were all made again in May 2024
        _restart(file, item, "the partial file is of an unknown version, or too long", advance)
    begin = file.tell()
    headers = {"Range": f"bytes={begin}-", "If-Range": version} if begin and version else {}
    with send_request(session, "GET", item.url, headers, timeout) as response:
        check_status(response, item.url, (200, 206, 416) if begin else (200,))
        found, content_range = _version_of(response), response.headers.get("Content-Range", "")
        is_rest = response.status_code == 206 and content_range.startswith(f"bytes {begin}-")
        if begin and (found != version or not is_rest):
            _restart(file, item, "the server has another version, or sends no parts of it", advance)
            if response.status_code != 200:
                raise TransientError("the server did not send the whole file", wait=0.0)
        length = length_of(response)
        if size is not None and length is not None and file.tell() + length != size:
            raise DownloadError(wrong_size(item, file.tell() + length))
        with atomic_path(item.version) as written:
            written.write_text(json.dumps({"url": item.url, "version": found}))
        _receive(response, item, file, advance, stop)
    if size is not None and file.tell() < size:
        raise TransientError(f"the connection ended at {file.tell()} of {size} bytes")


def _receive(
    response: requests.Response,
    item: Item,
    file: FileIO,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    most = MAX_UNKNOWN if item.size is None else item.size
    try:
        for chunk in _chunks(response, item.url):
            if stop.is_set():
                raise DownloadError(f"{item.url}: stopped")
            if file.tell() + len(chunk) > most:
                file.truncate(0)
                limit = "at most " if item.size is None else ""
                raise DownloadError(
                    f"{item.url}: expected {limit}{most} bytes, the server sent more"
                )
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]
            advance(len(chunk))
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(
            f"connection lost at {file.tell()} bytes ({type(error).__name__})"
        ) from None
    except OSError as error:
        raise DownloadError(
            f"{item.partial}: cannot be written ({error.strerror}); what was fetched is kept, "
            "make room and run again to go on"
        ) from error


def _chunks(response: requests.Response, url: str) -> Iterator[bytes]:
    """Give what comes; DownloadError if that is next to nothing, which no timeout notices."""
    begin, n_bytes = time.monotonic(), 0
    # read1 gives what has come; a full read would throw it away when the connection is cut
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk
        n_bytes += len(chunk)
        elapsed = time.monotonic() - begin
        if elapsed > WINDOW:
            if n_bytes < LEAST_RATE * elapsed:
                raise DownloadError(
                    f"{url}: The server sent less than {LEAST_RATE} bytes/s for {WINDOW:g} s. What was "
                    "fetched is kept. Run again later to go on."
                )
            begin, n_bytes = time.monotonic(), 0


def read_text(response: requests.Response, url: str) -> str:
    """Read a short answer.

    Parameters
    ----------
    response : requests.Response
        Answer of `send_request`.
    url : str
        Named in messages.

    Returns
    -------
    text : str
        At most `MAX_UNKNOWN` bytes of it.

    Raises
    ------
    DownloadError
        If the answer is longer, or comes too slowly.
    TransientError
        If the connection is lost.
    """
    content = bytearray()
    try:
        for chunk in _chunks(response, url):
            content += chunk
            if len(content) > MAX_UNKNOWN:
                raise DownloadError(
                    f"{url}: expected at most {MAX_UNKNOWN} bytes, the server sent more"
                )
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"connection lost ({type(error).__name__})") from None
    return content.decode("utf-8", errors="replace")


def _restart(file: FileIO, item: Item, reason: str, advance: Callable[[int], None]) -> None:
    logger.warning("%s: %s; beginning again from zero", item.url, reason)
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
            f"{item.url}: expected SHA-256 {item.sha256}, as SHA256SUMS of the server or a manifest in "
            f"{item.path.parent} has it, got {found}; what was fetched is removed. If the published file "
            "was replaced since it was ingested, move the manifest away"
        )


# ---- HTTP ----


def send_request(
    session: requests.Session, method: str, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    """Send a request; raise `TransientError` where a later one may fare better."""
    # a compressed answer would have neither the size nor the ranges of the file
    headers = {"Accept-Encoding": "identity"} | headers
    try:
        response = session.request(
            method, url, headers=headers, timeout=timeout, stream=True, allow_redirects=True
        )
    except requests.RequestException as error:
        may_pass = isinstance(error, requests.ConnectionError | requests.Timeout)
        if may_pass and not isinstance(error, requests.exceptions.SSLError):
            raise TransientError(f"no answer ({type(error).__name__})") from None
        raise DownloadError(f"{url}: cannot be asked for ({error})") from None
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise DownloadError(
            f"{url}: The server redirects to {response.url}, which is not encrypted. If that is right, "
            "give it as source.download.base_url."
        )
    if response.status_code in TRANSIENT or response.status_code >= 500:
        response.close()
        wait, after = None, response.headers.get("Retry-After")
        with suppress(urllib3.exceptions.InvalidHeader):
            wait = float(urllib3.Retry().parse_retry_after(after)) if after else None
        raise TransientError(f"the server answered {response.status_code}", wait)
    return response


def length_of(response: requests.Response) -> int | None:
    """Give the length that an answer announces [bytes]; None if it gives none, or no number."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def check_status(response: requests.Response, url: str, allowed: tuple[int, ...]) -> None:
    """Require one of the statuses, and a body that is the file's own bytes."""
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


def _read_version(item: Item) -> str | None:
    """Give the version that the partial file is of; None if it is unknown or another address's."""
    if not item.version.is_file():
        return None
    try:
        kept = json.loads(item.version.read_text())
        version: str | None = kept["version"]
        return version if kept["url"] == item.url else None
    except (ValueError, LookupError, TypeError):  # damaged, such as by a full disk
        return None


def wrong_size(item: Item, size: int) -> str:
    """Say that the server's file is not the published one."""
    return (
        f"{item.url}: expected {item.size} bytes, the server offers {size}; it has not the "
        "published file, or source.download.base_url is wrong"
    )
