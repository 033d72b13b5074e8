"""The command lines: ``kedro`` in a project, and ``multifield`` in any folder.

Kedro takes the commands of `cli` before its own: ``multifield run`` has an exit code that says how a run was
stopped. `program` is the command ``multifield``, which has the commands of Kedro that need no project.
"""

import copy
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro import __version__ as kedro_version
from kedro.framework.cli import catalog, project, registry
from kedro.framework.project import configure_project, settings
from kedro.framework.startup import ProjectMetadata
from kedro.utils import is_kedro_project

from multifield.configuration import copy_configuration, find_configuration, find_project
from multifield.threads import spin_briefly
from multifield.training.allocator import keep_freed_memory

PACKAGE = "multifield"
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


@exit_when_interrupted()
def _run(**options: Any) -> Any:
    """Run as Kedro does, in a process that is this program's own."""
    spin_briefly()
    keep_freed_memory()
    assert project.run.callback is not None
    return project.run.callback(**options)


run = copy.copy(project.run)
run.callback = _run
cli.add_command(run)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=PACKAGE)
@click.pass_context
def program(context: click.Context) -> None:
    """Infer cosmological parameters from CAMELS maps.

    Results go to data/ in this folder. The configuration is conf/ in this folder, or the shipped one.
    """
    if context.invoked_subcommand == init.name:
        return
    configure_project(PACKAGE)
    folder = find_project(Path.cwd())
    settings.set("CONF_SOURCE", str(find_configuration(folder)))
    if not is_kedro_project(
        folder
    ):  # where Kedro-Viz would warn that it keeps nothing about the run
        settings.set(
            "DISABLE_HOOKS_FOR_PLUGINS", [*settings.DISABLE_HOOKS_FOR_PLUGINS, "kedro-viz"]
        )
    sys.path.append(str(folder))  # where modules of the user's own are
    context.obj = ProjectMetadata(
        config_file=folder / "pyproject.toml",
        package_name=PACKAGE,
        project_name=PACKAGE,
        project_path=folder,
        source_dir=folder,
        kedro_init_version=kedro_version,
        tools=[],
        example_pipeline="False",
    )


@program.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Copy the configuration to FOLDER, to change it there."""
    try:
        written = copy_configuration(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {', '.join(written)} to {folder.resolve()}. From now on, in that folder:")
    click.echo("  multifield run    uses conf/; conf/README.md explains its files")
    click.echo("  kedro viz run     shows the pipeline (pip install 'multifield[viz]')")


for command in (run, registry.registry, catalog.catalog):
    program.add_command(command)
