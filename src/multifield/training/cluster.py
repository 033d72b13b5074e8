"""Trainings on the workers of a Dask cluster: processes of this machine, or any scheduler.

Dask gives the task of a dead worker to another. This module adds what a training needs: it stops after a step
when its worker leaves or nobody wants its result any more, it reports its epochs to the driver, and the
driver reconnects when the scheduler comes back.
"""

import asyncio
import logging
import os
import pickle
import platform
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

import dask
import distributed

from multifield.config.training import ExecutionConfig
from multifield.core.threads import available_threads
from multifield.core.versions import describe_software
from multifield.training.allocator import keep_freed_memory
from multifield.training.loop import EpochLosses, Report
from multifield.training.stopping import TrainingInterrupted

P = ParamSpec("P")
T = TypeVar("T")

ALLOWED_FAILURES = 10  # times that a task may lose its worker before it is taken for the cause
RECONNECT_PATIENCE = 300.0  # [s] for a scheduler that was lost to come back
CONNECT_PATIENCE = 30.0  # [s] for a scheduler to answer, or to write its file
CLOSE_PATIENCE = 60.0  # [s] for trainings to stop after their step and to write their checkpoints
LOG_PERIOD = 60.0  # [s] between two warnings that there is no worker
COMPARED = ("multifield", "torch", "numpy", "commit")  # of driver and worker

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Call:
    """A call that was submitted."""

    arguments: tuple[Any, ...]  # of `_run_on_worker`
    key: str
    result: Future[Any]
    on_epoch: Report | None
    remote: Any = None  # Dask's future

    def settle(self, outcome: Any = None, error: BaseException | None = None) -> None:
        """Give the result or the error, unless there is one already."""
        with suppress(InvalidStateError):
            self.result.set_result(outcome) if error is None else self.result.set_exception(error)


