import os
import subprocess
import sys
from pathlib import Path

import pytest

from multifield.atomic import HOST, atomic_path, remove_leftovers


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def leftover(path: Path, host: str, pid: int) -> Path:
    partial = path.with_name(f".{path.name}.{host}.{pid}.partial")
    partial.touch()
    return partial


def test_what_a_dead_process_left_is_removed_by_the_next_save(tmp_path: Path, dead: int) -> None:
    path = tmp_path / "weights.1.pt"
    partial, others = leftover(path, HOST, dead), leftover(tmp_path / "weights.2.pt", HOST, dead)
    with atomic_path(path) as new:
        new.touch()
    assert not partial.exists()
    assert others.exists()


def test_what_may_be_in_use_stays(tmp_path: Path, dead: int) -> None:
    path = tmp_path / "weights.pt"
    living, elsewhere = leftover(path, HOST, os.getppid()), leftover(path, f"not-{HOST}", dead)
    remove_leftovers(path)
    assert living.exists()
    assert elsewhere.exists()


def test_of_a_file_that_nobody_needs_nothing_stays(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    leftover(path, "elsewhere", 7)
    remove_leftovers(path, of_all=True)
    assert not list(tmp_path.iterdir())


def test_two_hosts_do_not_write_into_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic_path(tmp_path / "a") as here:
        here.touch()
        monkeypatch.setattr("multifield.atomic.HOST", f"not-{HOST}")
        with atomic_path(tmp_path / "a") as there:
            there.touch()
            assert there != here


def test_an_error_with_a_name_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, atomic_path(tmp_path / "a"):
        (tmp_path / "missing").read_text()
    assert caught.value.filename == str(tmp_path / "missing")
