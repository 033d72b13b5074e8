"""Folder of the configuration: that of the project, or the one shipped with the package."""

import shutil
import tomllib
from pathlib import Path

CONF = "conf"  # folder in a project and in the package
# files that Kedro's own commands look for; .telemetry refuses usage reports
PROJECT_FILES = {
    "pyproject.toml": """\
# Lets Kedro's own commands work in this folder: kedro run, kedro viz run, kedro ipython.
[tool.kedro]
package_name = "multifield"
project_name = "multifield"
kedro_init_version = "1.7.0"
source_dir = "."
""",
    ".telemetry": "consent: false\n",
}


def shipped_configuration() -> Path:
    """Return the folder of the configuration that is shipped with the package.

    Returns
    -------
    folder : Path
        ``conf`` in the installed package, or at the root of a clone with an editable installation.
    """
    package = Path(__file__).parents[1]
    clone = package.parents[1]
    is_clone = (clone / "pyproject.toml").is_file() and (clone / CONF / "base").is_dir()
    return (clone if is_clone else package) / CONF


def find_configuration(project: Path | None = None) -> Path:
    """Return the folder of the configuration of a project, or the shipped one if it has none.

    Parameters
    ----------
    project : Path, optional
        Folder of the project. If not given, the working folder.

    Returns
    -------
    folder : Path
        Folder with one sub-folder per environment.
    """
    own = (project or Path.cwd()) / CONF
    return own if (own / "base").is_dir() else shipped_configuration()


def find_project(folder: Path) -> Path:
    """Return the folder whose ``data/`` and ``conf/`` a run in `folder` uses.

    Parameters
    ----------
    folder : Path
        Working folder.

    Returns
    -------
    project : Path
        Project of multifield that contains `folder`, such as a clone, or `folder` itself.

    Raises
    ------
    ValueError
        If another Kedro project contains `folder`. Kedro would use its data and configuration.
    """
    folder = folder.resolve()
    for parent in (folder, *folder.parents):
        file = parent / "pyproject.toml"
        tools = tomllib.loads(file.read_text("utf-8")).get("tool", {}) if file.is_file() else {}
        if "kedro" in tools:
            name = tools["kedro"].get("package_name")
            if name == "multifield":
                return parent
            raise ValueError(
                f"{folder} is in the Kedro project {name!r} ({file}). Use another folder, or make "
                "this one a project with `multifield init`."
            )
    return folder


def copy_configuration(folder: Path) -> list[str]:
    """Copy the shipped configuration to a folder and make the folder a Kedro project.

    Parameters
    ----------
    folder : Path
        Target folder, created if needed. Its ``pyproject.toml`` and ``.telemetry`` are kept.

    Returns
    -------
    written : list of str
        Names of the written files and folders.

    Raises
    ------
    FileExistsError
        If the folder has a ``conf``. Nothing is written.
    """
    target = folder / CONF
    if target.exists():
        raise FileExistsError(
            f"{target.resolve()} exists and was kept. Move it, or choose another folder: "
            "multifield init FOLDER"
        )
    private = shutil.ignore_patterns("local", "credentials*")
    shutil.copytree(shipped_configuration(), target, ignore=private)
    (target / "local").mkdir()  # the user's environment
    absent = {name: text for name, text in PROJECT_FILES.items() if not (folder / name).exists()}
    for name, text in absent.items():
        (folder / name).write_text(text, "utf-8")
    return [f"{CONF}/", *absent]
