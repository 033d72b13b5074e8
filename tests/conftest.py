import signal
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from tests.helpers.projects import make_project

# the same examples in every run, however long a busy machine takes to draw them
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let what a test and its fixtures draw from PyTorch not depend on the tests before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(20261124)


def pytest_configure() -> None:
    """Hear Ctrl-C as a person's shell does, also where a script started the tests in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


@pytest.fixture
def lognormal_maps(rng: np.random.Generator) -> np.ndarray:
    """Two simulations of 16-pixel maps, positive and of high contrast."""
    return np.exp(rng.normal(25, 1.5, (30, 16, 16))).astype(np.float32)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")
