import os
import pkgutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multifield.tuning.claims import Claim, ClaimLostError, Claims
from tests.tolerances import TIME_LIMIT

HERE = 3600.0  # [s] of grace that no test waits for


taken: list[Claim] = []


@pytest.fixture(autouse=True)
def given_back() -> Iterator[None]:
    """Their files would stay open."""
    yield
    while taken:
        taken.pop().release()


class Noted(Claims):
    def take(self, name: str) -> Claim | None:
        claim = super().take(name)
        taken.extend([claim] if claim is not None else [])
        return claim


def claims(path: Path, grace: float = HERE) -> Claims:
    return Noted(path / "claims" / "study", heartbeat=0.02, grace=grace)


def silence(claim: Claim, seconds: float) -> None:
    """Let a worker have been silent; its process, this one, lives and has the lock."""
    then = time.time() - seconds
    os.utime(claim._alive, (then, then))


def take(path: Path, name: str = "0", grace: float = HERE) -> Claim:
    claim = claims(path, grace).take(name)
    assert claim is not None
    return claim


def test_one_of_many_gets_a_claim(tmp_path: Path) -> None:
    found: list[Claim | None] = []
    barrier = threading.Barrier(16)

    def compete() -> None:
        barrier.wait()
        found.append(claims(tmp_path).take("0"))

    threads = [threading.Thread(target=compete) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert sum(claim is not None for claim in found) == 1


def test_a_claim_that_is_given_back_can_be_taken(tmp_path: Path) -> None:
    take(tmp_path).release()
    take(tmp_path)


def test_nothing_is_left_when_all_are_given_back(tmp_path: Path) -> None:
    first, second = take(tmp_path, "0"), take(tmp_path, "1")
    first.release()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_silent_worker_loses_its_claim_to_one_of_many(tmp_path: Path) -> None:
    silent = take(tmp_path)
    silence(silent, 2 * HERE)
    found = [claims(tmp_path).take("0") for _ in range(4)]
    assert [claim is not None for claim in found] == [True, False, False, False]


def test_a_living_worker_keeps_its_claim_longer_than_the_grace(tmp_path: Path) -> None:
    with take(tmp_path) as held:
        silence(held, 2 * HERE)
        deadline = time.monotonic() + TIME_LIMIT
        while time.time() - held._alive.stat().st_mtime > HERE:  # until the next sign of life
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert claims(tmp_path).take("0") is None


def test_a_worker_that_lost_its_claim_notices(tmp_path: Path) -> None:
    lost = take(tmp_path)
    lost.check()
    silence(lost, 2 * HERE)
    take(tmp_path)
    with pytest.raises(
        ClaimLostError, match=r"claims/study/0: this worker was silent for more than 3600 s"
    ):
        lost.check()


def test_a_worker_that_lost_its_claim_publishes_nothing(tmp_path: Path) -> None:
    lost, path = take(tmp_path), tmp_path / "weights.pt"

    def write(staged: Path) -> None:
        staged.write_text("old")
        silence(lost, 2 * HERE)
        take(tmp_path).publish(path, lambda p: p.write_text("new") and None)

    with pytest.raises(ClaimLostError):
        lost.publish(path, write)
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["weights.pt"]


def test_giving_back_a_lost_claim_leaves_the_new_one(tmp_path: Path) -> None:
    lost = take(tmp_path)
    silence(lost, 2 * HERE)
    new = take(tmp_path)
    lost.release()
    new.check()


def test_what_is_published_appears_whole_and_alone(tmp_path: Path) -> None:
    claim, path = take(tmp_path), tmp_path / "losses.txt"
    (tmp_path / ".losses.txt.of_a_killed_worker.staged").touch()
    claim.publish(path, lambda staged: staged.write_text("0 1 2 3") and None)
    assert path.read_text() == "0 1 2 3"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["losses.txt"]


def test_a_writer_that_fails_publishes_nothing(tmp_path: Path) -> None:
    def fail(staged: Path) -> None:
        staged.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        take(tmp_path).publish(tmp_path / "losses.txt", fail)
    assert [p for p in tmp_path.iterdir() if p.is_file()] == []


KILLED = """
import os, signal, sys
from pathlib import Path
from multifield.tuning.claims import Claims

assert Claims(Path(sys.argv[1]), heartbeat=1, grace=60).take("0")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_killed_on_this_machine_is_missed_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "claims" / "study"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    take(tmp_path)


def test_on_another_machine_silence_alone_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "claims" / "study"
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    monkeypatch.setattr("multifield.tuning.claims._machine", lambda: "another")
    assert claims(tmp_path).take("0") is None
    time.sleep(0.2)
    assert claims(tmp_path, grace=0.1).take("0") is not None


def test_the_clock_is_the_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = take(tmp_path)
    monkeypatch.setattr("multifield.tuning.claims.time.time", lambda: time.monotonic() + 1e9)
    assert claims(tmp_path).take("0") is None
    held.check()


def test_an_error_of_the_disk_is_not_taken_for_a_quicker_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError):
        claims(tmp_path).take("0")


def test_claims_of_the_dead_alone_are_removed(tmp_path: Path) -> None:
    silence(take(tmp_path, "0"), 2 * HERE)
    living = take(tmp_path, "1")
    claims(tmp_path).remove_dead()
    assert [path.name for path in living._claims.path.iterdir()] == ["1"]
    living.check()


def test_a_claim_without_a_name_goes_with_its_worker(tmp_path: Path) -> None:
    silent = take(tmp_path, "0")
    silence(silent, 2 * HERE)
    token = silent._path
    token.parent.rename(token.parent.with_name(f".{token.name}"))
    claims(tmp_path).remove_dead()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [".a/", ".a/a/", ".a/a/.alive"])
def test_a_claim_that_was_half_made_goes_with_its_worker(tmp_path: Path, left: str) -> None:
    """Whatever a kill in the midst leaves: no folder, no file, or one that says nothing yet."""
    path = claims(tmp_path).path / left
    path.parent.mkdir(parents=True)
    path.touch() if left.endswith("alive") else path.mkdir()
    claims(tmp_path).remove_dead()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["pathlib.Path.open", "fcntl.flock", "json.dump", "os.fsync"])
def test_a_claim_is_made_though_another_worker_tidies_up_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    original, n_calls = pkgutil.resolve_name(moment), []

    def tidy_first(*arguments: object, **options: object) -> object:
        n_calls.append(1)
        if len(n_calls) == 1:
            claims(tmp_path).remove_dead()
        return original(*arguments, **options)

    monkeypatch.setattr(moment, tidy_first)
    held = take(tmp_path)
    monkeypatch.undo()
    assert len(n_calls) > 1
    held.check()
    assert claims(tmp_path).take("0") is None


def test_a_kill_while_the_clock_is_read_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_RDWR))
    except (AttributeError, OSError):
        pytest.skip("no files without a name here")
    held = take(tmp_path)
    seen = []

    def look_first(original: Callable[..., object]) -> Callable[..., object]:
        def look(*arguments: object, **options: object) -> object:
            seen.append([path.name for path in held._claims.path.iterdir()])
            return original(*arguments, **options)

        return look

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", look_first(os.fstat))
        patch.setattr(Path, "stat", look_first(Path.stat))
        assert claims(tmp_path).take("0") is None
    assert seen
    assert all(names == ["0"] for names in seen)
