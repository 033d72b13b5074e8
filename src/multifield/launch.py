"""Start several workers of one study on this machine, one a GPU: ``python -m multifield.launch``.

Each is ``kedro run --pipeline tune`` with the arguments that follow; the study is shared as it is between
machines. A scheduler that starts a process a GPU itself, as ``srun`` does, makes this needless.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import FrameType

from multifield.threads import available_threads


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


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """List the GPUs that this process may use; CUDA is not begun for it."""
    if "CUDA_VISIBLE_DEVICES" in environment:
        return [name for name in environment["CUDA_VISIBLE_DEVICES"].split(",") if name]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


def run_workers(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
    """Run one process an environment until all have ended; signals to this one are passed on.

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
            heard.append(signum)
            for worker in workers:
                tell(worker)

        for signum in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, signum, signal.signal(signum, pass_on))
        for environment in environments:
            if heard:
                break  # told to end before all had begun
            worker = subprocess.Popen(command, env={**os.environ, **environment})
            workers.append(stack.enter_context(worker))
            tell(worker)  # what came between the two lines above
        codes = [worker.wait() for worker in workers]
    failed = next((code for code in codes if code), -heard[0] if heard and not codes else 0)
    return 128 - failed if failed < 0 else failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, and run the workers."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m multifield.launch")
    parser.add_argument(
        "-n",
        type=int,
        default=0,
        help="workers; 0, the default: one a GPU, or one where there is none",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of kedro run --pipeline tune")
    asked = parser.parse_args(arguments)
    if asked.n < 0:
        parser.error(f"-n: expected 0 or more workers, got {asked.n}")
    gpus = visible_gpus(os.environ)
    n_workers = asked.n or max(1, len(gpus))
    command = [sys.executable, "-m", "kedro", "run", "--pipeline", "tune", *asked.arguments]
    return run_workers(command, worker_environments(n_workers, gpus, available_threads(0)))


if __name__ == "__main__":
    sys.exit(main())
