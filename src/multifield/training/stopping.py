"""Signals that ask a training to end, heard between its steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; a scheduler's time limit, `kill`


class TrainingInterrupted(KeyboardInterrupt):
    """A signal ended the training; nothing of it is lost if it has a checkpoint.

    Attributes
    ----------
    signal : signal.Signals
        Which one.
    """

    def __init__(self, signum: signal.Signals, message: str = "") -> None:
        super().__init__(message or f"stopped by {signum.name}")
        self.signal = signum


Check = Callable[[], None]
"""Raises `TrainingInterrupted` if a stop was requested; to be called where the state is whole."""


@contextmanager
def listen_for_stop(
    asked: Callable[[], bool] | None = None, signals: tuple[signal.Signals, ...] = SIGNALS
) -> Iterator[Check]:
    """Turn the first SIGINT or SIGTERM into a request; a second one has its usual effect, at once.

    Python lets only the main thread set handlers; in others nothing is set and nothing is heard, and so
    is a signal that the process ignores. The handlers that were set before come back in the end, and get
    a signal that came too late to be heeded.

    Parameters
    ----------
    asked : callable, optional
        Returns True once the training shall stop for another reason than a signal.
    signals : tuple of Signals, optional
        Those to listen to.

    Yields
    ------
    check : callable
        To be called between two steps.
    """
    heard: list[signal.Signals] = []
    previous = _replaceable_handlers(signals)

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def hear(signum: int, frame: FrameType | None) -> None:
        restore()
        heard.append(signal.Signals(signum))

    def check() -> None:
        if heard or (asked is not None and asked()):
            raise TrainingInterrupted(heard.pop() if heard else signal.SIGTERM)

    for signum in previous:
        signal.signal(signum, hear)
    try:
        yield check
    finally:
        restore()
        if heard:
            signal.raise_signal(heard[0])


@contextmanager
def end_on_sigterm() -> Iterator[None]:
    """Let SIGTERM, as Slurm sends it, end the program as Ctrl-C does, so that contexts are closed.

    While a network is trained in this process, `train_network` hears it between two steps.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # once is enough, and what follows takes its time
        raise TrainingInterrupted(signal.Signals(number))

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _replaceable_handlers(signals: tuple[signal.Signals, ...]) -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {signum: signal.getsignal(signum) for signum in signals}
    # None: set by something else than Python, which could not be set again
    return {s: h for s, h in handlers.items() if h not in (signal.SIG_IGN, None)}
