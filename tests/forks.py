"""Forks a process again and again and kills it, so that imports are paid once; no test.

Run it in a process of its own (`in_a_new_process`): a process in which PyTorch has computed, or has
threads, is not to be forked.
"""

import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.tolerances import TIME_LIMIT

ROOT = Path(__file__).parents[1]


def in_a_new_process(module: str, *arguments: str) -> str:
    """Run ``python -m module arguments`` on one thread; what it printed."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fork(work: Callable[[], object]) -> int:
    """Do some work in a child, which ends with 0 if the work did; its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def end_of(child: int, *, killed_after: float = math.inf) -> int:
    """Wait for a child, and kill it after so many seconds; its exit code, or minus its signal."""
    end = time.monotonic() + killed_after
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def repeat_until_done(work: Callable[[], object], delays: Iterator[float], n_kills: int) -> int:
    """Start some work again after each kill until it ends well; how often it was killed.

    It is killed after each of the delays [s], `n_kills` times at most, and let alone then. A child that ends
    ill by itself is an error.
    """
    kills = 0
    while True:
        killed_after = next(delays) if kills < n_kills else math.inf
        code = end_of(fork(work), killed_after=killed_after)
        if code == 0:
            return kills
        assert code == -signal.SIGKILL, f"a child ended with {code} before it was killed"
        kills += 1
