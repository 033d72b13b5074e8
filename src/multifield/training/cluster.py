"""Trainings on a Dask cluster: processes of this machine, or workers of any scheduler.

Dask reassigns the task of a dead worker. This module adds what trainings need. A training stops
after a step when its worker leaves or its result is not needed. It reports epochs to the driver.
The driver reconnects when the scheduler comes back.
"""

import asyncio
import logging
import os
import pickle
import platform
import signal
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import distributed

from multifield.config.training import ExecutionConfig
from multifield.core.versions import describe_software
from multifield.training.allocator import keep_freed_memory
from multifield.training.loop import EpochLosses, OnStep, Report
from multifield.training.schedulers import ALLOWED_FAILURES, connect, start_local_cluster
from multifield.training.stopping import TrainingInterrupted

P = ParamSpec("P")
T = TypeVar("T")

RECONNECT_PATIENCE = 300.0  # [s] to wait for a lost scheduler
CONNECT_PATIENCE = 30.0  # [s] to wait for a scheduler's answer or its file
CLOSE_PATIENCE = 60.0  # [s] for trainings to finish their step and write their checkpoints
LOG_PERIOD = 60.0  # [s] between two warnings that there are no workers
COMPARED = ("multifield", "torch", "numpy", "commit")  # must be equal for driver and workers

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Call:
    """A submitted call."""

    arguments: tuple[Any, ...]  # for `_run_on_worker`
    key: str
    result: Future[Any]
    on_epoch: Report | None
    on_step: OnStep | None
    remote: Any = None  # Dask's future

    def settle(self, outcome: Any = None, error: BaseException | None = None) -> None:
        """Set the result or the error, unless there is one already."""
        with suppress(InvalidStateError):
            self.result.set_result(outcome) if error is None else self.result.set_exception(error)


class DaskExecutor(Executor):
    """Executor of `run_task` on a Dask cluster, which repeats calls whose worker died.

    Parameters
    ----------
    config : ExecutionConfig
        Number of local processes, or scheduler of a cluster.
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
        """Submit ``fn(task, on_epoch=..., on_step=...)``. Both are called in this process."""
        (task,) = args
        arguments = pickle.dumps((fn, task)), self._topic, compared_versions()
        key = f"{getattr(task, 'name', 'task')}-{uuid.uuid4().hex}".replace(" ", "_")
        reports: Any = [kwargs.get(name) for name in ("on_epoch", "on_step")]
        call = _Call(arguments, key, Future(), *reports)
        with self._lock:
            self.open()
            self._calls[key] = call
            self._send(call)
        return call.result

    def count_workers(self) -> int:
        """Return the number of workers; warn from time to time if there are none."""
        with self._lock:
            n = len(self.open().nthreads())
        if n == 0 and time.monotonic() - self._warned > LOG_PERIOD:
            self._warned = time.monotonic()
            logger.warning("The Dask cluster has no workers. Waiting. Start some: `dask worker`.")
        return n

    def open(self, patience: float = CONNECT_PATIENCE) -> Any:
        """Return the Dask client. The first call connects, or starts workers."""
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
        """Cancel running calls, which stop after their step, and close client and cluster."""
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
            # slow idle processes are killed, which needs no warning
            logging.getLogger("distributed.nanny").setLevel(logging.ERROR)
            for opened in (client, cluster):
                if opened is not None:
                    opened.close()
            self._reports.shutdown(wait=False, cancel_futures=True)

    def _send(self, call: _Call) -> None:
        call.remote = self._client.submit(_run_on_worker, *call.arguments, key=call.key, pure=False)
        # in the same queue as the reports of its epochs, so after them
        call.remote.add_done_callback(lambda remote: self._do(self._finish, call, remote))

    def _finish(self, call: _Call, remote: Any) -> None:
        """Pass on the result or error of a call."""
        error = None if remote.status == "cancelled" else remote.exception()
        if isinstance(error, distributed.KilledWorker):
            error = RuntimeError(
                f"{call.key.rpartition('-')[0]}: Its workers died as often as the scheduler allows "
                f"({ALLOWED_FAILURES} times on this machine), perhaps for lack of memory. Read "
                "their logs. The same command resumes the training."
            )
        with self._lock:
            if self._calls.get(call.key) is not call or call.remote is not remote:
                return  # cancelled, or sent again
            if remote.status == "cancelled":
                self._reconnect()
                return
            del self._calls[call.key]
        call.settle(None if error else remote.result(), error)

    def _reconnect(self) -> None:
        """Wait for a lost scheduler, and submit its calls again."""
        logger.warning("Lost the scheduler. Waiting up to %g s for it.", RECONNECT_PATIENCE)
        log = logging.getLogger("distributed.client")
        log.setLevel(logging.CRITICAL)  # hides a traceback from closing a lost client
        self._client.close(timeout=1)
        log.setLevel(logging.NOTSET)
        self._client, deadline = None, time.monotonic() + RECONNECT_PATIENCE
        while self._client is None:
            try:
                self.open(patience=5.0)  # the scheduler file may contain a new address
            except (OSError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    for call in self._calls.values():
                        call.settle(error=error)
                    self._calls = {}
                    return
                time.sleep(1.0)
        for call in self._calls.values():
            self._send(call)
        logger.info("Reconnected to the scheduler. Resuming %d trainings.", len(self._calls))

    def _receive(self, event: tuple[float, dict[str, Any]]) -> None:
        """Receive a report on the event loop, which must not block."""
        about = event[1]  # the scheduler adds the worker
        self._do(self._report, about["key"], about["done"], about["losses"])

    def _do(self, work: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Run a function in the reports' thread, unless the executor is closed."""
        with suppress(RuntimeError):
            self._reports.submit(work, *args, **kwargs)

    def _report(self, key: str, done: float, losses: Sequence[float]) -> None:
        """Report an epoch by its number and losses, or a step by the number of finished epochs."""
        call, client = self._calls.get(key), self._client
        if call is None or client is None:
            return
        try:
            if losses and call.on_epoch is not None:
                call.on_epoch(int(done), EpochLosses(*losses))
            if not losses and call.on_step is not None:
                call.on_step(done)
        except Exception as error:  # for instance, the trial is pruned
            self._calls.pop(key, None)
            client.cancel([call.remote], force=True)
            call.settle(error=error)


