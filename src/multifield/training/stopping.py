"""Signals that ask a training to end, heard between its steps."""

import signal
import threading
from collections.abc import Iterator
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
    """Whether a signal has asked to stop. Made by `listen_for_stop`."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._at_once = False

    def check(self) -> None:
        """Raise `TrainingInterrupted` if a signal came; to be called where the state is whole."""
        if self.signal is not None:
            raise TrainingInterrupted(self.signal)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise as soon as a signal comes: for work that changes nothing and may end anywhere."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def ask(self, signum: signal.Signals) -> None:
        """Note a signal."""
        self.signal = signum
        if self._at_once:
            self.check()


@contextmanager
def listen_for_stop() -> Iterator[StopRequest]:
    """Turn the first SIGINT or SIGTERM into a request; a second one has its usual effect, at once.

    Python lets only the main thread set handlers; in others nothing is set and nothing is heard, and so
    is a signal that the process ignores. The handlers that were set before come back in the end, and get
    a signal that came too late to be heeded.

    Yields
    ------
    request : StopRequest
    """
    request = StopRequest()
    previous = _replaceable_handlers()

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def hear(signum: int, frame: FrameType | None) -> None:
        restore()
        request.ask(signal.Signals(signum))

    for signum in previous:
        signal.signal(signum, hear)
    try:
        yield request
    except TrainingInterrupted:
        request.signal = None  # heeded
        raise
    finally:
        restore()
        if request.signal is not None:
            signal.raise_signal(request.signal)


def _replaceable_handlers() -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {signum: signal.getsignal(signum) for signum in SIGNALS}
    # None: set by something else than Python, which could not be set again
    return {s: h for s, h in handlers.items() if h not in (signal.SIG_IGN, None)}
