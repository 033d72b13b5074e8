"""Prefetching in a background thread, with a ring of buffers."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Slot = TypeVar("Slot")
Item = TypeVar("Item")

THREAD_NAME = "multifield-batches"


def prefetched(
    make: Callable[[int, Slot], Item], numbers: range, slots: Sequence[Slot]
) -> Iterator[Item]:
    """Yield ``make(number, slot)`` for each number in order, computed ahead in one thread.

    An item may use its slot until the next item is requested. One slot contains the item in use and
    the others contain prefetched items. A single slot needs no thread.

    Parameters
    ----------
    make : callable
        Function that fills a slot. Its exceptions are raised in place of its item.
    numbers : range
        Numbers of the items.
    slots : sequence
        Buffers, at least one, which are used in turn.

    Yields
    ------
    item : object
        Result of `make`. The thread ends with the iterator, even if the iterator is closed early.
        An item in progress is completed first, so that no slot is written afterwards.
    """
    if len(slots) == 1:
        for number in numbers:
            yield make(number, slots[0])
        return
    # the interpreter joins the threads of an executor before it exits, unlike a plain thread
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=THREAD_NAME)
    pending: deque[Future[Item]] = deque()
    try:
        for position in range(len(numbers)):
            while len(pending) < len(slots) and position + len(pending) < len(numbers):
                ahead = position + len(pending)
                pending.append(pool.submit(make, numbers[ahead], slots[ahead % len(slots)]))
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
