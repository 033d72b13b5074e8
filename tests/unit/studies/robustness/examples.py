"""Small suites and settings for the tests of robustness."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from multifield import camels
from multifield.config.studies import PLAIN, Method, RobustnessConfig
from multifield.data import LogMaps, moments_of_log_maps
from multifield.maps import split_simulations
from multifield.studies.robustness import SuiteMaps
from tests.helpers import preprocessing
from tests.unit.training.examples import save_and_open

N = 6  # simulations per suite: two for training, two for validation, two for tests
RAW = preprocessing.PLAIN


def method(name: str = "several_suites", **changes: Any) -> Method:
    return replace(PLAIN, name=name, **changes)


def robustness(**changes: Any) -> RobustnessConfig:
    values: dict[str, Any] = {
        "suites": ("MockTNG", "MockSIMBA", "MockAstrid"),
        "held_back": "MockAstrid",
        "fields": ("T",),
        "studied": ("T",),
        "smoothing_widths": (0.0,),
        "epochs": 1,
        "orientations": 1,
        "clip": 14.0,
        "methods": (),
    }
    return RobustnessConfig(**(values | changes))


def make_suite_maps(
    suite: str,
    seed: int,
    *,
    fields: tuple[str, ...] = ("T",),
    widths: tuple[float, ...] = (0.0,),
    n_simulations: int = N,
    folder: Path | None = None,
) -> SuiteMaps:
    """Make maps with Omega_m at pixel (0, 0), the width at (0, 1) and noise about 4 elsewhere.

    With a folder they are in files there.
    """
    rng = np.random.default_rng(seed)
    theta = camels.unscale_theta(rng.random((n_simulations, 6)))
    log_maps = {}
    for field in fields:
        for width in widths:
            maps = rng.normal(4 + seed, 0.5, (15 * n_simulations, 16, 16)).astype(np.float32)
            maps[:, 0, 0] = np.repeat(theta[:, 0], 15)
            maps[:, 0, 1] = width
            moments = moments_of_log_maps(10**maps, field, RAW)
            if folder is not None:
                maps = save_and_open(folder / f"{field}_{width}.npy", maps)
            log_maps[field, width] = LogMaps(
                maps, moments, {"raw_sha256": f"{suite} {field} {width}"}
            )
    return SuiteMaps(suite, theta, split_simulations(n_simulations, n_valid=2, n_test=2), log_maps)
