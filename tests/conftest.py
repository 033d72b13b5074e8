import signal
from pathlib import Path

import numpy as np
import pytest

from tests.support import make_project


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
