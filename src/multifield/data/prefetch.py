"""Work done ahead in a thread, in slots that are used in turn."""

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
    """Yield ``make(number, slot)`` of each number in order, made ahead in one thread.

    An item may use its slot until the next one is asked for. One slot holds the item in use, the others
    those made ahead; a single slot needs no thread.

    Parameters
    ----------
    make : callable
        Fills a slot. What it raises is raised here, in the place of its item.
    numbers : range
    slots : sequence
        At least one; used in turn.

    Yields
    ------
    item : object
        The thread ends with the iterator, also where that is left early; an item being made then is
        waited for, so that nothing is written into a slot afterwards.
    """
    if len(slots) == 1:
        for number in numbers:
            yield make(number, slots[0])
        return
    # an executor and not a bare thread: the interpreter knows to end it before it goes down itself
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
