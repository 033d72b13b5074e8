"""Command lines: ``kedro`` in a project, ``multifield`` in any folder.

Commands of `cli` replace those of ``kedro`` in a project. `program` is ``multifield``, which has
the Kedro commands that need no project.
"""

import copy
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro import __version__ as kedro_version
from kedro.config import MissingConfigException
from kedro.framework.cli import catalog, project, registry
from kedro.framework.project import configure_project, settings
from kedro.framework.startup import ProjectMetadata
from kedro.io import DatasetError
from kedro.utils import is_kedro_project
from pydantic import TypeAdapter

from multifield.config.evaluation import EvaluationConfig
from multifield.config.folder import copy_configuration, find_configuration, find_project
from multifield.config.loader import read_parameters
from multifield.core.console import print_table
from multifield.core.threads import spin_briefly
from multifield.training.allocator import keep_freed_memory

PACKAGE = "multifield"
TRACEBACK = "MULTIFIELD_TRACEBACK"
ERROR_CODE = 2
TO_BE_READ = (
    *(ValueError, TypeError, OSError, RuntimeError, ImportError),
    *(DatasetError, MissingConfigException),
)
# packages whose messages are shown without a traceback
SPEAKERS = (PACKAGE, "kedro", "kedro_datasets", "omegaconf")
Columns = dict[str, str]
"""Parameter -> column of a table."""
logger = logging.getLogger(__name__)


@contextmanager
def exit_when_interrupted() -> Iterator[None]:
    """Exit after SIGTERM and Ctrl-C with the usual codes, 143 and 130, and one message.

    Kedro would print "Aborted!" and exit with 1, as after an error.

    Raises
    ------
    SystemExit
        Instead of KeyboardInterrupt and its subclass `multifield.training.TrainingInterrupted`.
    """
    try:
        yield
    except KeyboardInterrupt as interruption:
        signum = getattr(interruption, "signal", signal.SIGINT)
        logger.warning(
            "%s",
            str(interruption)
            or "Stopped at once. Finished files are kept, and trainings up to their last checkpoint. "
            "Run the same command to resume.",
        )
        raise SystemExit(128 + signum) from None


@contextmanager
def end_with_a_message() -> Iterator[None]:
    """Print errors for the user as a message on stderr and exit with code 2.

    Raises
    ------
    SystemExit
        Instead of such an error. Other errors keep their traceback. The environment variable
        MULTIFIELD_TRACEBACK keeps all tracebacks.
    """
    try:
        yield
    except Exception as error:
        message = explain(error)
        if message is None or os.environ.get(TRACEBACK):
            raise
        click.echo(f"Error: {message}\n({TRACEBACK}=1 shows the traceback.)", err=True)
        raise SystemExit(ERROR_CODE) from None


def explain(error: Exception) -> str | None:
    """Return the message of an error for the user.

    Parameters
    ----------
    error : Exception
        Error that ended a run.

    Returns
    -------
    message : str or None
        Message. None for program errors: errors of other types, or raised in other packages.
    """
    if isinstance(error, DatasetError) and isinstance(error.__cause__, Exception):
        return explain(error.__cause__)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    frames = list(traceback.walk_tb(error.__traceback__))
    package = str(frames[-1][0].f_globals.get("__name__", "")).partition(".")[0] if frames else ""
    return str(error) if isinstance(error, TO_BE_READ) and package in SPEAKERS else None


@click.group()
def cli() -> None:
    """Run the pipelines of multifield."""


@exit_when_interrupted()
@end_with_a_message()
def _run(**options: Any) -> Any:
    """Run Kedro's command after setting up folder, threads and memory of this process."""
    os.chdir(find_project(Path.cwd()))  # relative paths count from the project
    spin_briefly()
    keep_freed_memory()
    assert project.run.callback is not None
    return project.run.callback(**options)


ENVIRONMENT = "Environment in conf/. If not given, mock: mock universes, made by this project."


def _about(option: click.Parameter) -> click.Parameter:
    """Correct the help of an option: Kedro's says that --env defaults to `local`."""
    if option.name == "env":
        option = copy.copy(option)
        option.help = ENVIRONMENT
    return option


