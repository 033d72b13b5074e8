"""Where the configuration is: in the working folder, or the one that is shipped with the package."""

import shutil
import tomllib
from pathlib import Path

CONF = "conf"  # name of the folder, in a project and in the package
# what Kedro's own commands look for, and their answer to whether Kedro may report what is run
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
    """Give the folder of the configuration that comes with the package.

    Returns
    -------
    folder : Path
        ``conf`` inside the installed package, or at the root of the clone that is installed editable.
    """
    package = Path(__file__).parents[1]
    clone = package.parents[1]
    is_clone = (clone / "pyproject.toml").is_file() and (clone / CONF / "base").is_dir()
    return (clone if is_clone else package) / CONF


def find_configuration(project: Path | None = None) -> Path:
    """Give the folder of the configuration of a project, or the shipped one if it has none.

    Parameters
    ----------
    project : Path, optional
        Folder of the project. If not given, the working folder.

    Returns
    -------
    folder : Path
        Folder with an environment in each sub-folder.
    """
    own = (project or Path.cwd()) / CONF
    return own if (own / "base").is_dir() else shipped_configuration()


def find_project(folder: Path) -> Path:
    """Give the folder whose ``data/`` and ``conf/`` a run in `folder` uses.

    Parameters
    ----------
    folder : Path
        Working folder.

    Returns
    -------
    project : Path
        The Kedro project of multifield that `folder` is in, such as a clone; otherwise `folder` itself.

    Raises
    ------
    ValueError
        If it is in another Kedro project, where Kedro would look for data and configuration.
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
                f"{folder} is in the Kedro project {name!r} ({file}). Use a folder outside of it, or make "
                "this one a project of its own with `multifield init`."
            )
    return folder


def copy_configuration(folder: Path) -> list[str]:
    """Copy the shipped configuration to a folder and make the folder a Kedro project.

    Parameters
    ----------
    folder : Path
        Made if it does not exist. It may have a ``pyproject.toml`` and a ``.telemetry``, which are kept.

    Returns
    -------
    written : list of str
        What was written, relative to the folder.

    Raises
    ------
    FileExistsError
        If the folder has a ``conf``; nothing is written.
    """
    target = folder / CONF
    if target.exists():
        raise FileExistsError(
            f"{target.resolve()} exists and was kept. Move it away, or name another folder: "
            "multifield init FOLDER"
        )
    private = shutil.ignore_patterns("local", "credentials*")
    shutil.copytree(shipped_configuration(), target, ignore=private)
    (target / "local").mkdir()  # an environment of the user's own
    absent = {name: text for name, text in PROJECT_FILES.items() if not (folder / name).exists()}
    for name, text in absent.items():
        (folder / name).write_text(text, "utf-8")
    return [f"{CONF}/", *absent]