class DaskExecutor(Executor):
    """Submits calls of `run_task` to a Dask cluster, which runs them again where a worker dies.

    Parameters
    ----------
    config : ExecutionConfig
        Number of local processes, or the scheduler.
    """

    def __init__(self, config: ExecutionConfig) -> None:
        self._config = config
        self._client: Any = None
        self._cluster: Any = None
        self._topic = f"multifield-{uuid.uuid4().hex}"
        self._calls: dict[str, _Call] = {}
        self._lock = threading.RLock()
        self._reports = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._warned = -LOG_PERIOD

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn(task, on_epoch=...)``; the task is pickled, `on_epoch` is called in this process."""
        (task,) = args
        arguments = pickle.dumps((fn, task)), self._topic, compared_versions()
        key = f"{getattr(task, 'name', 'task')}-{uuid.uuid4().hex}".replace(" ", "_")
        call = _Call(arguments, key, Future(), kwargs.get("on_epoch"))  # type: ignore[arg-type]
        with self._lock:
            self.open()
            self._calls[key] = call
            self._send(call)
        return call.result

    def count_workers(self) -> int:
        """Count the workers there are now; where there are none, say so once in a while."""
        with self._lock:
            n = len(self.open().nthreads())
        if n == 0 and time.monotonic() - self._warned > LOG_PERIOD:
            self._warned = time.monotonic()
            logger.warning("The Dask cluster has no workers. Waiting for some (`dask worker`).")
        return n

    def open(self, patience: float = CONNECT_PATIENCE) -> Any:
        """Give the Dask client; connect, or start workers, if there is none."""
        if self._client is None:
            logging.getLogger("distributed").setLevel(logging.WARNING)
            if self._config.scheduler is None:
                self._cluster = start_local_cluster(self._config.workers)
                self._client = distributed.Client(self._cluster)
            else:
                self._client = connect(self._config.scheduler, patience)
            self._client.register_plugin(LeaveGently())
            self._client.subscribe_topic(self._topic, self._receive)
            self._client.forward_logging("multifield", level=logging.INFO)
            if self._cluster is not None and find_spec("bokeh") is not None:
                logger.info("Dask dashboard: %s", self._client.dashboard_link)
        return self._client

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what is still running, which stops after its step, and close what was opened."""
        with self._lock:
            left, self._calls = list(self._calls.values()), {}
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        try:
            if client is not None and left:
                client.cancel([call.remote for call in left], force=True)
                deadline = time.monotonic() + CLOSE_PATIENCE
                while cluster is not None and any(client.run(_is_busy, on_error="ignore").values()):
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.1)
        finally:
            # idle processes that take their time to end are killed, which is worth no warning
            logging.getLogger("distributed.nanny").setLevel(logging.ERROR)
            for opened in (client, cluster):
                if opened is not None:
                    opened.close()
            self._reports.shutdown(wait=False, cancel_futures=True)

    def _send(self, call: _Call) -> None:
        call.remote = self._client.submit(_run_on_worker, *call.arguments, key=call.key, pure=False)
        # behind the reports of its epochs
        call.remote.add_done_callback(lambda remote: self._do(self._finish, call, remote))

    def _finish(self, call: _Call, remote: Any) -> None:
        """Hand on what became of a call."""
        error = None if remote.status == "cancelled" else remote.exception()
        if isinstance(error, distributed.KilledWorker):
            error = RuntimeError(
                f"{call.key.rpartition('-')[0]}: The workers that trained it died as often as the "
                f"scheduler allows ({ALLOWED_FAILURES} times on this machine). Look into their logs: "
                "they may have run out of memory. The same command resumes the training."
            )
        with self._lock:
            if self._calls.get(call.key) is not call or call.remote is not remote:
                return  # given up, or sent again
            if remote.status == "cancelled":
                self._reconnect()
                return
            del self._calls[call.key]
        call.settle(None if error else remote.result(), error)

    def _reconnect(self) -> None:
        """Wait for a scheduler that was lost, and send again what it had."""
        logger.warning("Lost the scheduler. Waiting up to %g s for it.", RECONNECT_PATIENCE)
        log = logging.getLogger("distributed.client")
        log.setLevel(logging.CRITICAL)  # it logs a traceback where a lost client is closed
        self._client.close(timeout=1)
        log.setLevel(logging.NOTSET)
        self._client, deadline = None, time.monotonic() + RECONNECT_PATIENCE
        while self._client is None:
            try:
                self.open(patience=5.0)  # its file may name another address by now
            except (OSError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    for call in self._calls.values():
                        call.settle(error=error)
                    self._calls = {}
                    return
                time.sleep(1.0)
        for call in self._calls.values():
            self._send(call)
        logger.info("The scheduler is back. Resuming %d trainings.", len(self._calls))

    def _receive(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take a report on the event loop, which must not wait."""
        about = event[1]  # the scheduler adds the worker
        self._do(self._report, about["key"], about["epoch"], about["losses"])

    def _do(self, work: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Do one thing after another in a thread, unless the executor is closed."""
        with suppress(RuntimeError):
            self._reports.submit(work, *args, **kwargs)

    def _report(self, key: str, epoch: int, losses: Sequence[float]) -> None:
        call, client = self._calls.get(key), self._client
        if call is None or call.on_epoch is None or client is None:
            return
        try:
            call.on_epoch(epoch, EpochLosses(*losses))
        except Exception as error:  # such as that the trial is pruned
            self._calls.pop(key, None)
            client.cancel([call.remote], force=True)
            call.settle(error=error)


# ---- schedulers ----


def connect(scheduler: str, patience: float) -> Any:
    """Connect to a scheduler by its address or the path of the file that it wrote.

    Parameters
    ----------
    scheduler : str
        Such as ``tcp://node1:8786`` or ``scheduler.json``.
    patience : float
        Time to wait for an answer [s].

    Raises
    ------
    ConnectionError
        If there is no such file, or nobody answers.
    """
    path, deadline = Path(scheduler), time.monotonic() + patience
    is_file = scheduler.endswith(".json") or path.exists()
    while is_file and not path.exists():  # Dask would wait for ever
        if time.monotonic() > deadline:
            raise ConnectionError(
                f"scheduler: The file {path.absolute()} does not exist. Start a scheduler with "
                f"`dask scheduler --scheduler-file {path}`."
            )
        time.sleep(0.2)
    place = {"scheduler_file": str(path)} if is_file else {"address": scheduler}
    try:
        return distributed.Client(**place, timeout=max(1.0, deadline - time.monotonic()))
    except (OSError, TimeoutError, ValueError) as error:
        raise ConnectionError(
            f"scheduler: No Dask scheduler answers at {scheduler} ({error}). Start one with `dask "
            "scheduler`, or give the address or file of the one that runs."
        ) from None


def start_local_cluster(n_workers: int) -> Any:
    """Start processes on this machine, each with its share of the cores and one of the GPUs.

    Parameters
    ----------
    n_workers : int
        Number of processes; 0: one per GPU, or one without GPUs.
    """
    gpus = visible_gpus()
    n = n_workers or len(gpus) or 1
    threads = str(max(1, available_threads(0) // n))
    common = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    common["OMP_WAIT_POLICY"] = os.environ.get(
        "OMP_WAIT_POLICY", "passive"
    )  # processes share cores
    options = {
        "nthreads": 1,  # PyTorch's random state and settings belong to a process
        "memory_limit": 0,  # pages of memory maps are no reason to kill a worker
        "host": "127.0.0.1",
        "silence_logs": logging.WARNING,
    }
    workers = {}
    for i in range(n):
        pinned = {"CUDA_VISIBLE_DEVICES": gpus[i % len(gpus)]} if gpus else {}
        workers[i] = {"cls": distributed.Nanny, "options": options | {"env": common | pinned}}
    dashboard = {"dashboard": find_spec("bokeh") is not None, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": distributed.Scheduler, "options": {"host": "127.0.0.1"} | dashboard}
    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_FAILURES,
        "distributed.nanny.pre-spawn-environ": {},  # else Dask changes this process's environment
    }
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # inherited by the processes
    # processes need not import the program that starts them, such as all of Kedro
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        with dask.config.set(settings):
            return distributed.SpecCluster(workers, scheduler, silence_logs=logging.WARNING)
    finally:
        sys.modules["__main__"] = main


def visible_gpus() -> list[str]:
    """List the GPUs that this process may use; CUDA is not initialized for it."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]


# ---- on a worker ----

_leave = threading.Event()  # set when this worker leaves


class LeaveGently(distributed.WorkerPlugin):  # type: ignore[misc]
    """Lets a worker that is told to leave finish the step and write the checkpoint first.

    Dask leaves the task of such a worker to others while its thread is still running. Here the worker waits
    for the thread, and then hands the task back without counting a failure.
    """

    name = "multifield-leave"
    idempotent = True

    def setup(self, worker: Any) -> None:
        """Listen to SIGTERM and Ctrl-C, which would end the process at once."""
        _leave.clear()
        keep_freed_memory()
        logging.getLogger("multifield").setLevel(logging.INFO)  # forwarded to the driver
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows, where a signal ends the process at once
                loop.add_signal_handler(signum, self._hear, worker, signum)

    def _hear(self, worker: Any, signum: signal.Signals) -> None:
        _leave.set()
        # a nanny logs a traceback where its worker closes itself
        logging.getLogger("distributed.nanny").setLevel(logging.CRITICAL)
        # nanny=False: to ask a nanny that got the signal too would hang until it kills the process
        self._close = asyncio.ensure_future(worker.close(nanny=False, reason=signum.name))

    async def teardown(self, worker: Any) -> None:
        """Wait for the task; Dask calls this before the worker says good-bye to the scheduler."""
        if worker.status is not distributed.Status.closing or not worker.active_threads:
            return
        _leave.set()
        deadline = time.monotonic() + CLOSE_PATIENCE
        while worker.active_threads and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        stream = worker.batched_stream
        if worker.active_threads or not stream or not stream.comm or stream.comm.closed():
            return
        about = {"expected": True, "close": False, "stimulus_id": f"leave-{time.time()}"}
        with suppress(OSError, TimeoutError):
            left = worker.scheduler.unregister(address=worker.address, **about)
            await asyncio.wait_for(left, timeout=5)


def _run_on_worker(payload: bytes, topic: str, versions: dict[str, str]) -> Any:
    """Run a call that was pickled, in the thread of a Dask worker.

    Raises
    ------
    RuntimeError
        If the worker has other software than the driver, or several threads.
    Reschedule
        If the worker leaves, or nobody wants the result; the scheduler gives what is wanted to another.
    """
    worker = distributed.get_worker()
    _check_worker(worker.state.nthreads, versions)
    key = worker.get_current_task()

    def asked_to_stop() -> bool:
        state = worker.state.tasks.get(key)  # where nobody wants it, Dask does not end its thread
        return _leave.is_set() or state is None or state.state == "cancelled"

    def on_epoch(epoch: int, losses: EpochLosses) -> None:
        about = {"key": key, "epoch": epoch, "losses": [float(loss) for loss in losses]}
        worker.log_event(topic, about)

    fn, task = pickle.loads(payload)
    try:
        return fn(task, on_epoch=on_epoch, asked_to_stop=asked_to_stop)
    except (TrainingInterrupted, OSError):  # the folder of a training that is pruned is gone
        if not asked_to_stop():
            raise
        raise distributed.Reschedule from None


def _is_busy(dask_worker: Any) -> bool:
    return bool(dask_worker.active_threads)


def _check_worker(n_threads: int, versions: dict[str, str]) -> None:
    host, own = platform.node(), compared_versions()
    if n_threads != 1:
        raise RuntimeError(
            f"The Dask worker on {host} has {n_threads} threads. Trainings of one process cannot share "
            "PyTorch's random state. Start it with --nthreads 1, and several if there is room."
        )
    different = [name for name in COMPARED if own.get(name) != versions.get(name)]
    if different:
        named = [f"{name} {own.get(name)} (driver: {versions.get(name)})" for name in different]
        raise RuntimeError(
            f"The Dask worker on {host} has other software than the driver: {', '.join(named)}. "
            "Start it in the same environment."
        )


@lru_cache(maxsize=1)
def compared_versions() -> dict[str, str]:
    """Give the versions that a driver and its workers must share."""
    found = describe_software()
    return {name: found[name] for name in COMPARED if name in found}
