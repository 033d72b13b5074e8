"""Executors of trainings: this process, processes of this machine, or a Dask cluster."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from multifield.config.training import ExecutionConfig
from multifield.training.stopping import end_on_sigterm

P = ParamSpec("P")
T = TypeVar("T")


class InProcessExecutor(Executor):
    """Executor that runs each call in the calling thread, before `submit` returns.

    Signals reach a training there.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call and return its finished future. Interruptions are raised here."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor(config: ExecutionConfig) -> Iterator[Executor]:
    """Provide the executor of a configuration within a context.

    SIGTERM ends the context in the same way as Ctrl-C.

    Parameters
    ----------
    config : ExecutionConfig
        Number of processes, or scheduler of a cluster.

    Yields
    ------
    executor : concurrent.futures.Executor
        Executor. Processes start with the first call.

    Raises
    ------
    ImportError
        If workers are requested and the extra ``cluster`` is not installed.
    """
    with end_on_sigterm(), _make_executor(config) as executor:
        yield executor


def _make_executor(config: ExecutionConfig) -> Executor:
    if config.scheduler is None and config.workers == 1:
        return InProcessExecutor()
    try:
        from multifield.training.cluster import DaskExecutor
    except ImportError as error:
        raise ImportError(
            f"workers, scheduler: Dask is missing ({error}). Run pip install 'multifield[cluster]'."
        ) from None
    return DaskExecutor(config)


def count_workers(executor: Executor) -> int:
    """Return the number of calls that an executor runs at the same time.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Executor from `open_executor`.

    Returns
    -------
    n_workers : int
        Number of workers, at least 1.
    """
    count: Any = getattr(executor, "count_workers", None)
    return 1 if count is None else max(1, count())
