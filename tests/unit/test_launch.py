import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from multifield import launch
from multifield.launch import (
    main,
    network_environments,
    reserved_port,
    run_workers,
    visible_gpus,
    worker_environments,
)
from tests.tolerances import TIME_LIMIT

ROOT = Path(__file__).parents[2]


def test_each_worker_has_one_gpu_and_its_share_of_the_threads() -> None:
    first, second, third = worker_environments(3, ["2", "5"], n_threads=8)
    assert [w["CUDA_VISIBLE_DEVICES"] for w in (first, second, third)] == ["2", "5", "2"]
    assert first["OMP_NUM_THREADS"] == "2"


def test_without_gpus_threads_alone_are_shared() -> None:
    (only,) = worker_environments(1, [], n_threads=3)
    assert only == {"OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}


def test_several_workers_write_lines_to_the_terminal_that_they_share() -> None:
    assert [w["TTY_COMPATIBLE"] for w in worker_environments(2, [], n_threads=2)] == ["0", "0"]


def test_no_worker_is_left_without_a_thread() -> None:
    assert worker_environments(5, [], n_threads=2)[4]["OMP_NUM_THREADS"] == "1"


def test_gpus_that_a_scheduler_hid_stay_hidden() -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-3a,GPU-7f"}) == ["GPU-3a", "GPU-7f"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


@pytest.mark.parametrize(
    ("code", "expected"), [("pass", 0), ("exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_worst_worker_is_the_exit_code(code: str, expected: int) -> None:
    script = f"import os\nif os.environ['WORKER'] == '1': {code}"
    environments = [{"WORKER": "0"}, {"WORKER": "1"}]
    assert run_workers([sys.executable, "-c", script], environments) == expected


# ---- several processes a network ----


def test_processes_of_a_network_find_each_other_and_no_others() -> None:
    four = network_environments(2, 2, ["0", "1", "2", "3"], n_threads=8, ports=[7, 9])
    assert [each["CUDA_VISIBLE_DEVICES"] for each in four] == ["0", "1", "2", "3"]
    assert [each["RANK"] for each in four] == ["0", "1", "0", "1"]
    assert {each["WORLD_SIZE"] for each in four} == {"2"}
    ports = [each["MASTER_PORT"] for each in four]
    assert ports == ["7", "7", "9", "9"]


def test_a_process_alone_is_told_of_no_group() -> None:
    alone = network_environments(2, 1, [], n_threads=2, ports=[7, 9])
    assert alone == worker_environments(2, [], n_threads=2)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone lets a port be reserved")
def test_a_reserved_port_is_given_to_nobody_else_and_can_be_listened_to() -> None:
    with reserved_port() as port:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        with HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler) as server:
            assert server.server_port == port


def test_the_rest_of_a_network_is_killed_and_other_networks_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(launch, "KILL_AFTER", 0.3)
    script = (
        "import os, pathlib, sys, time\nname = os.environ['NAME']\n"
        "if name == 'lost': sys.exit(3)\ntime.sleep(3600 if name == 'waits' else 1)\n"
        f"pathlib.Path({str(tmp_path)!r}, name).touch()"
    )
    environments = [{"NAME": name} for name in ("waits", "lost", "other", "another")]
    assert run_workers([sys.executable, "-c", script], environments, n_together=2) == 137
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "other"]


@pytest.mark.parametrize(
    ("sent", "heard"),
    [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGTERM")],
)
def test_a_signal_of_the_terminal_comes_once(
    tmp_path: Path, sent: signal.Signals, heard: str
) -> None:
    """A terminal sends to its whole group, and a worker that hears Ctrl-C twice leaves no checkpoint."""
    heard_by, group = tmp_path / "heard", tmp_path / "group"
    worker = (
        "import os, signal, time, pathlib\n"
        f"heard = pathlib.Path({str(heard_by)!r})\n"
        "def hear(s, _): heard.open('a').write(signal.Signals(s).name)\n"
        "for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(s, hear)\n"
        f"group = pathlib.Path({str(tmp_path)!r}, 'begun')\n"
        f"group.write_text(str(os.getpgrp())); group.rename({str(group)!r})\n"
        f"end = time.monotonic() + {TIME_LIMIT}\n"
        "while not heard.exists() and time.monotonic() < end: time.sleep(0.05)\n"
        "time.sleep(1)  # for a second one"
    )
    launcher = (
        "import signal, sys; from multifield.launch import run_workers\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores\n"
        f"run_workers([sys.executable, '-c', {worker!r}], [{{}}])"
    )
    with subprocess.Popen([sys.executable, "-c", launcher], start_new_session=True) as process:
        while not group.exists():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, sent)
    assert heard_by.read_text() == heard
    assert int(group.read_text()) != process.pid


@pytest.mark.parametrize(
    ("given", "networks", "ends"),
    [
        (["--env", "cmd"], 4, ["tune", "--env", "cmd"]),
        (["-n", "1", "--params", "suite=T"], 1, ["tune", "--params", "suite=T"]),
        (["--together", "2", "--env", "cmd"], 2, ["tune", "--env", "cmd"]),
        (["--together", "3", "--pipeline", "train"], 1, ["train"]),
    ],
)
def test_gpus_are_shared_among_networks_and_the_rest_is_kedros(
    given: list[str], networks: int, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    asked: list[tuple[list[str], int, int]] = []

    def note(command: list[str], environments: list[dict[str, str]], n_together: int) -> int:
        asked.append((command, len(environments) // n_together, n_together))
        return 0

    monkeypatch.setattr(launch, "run_workers", note)
    assert main(given) == 0
    ((command, n_networks, _),) = asked
    assert n_networks == networks
    assert command[-len(ends) :] == ends


@pytest.mark.parametrize(
    "given", [["--together", "5"], ["--together", "0"], ["-n", "2", "--pipeline", "train"]]
)
def test_what_cannot_be_started_is_refused(
    given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    with pytest.raises(SystemExit, match="2"):
        main(given)