# ---- on a worker ----

_leave = threading.Event()  # set when this worker leaves


class LeaveGently(distributed.WorkerPlugin):  # type: ignore[misc]
    """Worker plugin: a worker that must leave first finishes its step and writes the checkpoint.

    Dask reassigns the task of such a worker while its thread still runs. Here the worker waits for
    the thread, and then returns the task without counting a failure.
    """

    name = "multifield-leave"
    idempotent = True

    def setup(self, worker: Any) -> None:
        """Handle SIGTERM and Ctrl-C, which would end the process at once."""
        _leave.clear()
        os.environ["TTY_COMPATIBLE"] = "0"  # rich: the terminal belongs to the driver's bars
        keep_freed_memory()
        logging.getLogger("multifield").setLevel(logging.INFO)  # forwarded to the driver
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # on Windows, a signal ends the process at once
                loop.add_signal_handler(signum, self._hear, worker, signum)

    def _hear(self, worker: Any, signum: signal.Signals) -> None:
        _leave.set()
        # hides a traceback from a worker that closes itself
        logging.getLogger("distributed.nanny").setLevel(logging.CRITICAL)
        # nanny=False: a nanny that received the signal too would hang until it kills the process
        self._close = asyncio.ensure_future(worker.close(nanny=False, reason=signum.name))

    async def teardown(self, worker: Any) -> None:
        """Wait for the task. Dask calls this before the worker leaves the scheduler."""
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
    """Run a pickled call in the thread of a Dask worker.

    Raises
    ------
    RuntimeError
        If the worker's software differs from the driver's, or it has several threads.
    Reschedule
        If the worker leaves or the call was cancelled. The scheduler reassigns calls that are not
        cancelled.
    """
    worker = distributed.get_worker()
    _check_worker(worker.state.nthreads, versions)
    key = worker.get_current_task()

    def asked_to_stop() -> bool:
        state = worker.state.tasks.get(key)  # Dask does not end the thread of a cancelled call
        return _leave.is_set() or state is None or state.state == "cancelled"

    def report(done: float, losses: Sequence[float] = ()) -> None:
        about = {"key": key, "done": float(done), "losses": [float(loss) for loss in losses]}
        worker.log_event(topic, about)

    fn, task = pickle.loads(payload)
    try:
        return fn(task, on_epoch=report, on_step=report, asked_to_stop=asked_to_stop)
    except (TrainingInterrupted, OSError):  # the folder of a pruned training is gone
        if not asked_to_stop():
            raise
        raise distributed.Reschedule from None


def _is_busy(dask_worker: Any) -> bool:
    return bool(dask_worker.active_threads)


def _check_worker(n_threads: int, versions: dict[str, str]) -> None:
    host, own = platform.node(), compared_versions()
    if n_threads != 1:
        raise RuntimeError(
            f"The Dask worker on {host} has {n_threads} threads, but trainings cannot share "
            "PyTorch's random state. Start one or more workers with --nthreads 1."
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
    """Return the versions that a driver and its workers must share."""
    found = describe_software()
    return {name: found[name] for name in COMPARED if name in found}
