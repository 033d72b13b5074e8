"""Dask schedulers: start one with local workers, or connect to a running one."""

import logging
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import dask
import distributed

from multifield.core.threads import available_threads

ALLOWED_FAILURES = 10  # lost workers per task before the task is considered the cause


def connect(scheduler: str, patience: float) -> Any:
    """Connect to a scheduler by its address, or by the path of its file.

    Parameters
    ----------
    scheduler : str
        Address such as ``tcp://node1:8786``, or path such as ``scheduler.json``.
    patience : float
        Time to wait for an answer [s].

    Returns
    -------
    client : distributed.Client
        Connected client.

    Raises
    ------
    ConnectionError
        If the file does not exist, or the scheduler does not answer.
    """
    path, deadline = Path(scheduler), time.monotonic() + patience
    is_file = scheduler.endswith(".json") or path.exists()
    while is_file and not path.exists():  # Dask would wait forever
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
            "scheduler`, or set the address or file of a running one."
        ) from None


def start_local_cluster(n_workers: int) -> Any:
    """Start processes on this machine, each with its share of the cores and one GPU.

    Parameters
    ----------
    n_workers : int
        Number of processes. 0 starts one per GPU, or one without GPUs.

    Returns
    -------
    cluster : distributed.SpecCluster
        Scheduler and workers.
    """
    gpus = visible_gpus()
    n = n_workers or len(gpus) or 1
    threads = str(max(1, available_threads(0) // n))
    common = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    # processes share cores
    common["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")
    options = {
        "nthreads": 1,  # PyTorch's random state and settings are per process
        "memory_limit": 0,  # Dask would count pages of memory maps and kill the worker
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
    # processes need not import the main program, for instance all of Kedro
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        with dask.config.set(settings):
            return distributed.SpecCluster(workers, scheduler, silence_logs=logging.WARNING)
    finally:
        sys.modules["__main__"] = main


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, without initializing CUDA."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return [name for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",") if name]
    import torch

    return [str(i) for i in range(torch.cuda.device_count())]
