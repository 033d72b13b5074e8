"""Where the configuration is: in the working folder, or the one that is shipped with the package."""

from pathlib import Path

CONF = "conf"  # name of the folder, in a project and in the package


def shipped_configuration() -> Path:
    """Give the folder of the configuration that comes with the package.

    Returns
    -------
    folder : Path
        ``conf`` inside the installed package, or at the root of the clone that is installed editable.
    """
    package = Path(__file__).parent
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
