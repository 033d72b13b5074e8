"""A PostgreSQL server of its own for a test, on loopback, in a folder that is thrown away; no test."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.tolerances import TIME_LIMIT

PLACES = sorted(
    Path("/usr/lib/postgresql").glob("*/bin"), reverse=True
)  # Debian's, not on the path


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else PLACES
    return next((place for place in places if (place / "postgres").is_file()), None)


@contextmanager
def run_server(programs: Path) -> Iterator[dict[str, Any]]:
    """Give host, port, username, password and dbname of a server that is there within the block."""
    password = secrets.token_hex(12)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(password)
        as_user = _give_away(folder)
        data = folder / "data"
        _run(as_user, programs / "initdb", "-D", data, "-U", "tuner", "-A", "scram-sha-256",
             f"--pwfile={secret}", "--no-sync", "-E", "UTF8", "--no-locale")  # fmt: skip
        port = stack.enter_context(reserved_port())
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        settings = [f"-c{key}={value}" for key, value in options.items()]
        log = (folder / "log").open("w")
        server = subprocess.Popen(
            [*as_user, str(programs / "postgres"), "-D", str(data), *settings, "-cfsync=off"],
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
        try:
            _wait_for(port, server, folder / "log")
            yield {
                "host": "127.0.0.1",
                "port": port,
                "username": "tuner",
                "password": password,
                "dbname": "postgres",
            }
        finally:
            server.send_signal(signal.SIGINT)  # a fast shutdown
            server.wait()
            log.close()


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a port of loopback that Linux gives to nobody else within the block."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def _give_away(folder: Path) -> list[str]:
    """Let somebody else own the folder, and say how to run as that: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return []
    folder.chmod(0o755)
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "nobody", "nogroup")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def _run(as_user: list[str], *command: object) -> None:
    done = subprocess.run(
        [*as_user, *map(str, command)], capture_output=True, text=True, check=False, cwd="/"
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    if not is_listened_to(port, server):
        raise RuntimeError(f"the server did not start: {log.read_text()}")


def is_listened_to(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Wait until somebody listens to a port of loopback; False if the server ended instead."""
    deadline = time.monotonic() + TIME_LIMIT
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False
