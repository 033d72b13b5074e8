"""Downloads from a real HTTP server on loopback, which misbehaves as told."""

import errno
import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from pydantic import ValidationError

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.ingest import DownloadConfig, MockConfig, SourceConfig
from multifield.core import progress
from multifield.ingest import download, http, published_files
from multifield.ingest.published_files import DownloadError, download_missing
from multifield.ingest.sources import open_source
from tests.helpers.projects import make_project, run_kedro
from tests.helpers.tolerances import TIME_LIMIT

SUITE = "Nbody_IllustrisTNG"
MAPS = f"Maps_Mtot_{SUITE}_EX_z=0.00.npy"
THETA = f"params_EX_{SUITE}.txt"
SELECTION = Selection(suite=SUITE, sim_set="EX", field="Mtot")
ROW = 1000  # [bytes] a simulation in these tests, so that files are small


@dataclass
class Site:
    """What the server has and how it fails; `log` is what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    tag: str | None = '"one"'
    ranges: bool = True
    blind: bool = False  # takes no notice of If-Range
    changed: bytes | None = None  # what the maps become after their first GET
    cut: list[int] = field(default_factory=list)  # bytes after which each next GET is cut
    failures: list[tuple[int, str | None]] = field(default_factory=list)  # status, Retry-After
    length: int | str | None = None  # a lie about the size
    endless: bool = False  # sends the body again and again
    drip: float = 0.0  # [s] between two bytes
    chunked: bool = False  # says no size
    redirect: bool = False
    forbids: bool = False  # a list of checksums
    sending: Callable[[int], object] = lambda sent: None  # called before each next 64 KiB
    only: str = ".npy"  # the failures concern files with this in the name
    log: list[tuple[str, str, str | None]] = field(default_factory=list)
    base: str = ""

    def gets(self, name: str) -> list[str | None]:
        """Range headers of the GET requests for a file."""
        return [r for method, path, r in self.log if method == "GET" and path.endswith(name)]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        site, path = self.site, self.path.replace("%3D", "=")
        site.log.append((self.command, path, self.headers.get("Range")))
        if site.redirect and not path.startswith("/moved"):
            return self.status(302, {"Location": "/moved" + path})
        path = path.removeprefix("/moved")
        if path not in site.files:
            return self.status(403 if path.endswith("SHA256SUMS") and site.forbids else 404)
        chosen = site.only in path
        if chosen and body and site.failures:
            status, after = site.failures.pop(0)
            return self.status(status, {"Retry-After": after} if after else {})
        return self.send(site.files[path], body, chosen)

    def status(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ((headers or {}) | {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data: bytes, body: bool, chosen: bool) -> None:
        site, first = self.site, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", site.tag)
        if wanted and site.ranges and (site.blind or condition == site.tag):
            first = int(wanted[1])
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        size = len(data) - first if site.length is None or not chosen else site.length
        if not (site.chunked and chosen):
            self.send_header("Content-Length", str(size))
        if site.tag:
            self.send_header("ETag", site.tag)
        self.end_headers()
        self.close_connection = True
        if body:
            self.send_body(data[first:], chosen)

    def send_body(self, data: bytes, chosen: bool) -> None:
        site = self.site
        if chosen and site.cut:
            data = data[: site.cut.pop(0)]
        if chosen and site.changed:
            path = f"/{SUITE}/{MAPS}"
            site.files[path], site.tag, site.changed = site.changed, '"two"', None
        try:
            while chosen and site.endless:
                self.wfile.write(data * 100)
            for i in range(len(data) if chosen and site.drip else 0):
                self.wfile.write(data[i : i + 1])
                time.sleep(site.drip)
            for start in range(0, len(data), 65536):
                if chosen:
                    site.sending(start)
                self.wfile.write(data[start : start + 65536])
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client was killed or has lost patience, as a test means it to


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with the files of EX, each simulation ROW bytes."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(published_files, "maps_size", lambda n, sim_set: 128 + n * ROW)
    site = Site()
    data = np.random.default_rng(1).bytes(128 + 4 * ROW)
    theta = b"0.3 0.8 1 1 1 1\n" * 4
    site.files = {f"/{SUITE}/{MAPS}": data, f"/{SUITE}/{THETA}": theta}
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,)).start()
    site.base = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()
    server.server_close()


def config(base: str, **changes: Any) -> DownloadConfig:
    values = {
        "enabled": True,
        "base_url": base,
        "n_parallel": 2,
        "n_retries": 2,
        "timeout": TIME_LIMIT,
        "backoff": 0.01,
    }
    return DownloadConfig(**(values | changes))


def bring(site: Site, folder: Path, **changes: Any) -> bytes:
    download_missing(SELECTION, folder, config(site.base, **changes))
    return (folder / SUITE / MAPS).read_bytes()


def published(site: Site) -> bytes:
    return site.files[f"/{SUITE}/{MAPS}"]


def leave_partial(site: Site, folder: Path, data: bytes, version: str | None) -> Path:
    """What a killed run leaves."""
    (folder / SUITE).mkdir(parents=True, exist_ok=True)
    partial = folder / SUITE / f"{MAPS}.download"
    partial.write_bytes(data)
    kept = {"url": f"{site.base}/{SUITE}/{MAPS}", "version": version}
    partial.with_name(f"{partial.name}.json").write_text(json.dumps(kept))
    return partial


def test_sizes_are_the_published_ones():
    sets = camels.find_suite("IllustrisTNG").sets
    sizes = [
        published_files.maps_size(n, sets[s]) for n, s in ((1000, "LH"), (27, "CV"), (4, "EX"))
    ]
    assert sizes == [3_932_160_128, 106_168_448, 15_728_768]
    assert published_files.maps_size(1, sets["SB35"]) == 128 + 30 * 512**2 * 4


def test_brings_what_is_missing_and_leaves_nothing_else(site, tmp_path):
    assert bring(site, tmp_path) == published(site)
    assert {path.name for path in (tmp_path / SUITE).iterdir()} == {MAPS, THETA}


def test_the_parameter_table_comes_first(site, tmp_path):
    bring(site, tmp_path)
    gets = [path for method, path, _ in site.log if method == "GET" and "SHA256SUMS" not in path]
    assert gets == [f"/{SUITE}/{THETA}", f"/{SUITE}/{MAPS}"]


def test_what_is_there_is_not_fetched_again(site, tmp_path):
    bring(site, tmp_path)
    site.log.clear()
    bring(site, tmp_path)
    assert site.log == []


def test_a_file_of_another_size_is_not_overwritten(site, tmp_path):
    bring(site, tmp_path)
    (tmp_path / SUITE / MAPS).write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"Expected 4128 bytes .* got 4. Move it away"):
        bring(site, tmp_path)
    assert (tmp_path / SUITE / MAPS).read_bytes() == b"mine"


def test_an_older_server_has_no_suite_folder_and_older_names(site, tmp_path):
    data = site.files.pop(f"/{SUITE}/{MAPS}")
    old = f"Images_Mtot_{SUITE}_EX_z=0.0.npy"
    site.files[f"/{old}"] = data
    download_missing(SELECTION, tmp_path, config(site.base))
    assert (tmp_path / SUITE / old).read_bytes() == data


def test_a_set_without_a_fixed_number_takes_it_from_its_table(site, tmp_path):
    maps, theta = MAPS.replace("EX", "1P"), THETA.replace("EX", "1P")
    site.files = {
        f"/{SUITE}/{maps}": b"x" * (128 + 3 * ROW),
        f"/{SUITE}/{theta}": b"0.3 0.8 1 1 1 1\n" * 3,
    }
    selection = Selection(suite=SUITE, sim_set="1P", field="Mtot")
    download_missing(selection, tmp_path, config(site.base))
    assert (tmp_path / SUITE / maps).stat().st_size == 128 + 3 * ROW


def test_a_page_instead_of_a_table_does_not_stay(site, tmp_path):
    site.files[f"/{SUITE}/{THETA}"] = b"<html>please log in</html>"
    with pytest.raises(DownloadError, match="Expected a parameter table"):
        bring(site, tmp_path)
    assert not (tmp_path / SUITE / THETA).exists()


def test_a_table_of_another_length_is_refused(site, tmp_path):
    site.files[f"/{SUITE}/{THETA}"] *= 2
    with pytest.raises(ValueError, match="Expected 4 rows, the simulations of EX, got 8"):
        bring(site, tmp_path)


def test_a_404_lists_the_addresses(site, tmp_path):
    site.files.pop(f"/{SUITE}/{MAPS}")
    with pytest.raises(DownloadError, match="404") as caught:
        bring(site, tmp_path)
    assert str(caught.value).count(site.base) == 8
    assert f"{site.base}/{SUITE}/{MAPS}" in str(caught.value)


def test_a_cut_connection_is_resumed_where_it_ended(site, tmp_path):
    site.cut = [1000, 1500]
    assert bring(site, tmp_path) == published(site)
    assert site.gets(MAPS) == [None, "bytes=1000-", "bytes=2500-"]


def test_a_body_without_length_that_ends_early_is_resumed(site, tmp_path):
    site.chunked, site.cut = True, [1000]
    assert bring(site, tmp_path) == published(site)


def test_the_table_is_tried_again_too(site, tmp_path):
    site.only = THETA
    site.failures = [(503, None)]
    assert bring(site, tmp_path) == published(site)
    assert len(site.gets(THETA)) == 2


@pytest.mark.parametrize("status", [500, 503, 408, 429])
def test_a_passing_failure_is_tried_again(site, tmp_path, status):
    site.failures = [(status, None)]
    assert bring(site, tmp_path) == published(site)


def test_retry_after_wins_over_the_backoff(site, tmp_path, caplog):
    site.failures = [(429, "0")]
    bring(site, tmp_path, backoff=1000.0)
    assert "429. Retrying in 0.0 s (1 of " in caplog.text


def test_it_gives_up_after_attempts_without_progress(site, tmp_path):
    site.failures = [(500, None)] * 3
    with pytest.raises(DownloadError, match=r"Gave up after 3 attempts .* answered 500"):
        bring(site, tmp_path)


def test_progress_renews_the_attempts(site, tmp_path):
    site.cut = [500] * 6
    assert bring(site, tmp_path, n_retries=1) == published(site)


def test_a_timeout_is_tried_again(site, tmp_path, caplog, monkeypatch):
    """The maps come when the client has lost patience; what else came too late is tried again, too."""
    lost, deadline = "Connection lost at 0 bytes (ReadTimeoutError)", time.monotonic() + TIME_LIMIT

    def wait_for_the_client(sent: int) -> None:
        while lost not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.01)

    site.sending = wait_for_the_client
    monkeypatch.setattr(download, "LONGEST_WAIT", 0.1)
    assert bring(site, tmp_path, timeout=0.2, n_retries=1000) == published(site)
    assert lost in caplog.text


def test_a_forbidden_file_is_not_tried_again(site, tmp_path):
    site.failures = [(403, None)]
    with pytest.raises(DownloadError, match=r"Expected status 200, got 403"):
        bring(site, tmp_path)


def test_a_redirect_is_followed(site, tmp_path):
    site.redirect = True
    assert bring(site, tmp_path) == published(site)


def test_a_wrong_size_is_refused_before_a_byte(site, tmp_path):
    site.files[f"/{SUITE}/{MAPS}"] += b"more"
    with pytest.raises(DownloadError, match="Expected 4128 bytes, the server offers 4132"):
        bring(site, tmp_path)
    assert site.gets(MAPS) == []


def test_more_bytes_than_the_size_are_refused(site, tmp_path):
    site.chunked = True
    site.files[f"/{SUITE}/{MAPS}"] += b"more"
    with pytest.raises(DownloadError, match="Expected 4128 bytes, the server sent more"):
        bring(site, tmp_path)
    assert not (tmp_path / SUITE / MAPS).exists()


def test_a_length_that_the_body_does_not_have_is_no_success(site, tmp_path):
    site.files[f"/{SUITE}/{MAPS}"] = b"short"
    site.length = 4128
    with pytest.raises(DownloadError, match="Expected 4128 bytes, the server offers"):
        bring(site, tmp_path)
    assert not (tmp_path / SUITE / MAPS).exists()


def test_a_partial_file_is_resumed(site, tmp_path):
    leave_partial(site, tmp_path, published(site)[:777], site.tag)
    assert bring(site, tmp_path) == published(site)
    assert site.gets(MAPS) == ["bytes=777-"]


def test_a_changed_file_is_begun_again(site, tmp_path, caplog):
    leave_partial(site, tmp_path, b"o" * 777, '"older"')
    assert bring(site, tmp_path) == published(site)
    assert "Restarting from zero" in caplog.text


@pytest.mark.parametrize("blind", [False, True])
def test_a_file_that_changes_between_attempts_is_begun_again(site, tmp_path, caplog, blind):
    site.cut, site.blind, site.changed = [1000], blind, b"n" * (128 + 4 * ROW)
    assert bring(site, tmp_path) == b"n" * (128 + 4 * ROW)
    assert "Restarting from zero" in caplog.text


def test_a_partial_file_of_an_unknown_version_is_begun_again(site, tmp_path, caplog):
    leave_partial(site, tmp_path, b"o" * 777, None)
    assert bring(site, tmp_path) == published(site)
    assert "Restarting from zero" in caplog.text


def test_a_partial_file_of_another_server_is_begun_again(site, tmp_path):
    partial = leave_partial(site, tmp_path, b"o" * 777, site.tag)
    kept = {"url": "http://elsewhere/", "version": site.tag}
    partial.with_name(f"{partial.name}.json").write_text(json.dumps(kept))
    assert bring(site, tmp_path) == published(site)


def test_a_server_without_ranges_is_begun_again(site, tmp_path, caplog):
    site.ranges = False
    leave_partial(site, tmp_path, published(site)[:777], site.tag)
    assert bring(site, tmp_path) == published(site)
    assert "Restarting from zero" in caplog.text


def test_a_partial_file_that_is_too_long_is_begun_again(site, tmp_path, caplog):
    leave_partial(site, tmp_path, b"o" * 9999, site.tag)
    assert bring(site, tmp_path) == published(site)
    assert "Restarting from zero" in caplog.text


def test_two_processes_do_not_write_one_file(site, tmp_path):
    partial = leave_partial(site, tmp_path, b"", None)
    with (
        FileLock(partial.with_name(f"{partial.name}.lock")),
        pytest.raises(DownloadError, match="Another process is downloading this file"),
    ):
        bring(site, tmp_path)


def test_files_come_side_by_side(site, tmp_path):
    names = [MAPS.replace(SUITE, "SIMBA").replace("Mtot", name) for name in ("T", "HI")]
    for name in names:
        site.files[f"/SIMBA/{name}"] = published(site)
    site.files["/SIMBA/params_EX_SIMBA.txt"] = site.files[f"/{SUITE}/{THETA}"]
    both = threading.Barrier(2)
    site.sending = lambda sent: both.wait(TIME_LIMIT)  # for the other
    selection = Selection(suite="SIMBA", sim_set="EX", field="T_HI")
    download_missing(selection, tmp_path, config(site.base))
    assert not both.broken
    assert all(len(site.gets(f"/SIMBA/{name}")) == 1 for name in names)


def write_manifest(folder: Path, checksum: str) -> None:
    record = {
        "name": MAPS, "size": 1, "modified": 1, "sha256": checksum, "shape": [1],
        "minimum": 0, "maximum": 1, "zeros": 0,
    }  # fmt: skip
    manifest = {"suite": SUITE, "sim_set": "EX", "files": {"Mtot": record}, "theta_sha256": "0"}
    (folder / SUITE).mkdir()
    (folder / SUITE / f"manifest_Mtot_{SUITE}_EX.json").write_text(json.dumps(manifest))


def test_a_checksum_that_a_manifest_knows_is_compared(site, tmp_path):
    write_manifest(tmp_path, "0" * 64)
    with pytest.raises(DownloadError, match="Expected SHA-256 0000"):
        bring(site, tmp_path)
    assert not list((tmp_path / SUITE).glob("*.npy*"))


@pytest.mark.parametrize("name", [MAPS, THETA])
def test_a_checksum_that_the_server_publishes_is_compared(site, tmp_path, name):
    site.files[f"/{SUITE}/SHA256SUMS"] = f"{'1' * 64}  {name}\n".encode()
    with pytest.raises(DownloadError, match="Expected SHA-256 1111"):
        bring(site, tmp_path)
    assert not (tmp_path / SUITE / name).exists()


def test_a_server_may_forbid_the_list_of_checksums(site, tmp_path):
    site.forbids = True
    assert bring(site, tmp_path) == published(site)


def test_the_right_checksum_passes(site, tmp_path):
    write_manifest(tmp_path, hashlib.sha256(published(site)).hexdigest())
    assert bring(site, tmp_path) == published(site)


@pytest.mark.parametrize(("free", "enough"), [(3127, False), (3128, True)])
def test_free_disk_counts_what_is_here_already(site, tmp_path, monkeypatch, free, enough):
    bring(site, tmp_path)
    (tmp_path / SUITE / MAPS).unlink()
    leave_partial(site, tmp_path, published(site)[:1000], site.tag)
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(published_files.shutil, "disk_usage", lambda _: usage)
    if enough:
        assert bring(site, tmp_path) == published(site)
    else:
        with pytest.raises(DownloadError, match=r"Expected 3128 bytes free for 1 file.*got 3127"):
            bring(site, tmp_path)


def test_a_full_disk_keeps_what_was_fetched(site, tmp_path, monkeypatch):
    bring(site, tmp_path)
    (tmp_path / SUITE / MAPS).unlink()
    partial = leave_partial(site, tmp_path, published(site)[:1000], site.tag)

    class Full(download.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download, "FileIO", Full)
    with pytest.raises(
        DownloadError, match=r"No space left on device.*The incomplete file is kept"
    ):
        bring(site, tmp_path)
    assert partial.read_bytes() == published(site)[:1000]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://me:secret@host/data", "without user and password"),
        ("ftp://host/data", "Expected an http:// or https:// address"),
        ("file:///data", "Expected an http:// or https:// address"),
        ("https://host/data?key=1", "Expected the address of a folder"),
    ],
)
def test_an_address_that_is_none_is_refused(address, message):
    with pytest.raises(ValidationError, match=message) as caught:
        config(address)
    assert "secret" not in str(caught.value.errors(include_input=False, include_context=False))


def test_a_missing_file_without_download_says_how_to_have_it(tmp_path):
    mock = MockConfig(n_simulations=4, map_size=16, lattice=8, refine=1, seed=1, n_threads=1)
    source = SourceConfig(
        kind="folder",
        folder=str(tmp_path),
        partial=False,
        mock=mock,
        download=config("http://127.0.0.1:9", enabled=False),
    )
    with pytest.raises(FileNotFoundError, match=r"got none\. .*source.download.enabled=true"):
        open_source(SELECTION, source)


def test_a_redirect_to_what_is_no_address_is_an_error_of_the_download(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Invalid IPv6 URL")  # as urllib.parse does of http://[

    with http.requests.Session() as session:
        monkeypatch.setattr(session, "request", refuse)
        with pytest.raises(DownloadError, match=r"example\.org/x: The request failed \(Invalid"):
            http.send_request(session, "GET", "https://example.org/x", {}, 1.0)


def test_a_log_without_a_terminal_has_lines_with_rate(site, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("multifield.core.progress.LOG_PERIOD", 0.0)
    with caplog.at_level(logging.INFO):
        bring(site, tmp_path)
    assert re.search(r"4128/4128 bytes, .*time left: 0 s", caplog.text)


def test_a_terminal_shows_rate_and_time_left():
    kinds = {type(column).__name__ for column in progress._columns("bytes")}
    assert kinds >= {"BarColumn", "DownloadColumn", "TransferSpeedColumn", "TimeRemainingColumn"}


KILLED = """
import sys
from pathlib import Path
from multifield.ingest.published_files import DownloadConfig, download_missing
from multifield import camels
from multifield.camels.selection import Selection
config = DownloadConfig(
    enabled=True, base_url=sys.argv[1], n_parallel=1, n_retries=0, timeout=1800.0, backoff=1.0
)
download_missing(Selection(suite="Nbody_IllustrisTNG", sim_set="EX", field="Mtot"), Path(sys.argv[2]), config)
"""


def test_a_killed_download_goes_on_where_it_stopped(site, tmp_path, monkeypatch):
    monkeypatch.undo()  # real sizes: the other process knows no others
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site.files[f"/{SUITE}/{MAPS}"] = np.random.default_rng(2).bytes(15_728_768)
    killed = threading.Event()
    site.sending = lambda sent: sent < 2**21 or killed.wait(TIME_LIMIT)
    process = subprocess.Popen([sys.executable, "-c", KILLED, site.base, str(tmp_path)])
    partial = tmp_path / SUITE / f"{MAPS}.download"
    while not (partial.is_file() and partial.stat().st_size > 2**20):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed.set()
    stopped = partial.stat().st_size
    assert bring(site, tmp_path) == published(site)
    assert site.gets(MAPS) == [None, f"bytes={stopped}-"]


def test_a_password_in_the_address_is_refused_and_not_shown(project):
    choices = "source.download.base_url=https://me:secret@127.0.0.1"
    done = run_kedro(project, "run", "--pipeline", "ingest", "--env", "cmd", "--params", choices)
    assert "Expected an address without user and password" in done.stdout + done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_ingest_fetches_what_is_missing(site, tmp_path, monkeypatch):
    maps = np.random.default_rng(3).uniform(1, 2, (60, 256, 256)).astype(np.float32)
    np.save(tmp_path / "maps.npy", maps)
    site.files[f"/{SUITE}/{MAPS}"] = (tmp_path / "maps.npy").read_bytes()
    project = make_project(tmp_path / "project")
    choices = f"suite={SUITE},sim_set=EX,source.download.base_url={site.base}"
    done = run_kedro(project, "run", "--pipeline", "ingest", "--env", "cmd", "--params", choices)
    assert done.returncode == 0, done.stdout + done.stderr
    data = project / "data/01_raw" / SUITE
    manifest = json.loads((data / f"manifest_Mtot_{SUITE}_EX.json").read_text())
    assert manifest["files"]["Mtot"]["sha256"] == hashlib.sha256(published(site)).hexdigest()


@pytest.mark.parametrize("name", ["SHA256SUMS", THETA])
def test_an_answer_without_end_is_given_up(
    site: Site, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_UNKNOWN", 100_000)
    site.files[f"/{SUITE}/SHA256SUMS"] = b"0" * 64 + b"  a\n"
    site.only, site.endless, site.chunked = name, True, True
    with pytest.raises(DownloadError, match=rf"{name}: Expected at most 100000 bytes"):
        bring(site, tmp_path)
    assert not (tmp_path / SUITE / THETA).exists()


def test_a_server_that_sends_next_to_nothing_is_given_up(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WINDOW", 0.3)
    site.drip = 0.02
    with pytest.raises(DownloadError, match=r"Maps_Mtot.*at least 1000 bytes/s over 0\.3 s"):
        bring(site, tmp_path)
    assert (tmp_path / SUITE / f"{MAPS}.download").stat().st_size > 0
    site.drip = 0.0
    assert bring(site, tmp_path) == published(site)


def test_a_length_that_is_no_number_says_nothing(site: Site, tmp_path: Path) -> None:
    site.length = "abc"
    assert bring(site, tmp_path) == published(site)


def test_a_damaged_record_of_the_version_is_no_obstacle(site: Site, tmp_path: Path) -> None:
    partial = leave_partial(site, tmp_path, published(site)[:300], '"one"')
    partial.with_name(f"{partial.name}.json").write_text("")
    assert bring(site, tmp_path) == published(site)
    assert site.gets(MAPS) == [None]  # all of it: nobody knows what the part is of


def test_a_redirect_without_encryption_is_refused(site: Site) -> None:
    class Redirected(http.requests.Session):
        def request(self, method: str, url: str, **options: Any) -> Any:  # type: ignore[override]
            return super().request(method, f"{site.base}/{SUITE}/{MAPS}", **options)

    with Redirected() as session, pytest.raises(DownloadError, match="redirects to http://127"):
        http.send_request(session, "GET", "https://example.org/a", {}, TIME_LIMIT)
