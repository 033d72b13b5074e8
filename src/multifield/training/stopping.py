"""Signals that stop a training between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; time limit of a batch system, `kill`


class TrainingInterrupted(KeyboardInterrupt):
    """A signal stopped the training. If it has a checkpoint, nothing is lost.

    Parameters
    ----------
    signum : signal.Signals
        Signal that stopped it; the attribute `signal`.
    message : str, optional
        Message for the user.
    """

    def __init__(self, signum: signal.Signals, message: str = "") -> None:
        super().__init__(message or f"Stopped by {signum.name}.")
        self.signal = signum


Check = Callable[[], None]
"""Function that raises `TrainingInterrupted` if a stop was requested. The state is consistent."""


@contextmanager
def listen_for_stop(
    asked: Callable[[], bool] | None = None, signals: tuple[signal.Signals, ...] = SIGNALS
) -> Iterator[Check]:
    """Turn the first SIGINT or SIGTERM into a request; a second one acts as usual.

    Python allows handlers in the main thread alone, so other threads ignore signals. Signals that
    the process ignores stay ignored. At the end the former handlers are restored. They receive a
    signal that arrived too late.

    Parameters
    ----------
    asked : callable, optional
        Function that returns True if the training must stop for another reason.
    signals : tuple of Signals, optional
        Signals to handle.

    Yields
    ------
    check : callable
        Function to call between two steps. It raises `TrainingInterrupted` after a request.
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
    """Let SIGTERM, which Slurm sends, end the program like Ctrl-C, so that contexts are closed.

    While this process trains a network, `train_network` handles the signal between two steps.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # ignore repeated signals during the clean-up
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
    # None: a handler that was not set from Python, which Python cannot restore
    return {s: h for s, h in handlers.items() if h not in (signal.SIG_IGN, None)}
