"""How a run ends that was told to."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def exit_when_interrupted() -> Iterator[None]:
    """Turn SIGTERM and Ctrl-C into the exit codes that shells give them, 143 and 130, and one line.

    Kedro's command line, left to itself, says "Aborted!" and ends with 1, as after an error.

    Raises
    ------
    SystemExit
        In the place of KeyboardInterrupt and of `multifield.training.TrainingInterrupted`, which is one.
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        signum = getattr(interruption, "signal", signal.SIGINT)
        logger.warning("%s", str(interruption) or "stopped at once; the last checkpoint stays")
        raise SystemExit(128 + signum) from None
