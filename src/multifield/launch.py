"""Start processes on this machine, one a GPU: ``python -m multifield.launch``.

Each is ``kedro run --pipelines tune`` with the arguments that follow, a worker of one study, which is shared
as it is between machines; with ``--together 2``, two processes train each network. A scheduler that starts a
process a GPU itself, as ``srun`` does, makes this needless.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

from multifield.threads import available_threads

# What is heard, and passed on as what: a closed terminal asks workers to leave a checkpoint, too
SIGNALS = {
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGINT: signal.SIGINT,
    signal.SIGHUP: signal.SIGTERM,
}
KILL_AFTER = 30.0  # [s] that processes have to end whose network lost one of those that train it


def worker_environments(
    n_workers: int, gpus: Sequence[str], n_threads: int
) -> list[dict[str, str]]:
    """Say which GPU and how many threads each worker shall see.

    Parameters
    ----------
    n_workers : int
        At least 1.
    gpus : sequence of str
        As CUDA_VISIBLE_DEVICES names them; worker i gets one of them, in turn. Empty without CUDA.
    n_threads : int
        Threads of all workers together.
    """
    threads = str(max(1, n_threads // n_workers))
    common = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    if n_workers > 1:
        common["TTY_COMPATIBLE"] = (
            "0"  # rich then writes lines: one terminal has no room for two live tables
        )
    return [
        common | ({"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if gpus else {})
        for i in range(n_workers)
    ]


def network_environments(
    n_networks: int, n_together: int, gpus: Sequence[str], n_threads: int, ports: Sequence[int]
) -> list[dict[str, str]]:
    """Say what each process of `n_networks` groups of `n_together` shall see; see `worker_environments`.

    Each network that several processes train has one of the ports, see `group_environments`.
    """
    processes = worker_environments(n_networks * n_together, gpus, n_threads)
    if n_together == 1:
        return processes
    places = [place for port in ports for place in group_environments(n_together, port)]
    return [process | place for process, place in zip(processes, places, strict=True)]


def group_environments(n_processes: int, port: int) -> list[dict[str, str]]:
    """Say how the processes of this machine that train one network together find each other.

    Parameters
    ----------
    n_processes : int
        At least 1, each of which sees one GPU alone, or none.
    port : int
        Of loopback, to which the first of them will listen; see `reserved_port`.
    """
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
    return [
        common | {"RANK": str(rank), "WORLD_SIZE": str(n_processes)} for rank in range(n_processes)
    ]


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a port of loopback that the system gives to nobody else within the block.

    Linux lets a server listen to it all the same, if it sets SO_REUSEADDR, as PyTorch does and most do.
    Elsewhere the port was free a moment ago and nothing more.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield port


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """List the GPUs that this process may use; CUDA is not begun for it."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


def run_workers(
    command: Sequence[str], environments: Sequence[Mapping[str, str]], n_together: int = 1
) -> int:
    """Run one process an environment until all have ended; signals to this one are passed on.

    Parameters
    ----------
    command : sequence of str
    environments : sequence of mapping
        What each process has beside the environment of this one.
    n_together : int, optional
        So many that follow each other train one network: where one fails, the others are killed that have
        not ended by themselves within `KILL_AFTER`.

    Returns
    -------
    code : int
        0 if all ended well; else the code of the first that did not, as a shell would give it.
    """
    with ExitStack() as stack:
        workers: list[subprocess.Popen[bytes]] = []
        heard: list[int] = []
        told: set[tuple[int, int]] = (
            set()
        )  # worker and number of the signal: a second one ends at once

        def tell(worker: subprocess.Popen[bytes]) -> None:
            for number, signum in enumerate(heard):
                if (worker.pid, number) not in told:
                    told.add((worker.pid, number))
                    worker.send_signal(signum)

        def pass_on(signum: int, frame: FrameType | None) -> None:
            heard.append(SIGNALS[signal.Signals(signum)])
            for worker in workers:
                tell(worker)

        for signum in SIGNALS:
            if signal.getsignal(signum) is signal.SIG_IGN:
                continue  # as `nohup` wants it
            stack.callback(signal.signal, signum, signal.signal(signum, pass_on))
        for environment in environments:
            if heard:
                break  # told to end before all had begun
            # not in the terminal's group: its Ctrl-C would come twice, and a second one ends at once
            worker = subprocess.Popen(command, env={**os.environ, **environment}, process_group=0)
            workers.append(stack.enter_context(worker))
            tell(worker)  # what came between the two lines above
        if n_together > 1:
            _end_groups(workers, n_together)
        codes = [worker.wait() for worker in workers]
    failed = next((code for code in codes if code), -heard[0] if heard and not codes else 0)
    return 128 - failed if failed < 0 else failed


def _end_groups(workers: Sequence[subprocess.Popen[bytes]], n_together: int) -> None:
    """Wait until all have ended, and kill what is left of a group of which one failed."""
    failed: dict[int, float] = {}  # groups, and when
    while None in [worker.poll() for worker in workers]:
        for number, worker in enumerate(workers):
            if worker.returncode:
                failed.setdefault(number // n_together, time.monotonic())
        for number, worker in enumerate(workers):
            since = failed.get(number // n_together, time.monotonic())
            if worker.returncode is None and time.monotonic() - since > KILL_AFTER:
                worker.kill()
        time.sleep(0.1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, and run the workers."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        prog="python -m multifield.launch",
        usage="%(prog)s [-n N] [--together P] [--pipeline {tune,train}] [arguments of kedro run]",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-n",
        type=int,
        default=0,
        help="networks at a time; 0, the default: as many as there are GPUs for, or one without",
    )
    parser.add_argument(
        "--together", type=int, default=1, metavar="P", help="processes that train each network"
    )
    parser.add_argument(
        "--pipeline", choices=("tune", "train"), default="tune", help="train has one network"
    )
    asked, of_kedro = parser.parse_known_args(arguments)
    if asked.n < 0:
        parser.error(f"-n: expected 0 or more workers, got {asked.n}")
    if asked.together < 1:
        parser.error(f"--together: expected 1 or more processes, got {asked.together}")
    if asked.pipeline == "train" and asked.n > 1:
        parser.error(f"-n: expected one network to train, got {asked.n}")
    gpus = visible_gpus(os.environ)
    if 0 < len(gpus) < asked.together:  # two processes on one GPU cannot exchange gradients
        parser.error(
            f"--together: expected no more than {len(gpus)} GPUs, got {asked.together}; an empty "
            "CUDA_VISIBLE_DEVICES lets them train on the CPU"
        )
    n_networks = asked.n or (1 if asked.pipeline == "train" else len(gpus) // asked.together) or 1
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", asked.pipeline]
    with ExitStack() as stack:
        ports = [stack.enter_context(reserved_port()) for _ in range(n_networks)]
        environments = network_environments(
            n_networks, asked.together, gpus, available_threads(0), ports
        )
        return run_workers([*command, *of_kedro], environments, asked.together)


if __name__ == "__main__":
    sys.exit(main())
