"""The command ``multifield``, also ``python -m multifield``."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from multifield.config.folder import find_configuration, find_project, shipped_configuration


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command in the working folder.

    Options without a command are passed to ``run``, as in other packaged Kedro projects.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command and options, such as ``["run", "--env", "test"]``. If not given, those of the
        process.

    Raises
    ------
    SystemExit
        At the end of the command, with its exit code.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        project = find_project(Path.cwd())
    except ValueError as error:
        if "init" not in arguments:
            sys.exit(f"Error: {error}")
        project = Path.cwd()
    # Kedro reads the environment variable at import
    logging_file = find_configuration(project) / "logging.yml"
    if not logging_file.is_file():
        logging_file = shipped_configuration() / "logging.yml"
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(logging_file))

    from multifield.cli import program

    if arguments and arguments[0].startswith("-") and arguments[0] not in OPTIONS:
        arguments.insert(0, "run")
    program(arguments, prog_name="multifield")


OPTIONS = ("-h", "--help", "--version")  # not for `run`

if __name__ == "__main__":
    main(sys.argv[1:] or ["run"])
