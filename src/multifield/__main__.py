"""The command ``multifield``; ``python -m multifield`` is the same."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from multifield.config.folder import find_configuration, find_project, shipped_configuration


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command in the working folder.

    Options without a command belong to ``run``, as in other packaged Kedro projects.

    Parameters
    ----------
    arguments : sequence of str, optional
        Such as ``["run", "--env", "test"]``. If not given, those of the process.

    Raises
    ------
    SystemExit
        When the command has ended, with its exit code.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        project = find_project(Path.cwd())
    except ValueError as error:
        if "init" not in arguments:
            sys.exit(f"Error: {error}")
        project = Path.cwd()
    # Kedro reads it when it is imported
    logging_file = find_configuration(project) / "logging.yml"
    if not logging_file.is_file():
        logging_file = shipped_configuration() / "logging.yml"
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(logging_file))

    from multifield.cli import program

    if arguments and arguments[0].startswith("-") and arguments[0] not in OPTIONS:
        arguments.insert(0, "run")
    program(arguments, prog_name="multifield")


OPTIONS = ("-h", "--help", "--version")  # of the program itself

if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
