"""Projects and configurations for the tests; no test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from multifield.config.loader import LOADER_ARGUMENTS, ConfigLoader
from tests.helpers.tolerances import TIME_LIMIT

ROOT = Path(__file__).parents[2]


def make_project(folder: Path) -> Path:
    """A project of its own: this configuration and this source, with an empty data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "src").mkdir()
    (folder / "src" / "multifield").symlink_to(ROOT / "src" / "multifield")
    return folder


def run_kedro(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `kedro` as a user does, in a process of its own."""
    # PyTorch's threads wait by spinning, which costs more than such small maps do where cores are shared
    return run_python(project, "-m", "kedro", *arguments, COLUMNS="200", OMP_NUM_THREADS="1")


def run_python(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with something more in the environment; what it said, and how it ended."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"DO_NOT_TRACK": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )


def load_parameters(environment: str, **runtime: Any) -> dict[str, Any]:
    """The parameters of an environment as a run would get them."""
    return dict(_loader(environment, runtime)["parameters"])


def load_catalog(environment: str, **runtime: Any) -> dict[str, Any]:
    """The catalog of an environment, as a run would get it."""
    return dict(_loader(environment, runtime)["catalog"])


def _loader(environment: str, runtime: dict[str, Any]) -> ConfigLoader:
    return ConfigLoader(str(ROOT / "conf"), environment, runtime, **LOADER_ARGUMENTS)
