"""What processes that train one network together tell each other; one alone tells nothing and never waits.

Each has a part of the rows of every batch. What an average over the batch needs is brought together with its
gradient, so that each process knows the loss of the whole batch.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from inspect import signature
from typing import Any, NamedTuple, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from multifield.processes import count_processes

SILENCE = timedelta(minutes=30)  # after which a process that says nothing is given up
CPU = torch.device("cpu")

Result = TypeVar("Result")


class Group(NamedTuple):
    """Place of this process among those that train a network."""

    rank: int
    size: int


ALONE = Group(0, 1)
_group = ALONE


class EndedByFirstError(RuntimeError):
    """The first process ended what all were doing; it has the reason."""


def group() -> Group:
    """Give the place of this process; rank 0 of 1 unless it has `joined` others."""
    return _group


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the processes that the environment names, for the block; alone where it names none.

    Tensors on the CPU go through gloo, those on GPUs through NCCL.

    Parameters
    ----------
    device : torch.device
        On which networks are trained. Of CUDA's, this process uses number LOCAL_RANK from now on.

    Raises
    ------
    ValueError
        If the device is neither the CPU nor CUDA.
    """
    global _group
    if count_processes() == 1 or _group.size > 1:
        yield
        return
    if device.type not in ("cpu", "cuda"):
        raise ValueError(
            f"training.device: expected cpu or cuda for several processes, got {device}"
        )
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=SILENCE)
    _group = Group(dist.get_rank(), dist.get_world_size())
    try:
        yield
    except BaseException:
        # one process may be lost: to end the connections, here or when they are freed, could wait for it
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(dist.group.WORLD))
        raise
    else:
        dist.destroy_process_group()
    finally:
        _group = ALONE


def synchronized(network: nn.Module) -> nn.Module:
    """Wrap a network so that its gradients are averaged over the processes; alone, it is given back.

    Weights become those of the first process. Running statistics are the same everywhere by themselves.
    """
    if _group.size == 1:
        return network
    parallel = nn.parallel.DistributedDataParallel
    # PyTorch 2.13 warns of the older name, and 2.11 has no other
    names = ("forward_sync_buffers", "broadcast_buffers")
    sync_buffers = next(name for name in names if name in signature(parallel).parameters)
    # a static graph: the first step shows which weights have no use, such as those of O3Err.B01
    options: dict[str, bool] = {sync_buffers: False, "static_graph": True}
    return parallel(network, **options)  # type: ignore[arg-type]


def gather(x: Tensor) -> Tensor:
    """Bring the rows of all processes together, in the order of their ranks; (B_rank, ...) becomes (B, ...).

    The gradient of a rank's rows is multiplied by the number of processes: where all take the same loss
    of what is gathered, and their gradients are then averaged, that is the gradient of one process.
    """
    if _group.size == 1:
        return x
    gathered: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return gathered


class _Gather(torch.autograd.Function):
    """Rows of all processes; backwards, this one's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        counts = torch.zeros(_group.size, dtype=torch.int64)
        counts[_group.rank] = len(x)
        dist.all_reduce(counts)
        start = int(counts[: _group.rank].sum())
        ctx.rows = slice(start, start + len(x))
        padded = x.new_zeros(int(counts.max()), *x.shape[1:])
        padded[: len(x)] = x
        parts = stack(padded)
        return torch.cat([part[:n] for part, n in zip(parts, counts.tolist(), strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient[ctx.rows] * _group.size


def stack(x: Tensor) -> Tensor:
    """Stack tensors of one shape, one of each process; (...) becomes (processes, ...)."""
    parts = [torch.empty_like(x) for _ in range(_group.size)]
    dist.all_gather(parts, x.contiguous())
    return torch.stack(parts)


def largest(number: int) -> int:
    """Give the largest of the numbers that the processes say."""
    if _group.size == 1:
        return number
    numbers = torch.tensor(number)
    dist.all_reduce(numbers, dist.ReduceOp.MAX)
    return int(numbers)


def collect(value: Result) -> list[Result]:
    """Give the values of all processes, in the order of their ranks."""
    if _group.size == 1:
        return [value]
    values: list[Any] = [None] * _group.size
    dist.all_gather_object(values, value)
    return values


def tell(value: object = None) -> Any:
    """Give the first process's value, to all."""
    if _group.size == 1:
        return value
    told = [value]
    dist.broadcast_object_list(told, src=0, device=CPU)
    return told[0]


def by_first(work: Callable[[], Result]) -> Result:
    """Let the first process do some work, and give its result to all.

    Raises
    ------
    EndedByFirstError
        In the others, if the work raised anything in the first, where it is raised as it is.
    """
    if _group.size == 1:
        return work()
    if _group.rank != 0:
        result, reason = tell()
        if reason is not None:
            raise EndedByFirstError(reason)
        return cast(Result, result)
    try:
        result = work()
    except BaseException as error:
        tell((None, f"{type(error).__name__}: {error}"))
        raise
    tell((result, None))
    return result
