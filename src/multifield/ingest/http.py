"""Requests over HTTP(S), whose errors say whether another attempt may succeed."""

import time
from collections.abc import Iterator
from contextlib import suppress

import requests
import urllib3

CHUNK = 2**18  # [bytes] read and written at a time; a kill loses at most this much
MAX_UNKNOWN = 2**24  # [bytes] of a file of unknown size; parameter tables have 60 kB
WINDOW, LEAST_RATE = 60.0, 1000  # [s], [bytes/s] over it; slower downloads fail
TRANSIENT = (408, 429)  # and 5xx: statuses after which another attempt may succeed


class DownloadError(RuntimeError):
    """A file cannot be downloaded. The message names it, the reason and a remedy."""


class TransientError(Exception):
    """An attempt failed, and another may succeed.

    Parameters
    ----------
    reason : str
        Reason of the failure.
    wait : float, optional
        Wait in [s] that the server requests before the next attempt.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def send_request(
    session: requests.Session, method: str, url: str, headers: dict[str, str], timeout: float
) -> requests.Response:
    """Send a request.

    Parameters
    ----------
    session : requests.Session
        Session of the connection.
    method : str
        HTTP method.
    url : str
        Address.
    headers : dict of str to str
        Additional headers.
    timeout : float
        Longest time without a byte in [s].

    Returns
    -------
    response : requests.Response
        Response whose body is not read yet.

    Raises
    ------
    TransientError
        If the request fails and another attempt may succeed.
    DownloadError
        If the request fails otherwise, or is redirected to a connection without encryption.
    """
    # a compressed response has neither the size nor the ranges of the file
    headers = {"Accept-Encoding": "identity"} | headers
    try:
        response = session.request(
            method, url, headers=headers, timeout=timeout, stream=True, allow_redirects=True
        )
    # ValueError and HTTPError: requests passes them on, such as of a redirect to http://[
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        may_pass = isinstance(error, requests.ConnectionError | requests.Timeout)
        if may_pass and not isinstance(error, requests.exceptions.SSLError):
            raise TransientError(f"No response ({type(error).__name__})") from None
        raise DownloadError(f"{url}: The request failed ({error}).") from None
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise DownloadError(
            f"{url}: The server redirects to {response.url}, which is not encrypted. "
            "To allow this, set source.download.base_url to that address."
        )
    if response.status_code in TRANSIENT or response.status_code >= 500:
        response.close()
        wait, after = None, response.headers.get("Retry-After")
        with suppress(urllib3.exceptions.InvalidHeader):
            wait = float(urllib3.Retry().parse_retry_after(after)) if after else None
        raise TransientError(f"The server answered {response.status_code}", wait)
    return response


def check_status(response: requests.Response, url: str, allowed: tuple[int, ...]) -> None:
    """Check the status of a response and that its body is not compressed.

    Parameters
    ----------
    response : requests.Response
        Response of `send_request`.
    url : str
        Address, for messages.
    allowed : tuple of int
        Allowed statuses.

    Raises
    ------
    DownloadError
        If the status is not allowed, or the body is compressed.
    """
    if response.status_code not in allowed:
        raise DownloadError(
            f"{url}: Expected status {' or '.join(map(str, allowed))}, got {response.status_code} "
            f"({response.reason})."
        )
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"{url}: Expected an uncompressed file, got encoding {encoding}.")


def length_of(response: requests.Response) -> int | None:
    """Return the announced length of a response in [bytes], or None."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def read_text(response: requests.Response, url: str) -> str:
    """Read a short response.

    Parameters
    ----------
    response : requests.Response
        Response of `send_request`.
    url : str
        Address, for messages.

    Returns
    -------
    text : str
        Text of at most `MAX_UNKNOWN` bytes.

    Raises
    ------
    DownloadError
        If the response is longer, or the server is too slow.
    TransientError
        If the connection is lost.
    """
    content = bytearray()
    try:
        for chunk in read_chunks(response, url):
            content += chunk
            if len(content) > MAX_UNKNOWN:
                raise DownloadError(
                    f"{url}: Expected at most {MAX_UNKNOWN} bytes, the server sent more."
                )
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"Connection lost ({type(error).__name__})") from None
    return content.decode("utf-8", errors="replace")


def read_chunks(response: requests.Response, url: str) -> Iterator[bytes]:
    """Yield the bytes of a response as they are received.

    Parameters
    ----------
    response : requests.Response
        Response of `send_request`.
    url : str
        Address, for messages.

    Yields
    ------
    chunk : bytes
        At most `CHUNK` bytes.

    Raises
    ------
    DownloadError
        If the server sends less than `LEAST_RATE` over `WINDOW`, which no timeout detects.
    """
    begin, n_bytes = time.monotonic(), 0
    # read1 returns received bytes; read would discard them when the connection is lost
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk
        n_bytes += len(chunk)
        elapsed = time.monotonic() - begin
        if elapsed > WINDOW:
            if n_bytes < LEAST_RATE * elapsed:
                raise DownloadError(
                    f"{url}: Expected at least {LEAST_RATE} bytes/s over {WINDOW:g} s, got less. "
                    "The incomplete file is kept. Run the same command again later to resume."
                )
            begin, n_bytes = time.monotonic(), 0
