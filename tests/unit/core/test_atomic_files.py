import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from multifield.core.atomic_files import HOST, atomic_path

KILLED = """
import os, signal, sys
from multifield.core.atomic_files import atomic_path

with atomic_path(sys.argv[1]) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def leftover(path: Path, host: str, pid: int) -> Path:
    partial = path.with_name(f".{path.name}.{host}.{pid}.partial")
    partial.touch()
    return partial


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_killed_save_keeps_the_old_file_and_the_next_one_removes_the_partial_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "weights.1.pt"
    path.write_text("before")
    living = leftover(path, HOST, os.getppid())
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)]) as process:
        process.wait()
    partial = path.with_name(f".{path.name}.{HOST}.{process.pid}.partial")
    others = [living, leftover(path, f"not-{HOST}", process.pid)]
    others.append(leftover(tmp_path / "weights.2.pt", HOST, process.pid))
    assert (path.read_text(), partial.read_text()) == ("before", "half")
    with atomic_path(path) as new:
        new.touch()
    assert not partial.exists()
    assert all(other.exists() for other in others)


def test_two_hosts_write_different_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_path(tmp_path / "a") as here:
        here.touch()
        monkeypatch.setattr("multifield.core.atomic_files.HOST", f"not-{HOST}")
        with atomic_path(tmp_path / "a") as there:
            there.touch()
            assert there != here


def test_an_error_keeps_its_file_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "a"):
        (tmp_path / "missing").read_text()
    assert caught.value.filename == str(tmp_path / "missing")
