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


class StopRequest:
    """Whether a signal, or the worker that runs the training, has asked to stop.

    Parameters
    ----------
    asked : callable, optional
        Returns True once the training shall stop for another reason than a signal.
    """

    def __init__(self, asked: Callable[[], bool] | None = None) -> None:
        self.signal: signal.Signals | None = None
        self._asked = asked

    def check(self) -> None:
        """Raise `TrainingInterrupted` if a stop was requested; to be called where the state is whole."""
        if self.signal is None and self._asked is not None and self._asked():
            self.signal = signal.SIGTERM
        if self.signal is not None:
            raise TrainingInterrupted(self.signal)


@contextmanager
def listen_for_stop(asked: Callable[[], bool] | None = None) -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second one has its usual effect, at once.

    Python lets only the main thread set handlers; in others nothing is set and nothing is heard, and so
    is a signal that the process ignores. The handlers that were set before come back in the end, and get
    a signal that came too late to be heeded.

    Parameters
    ----------
    asked : callable, optional
        See `StopRequest`.

    Yields
    ------
    request : StopRequest
        To be checked between two steps.
    """
    request = StopRequest(asked)
    previous = _replaceable_handlers()

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def hear(signum: int, frame: FrameType | None) -> None:
        restore()
        request.signal = signal.Signals(signum)

    for signum in previous:
        signal.signal(signum, hear)
    try:
        yield request
    except TrainingInterrupted:
        request.signal = None  # heeded
        raise
    finally:
        restore()
        if request.signal is not None and previous:
            signal.raise_signal(request.signal)


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


def _replaceable_handlers() -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {signum: signal.getsignal(signum) for signum in SIGNALS}
    # None: set by something else than Python, which could not be set again
    return {s: h for s, h in handlers.items() if h not in (signal.SIG_IGN, None)}
