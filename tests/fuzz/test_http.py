"""Servers that answer anything: a download ends with the file, or with an error that names it.

20 seconds by default; ``MULTIFIELD_FUZZ_SECONDS=600 pytest tests/fuzz`` is the long run.
"""

import random
import shutil
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from multifield.camels.selection import Selection
from multifield.config.ingest import DownloadConfig
from multifield.ingest import http, published_files
from multifield.ingest.published_files import DownloadError, download_missing
from tests.fuzz.test_readers import MAX_LENGTH, MAX_LINES, SECONDS, SEED, mutate

SUITE = "Nbody_IllustrisTNG"
SELECTION = Selection(suite=SUITE, sim_set="EX", field="Mtot")
SIMULATION, MAX_SIZE = 1000, 2**16  # [bytes] of a simulation, and of a file of unknown size
MAX_SECONDS = 20.0
FILES = {
    "params": b"0.3 0.8 1 1 1 1\n" * 4,
    "Maps": random.Random(1).randbytes(128 + 4 * SIMULATION),
    "SHA256SUMS": b"%b  params_EX.txt\n" % (b"ab" * 32),
}
LOCATIONS = (
    *("/again", "", "//", "http://[", "file:///etc/passwd", "http://127.0.0.1:1/", "%00", "?"),
    *("https://127.0.0.1:1/", "gopher://127.0.0.1/", "http://127.0.0.1:999999/"),
)


class Handler(socketserver.StreamRequestHandler):
    """Answers half of the requests well, and the others in some wrong way."""

    chance: random.Random
    timeout = MAX_SECONDS

    def handle(self) -> None:
        """Answer one request."""
        with suppress(OSError):  # the client has had enough
            request = self.rfile.readline(2**16).decode("latin-1")
            headers = list(iter(lambda: self.rfile.readline(2**16).strip(), b""))
            self.wfile.write(self.answer(request, headers))

    def answer(self, request: str, headers: list[bytes]) -> bytes:
        """Return the bytes of an answer."""
        chance = self.chance
        body = next((each for name, each in FILES.items() if name in request), b"")
        begin = next((int(h[13:-1]) for h in headers if h.startswith(b"Range: bytes=")), 0)
        rest, size = body[begin:], len(body)
        status = b"206 Partial Content" if begin else b"200 OK"
        fields = {b"Content-Length": b"%d" % len(rest), b"ETag": b'"one"', b"Connection": b"close"}
        if begin:
            fields[b"Content-Range"] = b"bytes %d-%d/%d" % (begin, size - 1, size)
        kind = chance.choice(["good"] * 6 + ["bytes", "body", "status", "move", "chunks", "field"])
        if kind == "body":
            rest = mutate(rest, chance)
        elif kind == "status":
            status = b"%d X" % chance.choice([0, 99, 100, 204, 206, 301, 304, 403, 404, 416, 500])
        elif kind == "move":
            status, fields[b"Location"] = b"302 Found", chance.choice(LOCATIONS).encode()
        elif kind == "chunks":
            del fields[b"Content-Length"]
            fields[b"Transfer-Encoding"] = b"chunked"
            rest = mutate(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest), rest), chance)
        elif kind == "field":
            name = chance.choice([*fields, b"Content-Encoding", b"Retry-After", b"Last-Modified"])
            fields[name] = mutate(fields.get(name, b"gzip"), chance).replace(b"\n", b"")
        head = b"".join(b"%b: %b\r\n" % field for field in fields.items())
        sent = b"HTTP/1.1 %b\r\n%b\r\n" % (status, head)
        sent += b"" if request.startswith("HEAD") else rest
        return mutate(sent, chance) if kind == "bytes" else sent


class Server(socketserver.ThreadingTCPServer):
    """Server on loopback."""

    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(published_files, "maps_size", lambda n, sim_set: 128 + n * SIMULATION)
    monkeypatch.setattr(http, "MAX_UNKNOWN", MAX_SIZE)
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore")  # of urllib3, about headers that are none
def test_a_download_ends_with_the_file_or_an_error_that_names_it(
    address: str, tmp_path: Path
) -> None:
    config = DownloadConfig(
        enabled=True, base_url=address, n_parallel=1, n_retries=1, timeout=0.2, backoff=1e-3
    )
    end, n_tried, n_brought = time.monotonic() + 0.2 * SECONDS, 0, 0
    while time.monotonic() < end:
        Handler.chance = random.Random(f"{SEED} http {n_tried}")
        case, began = f"case {n_tried}", time.monotonic()
        folder = tmp_path / str(n_tried)
        fault = find_fault(folder, config, address)
        assert fault is None, f"{case}: {fault}"
        assert time.monotonic() - began < MAX_SECONDS, f"{case} took too long"
        n_tried, n_brought = n_tried + 1, n_brought + bool(list(folder.glob("*/Maps*.npy")))
        shutil.rmtree(folder, ignore_errors=True)
    assert n_tried > 5
    assert n_brought > 0


def find_fault(folder: Path, config: DownloadConfig, address: str) -> str | None:
    """Download twice; say what is wrong with the error or with the files, if anything is."""
    for _ in range(2):  # the second attempt resumes
        try:
            download_missing(SELECTION, folder, config)
        except (DownloadError, ValueError) as error:
            message = str(error)
            if address not in message and str(folder) not in message:
                return f"no name of the file: {error!r}"
            if len(message.splitlines()) > MAX_LINES or len(message) > MAX_LENGTH:
                return f"too long: {error!r}"
        for path in folder.glob("*/*"):
            if path.suffix == ".npy" and path.stat().st_size != len(FILES["Maps"]):
                return f"{path}: {path.stat().st_size} bytes"
            if path.stat().st_size > MAX_SIZE:
                return f"{path}: larger than allowed"
    return None