run = copy.copy(project.run)
project.run.hidden = True  # `kedro --help` would list both
run.params = [_about(option) for option in project.run.params]
run.callback = _run
cli.add_command(run)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=PACKAGE)
@click.pass_context
def program(context: click.Context) -> None:
    """Infer cosmological parameters from CAMELS maps.

    Results are stored in data/ in this folder. The configuration is conf/ in this folder, or the
    shipped one.
    """
    if context.invoked_subcommand == init.name:
        return
    configure_project(PACKAGE)
    folder = find_project(Path.cwd())
    settings.set("CONF_SOURCE", str(find_configuration(folder)))
    # outside a project, Kedro-Viz would warn that it stores nothing about the run
    if not is_kedro_project(folder):
        settings.set(
            "DISABLE_HOOKS_FOR_PLUGINS", [*settings.DISABLE_HOOKS_FOR_PLUGINS, "kedro-viz"]
        )
    sys.path.append(str(folder))  # for modules of the user
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
    """Copy the configuration to FOLDER for changes."""
    try:
        written = copy_configuration(folder)
    except FileExistsError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {', '.join(written)} to {folder.resolve()}. In that folder:")
    click.echo("  multifield run    uses conf/ (see conf/README.md)")
    click.echo("  kedro viz run     shows the pipeline (pip install 'multifield[viz]')")


def _parse_parameters(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parse_columns(_: click.Context, option: click.Parameter, texts: Sequence[str]) -> Columns:
    columns = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not equals:
            raise click.BadParameter(f"Expected PARAMETER=COLUMN, got {text!r}.", param=option)
        columns[name] = column
    return columns


def _names_columns(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the option that names columns of true values, means or standard deviations."""
    return click.option(
        f"--{role}",
        multiple=True,
        metavar="PARAMETER=COLUMN",
        callback=_parse_columns,
        help=f"Column of the {role} of a parameter, if its name does not tell. Repeatable.",
    )


EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@program.command()
@click.argument("files", nargs=-1, required=True, type=EXISTING)
@click.option(
    "--output",
    default="scores",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for metrics, figures and pages.",
)
@click.option(
    "--maps-per-simulation",
    type=click.IntRange(min=1),
    help="Maps per simulation. 1 for independent rows. Default: that of the file, or 15.",
)
@click.option(
    "--orientations",
    type=click.IntRange(min=1),
    help="Orientations per map, in rows ordered (orientation, simulation, map). Default: 1.",
)
@click.option(
    "--parameters",
    default="",
    callback=_parse_parameters,
    help="Parameters to score, joined with commas. Default: all in the file.",
)
@click.option(
    "--table",
    default="",
    help="Parameter table of a CSV or Parquet file, such as IllustrisTNG_28. Default: that of the "
    "file, or CMD.",
)
@click.option("--truth", type=EXISTING, help="Table of true parameters, per map or simulation.")
@_names_columns("true")
@_names_columns("mean")
@_names_columns("std")
@exit_when_interrupted()
@end_with_a_message()
def score(
    files: Sequence[Path],
    output: Path,
    maps_per_simulation: int | None,
    orientations: int | None,
    parameters: tuple[str, ...],
    table: str,
    truth: Path | None,
    **columns: Columns,
) -> None:
    """Score predictions of any program against the truth.

    FILES are the benchmark's text of 18 columns; CSV or Parquet with columns such as Omega_m_true,
    Omega_m_mean and Omega_m_std; or Parquet with one row per draw (map, Omega_m, ...). Several
    files are compared.
    """
    from multifield.reporting.console_summary import summary_table  # these import PyTorch
    from multifield.studies.scoring import Layout, score_files

    layout = Layout(
        maps_per_simulation=maps_per_simulation,
        orientations=orientations,
        parameters=parameters,
        columns=columns,
        truth=truth,
        table=table,
    )
    settings = read_parameters("base", {})["evaluation"]
    config = TypeAdapter(EvaluationConfig).validate_python(settings)
    page, scores = score_files(files, layout, output, config.bootstrap, config.calibration)
    for name, found in scores.items():
        space = found.predictions.results.space
        shown = summary_table(found.metrics, field=name, intervals=found.intervals, space=space)
        print_table(shown, ())
    click.echo(f"Wrote {page}.")


for command in (run, registry.registry, catalog.catalog):
    program.add_command(command)
