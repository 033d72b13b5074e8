"""The command line: Kedro's, with an exit code that says how a run was stopped.

Kedro takes the commands of this module before its own.
"""

import copy
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click
from kedro.framework.cli import project

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
        logger.warning(
            "%s",
            str(interruption) or "Stopped at once. The same command resumes from what is stored.",
        )
        raise SystemExit(128 + signum) from None


@click.group()
def cli() -> None:
    """Commands in the place of Kedro's."""


run = copy.copy(project.run)
assert run.callback is not None
run.callback = exit_when_interrupted()(run.callback)
cli.add_command(run)
