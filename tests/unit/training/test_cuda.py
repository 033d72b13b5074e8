"""A GPU gives the results of the CPU, to the rounding of each precision."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from multifield.evaluation import predict
from multifield.models import find_architecture
from multifield.training import train_network
from tests.helpers.tolerances import (
    BFLOAT16_LOSS_RTOL,
    BFLOAT16_NETWORK_RTOL,
    CHANNELS_LAST_RTOL,
    FIRST_LOSSES_RTOL,
)
from tests.unit.training.examples import HYPERPARAMETERS, MAP_SIZE, config, make_data

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
both = pytest.mark.parametrize("architecture", ["o3_err", "summary_statistics"])


def first_losses(**settings: Any) -> float:
    """Return the mean loss of an epoch's batches without weight changes."""
    unchanged = replace(HYPERPARAMETERS, lr=0.0, dr=0.0)
    trained = train_network(make_data(), unchanged, config(epochs=1, **settings))
    return float(trained.losses[0, 1])


@both
@pytest.mark.parametrize("resident", ["never", "always"])
@pytest.mark.parametrize(
    ("precision", "rtol"),
    [
        ("float32", FIRST_LOSSES_RTOL),
        ("tfloat32", BFLOAT16_LOSS_RTOL / 4),  # rounds to 2^-11 instead of 2^-9
        ("bfloat16", BFLOAT16_LOSS_RTOL),
    ],
)
def test_first_losses_are_those_of_the_cpu(
    architecture: str, resident: str, precision: str, rtol: float
) -> None:
    same = {"architecture": architecture, "resident": resident}
    there = first_losses(device="cuda", precision=precision, **same)
    assert there == pytest.approx(first_losses(**same), rel=rtol)


@both
@pytest.mark.parametrize(
    ("precision", "rtol"), [("float32", CHANNELS_LAST_RTOL), ("bfloat16", BFLOAT16_NETWORK_RTOL)]
)
def test_predictions_are_those_of_the_cpu(architecture: str, precision: str, rtol: float) -> None:
    torch.manual_seed(1)
    network = find_architecture(architecture)(hidden=2, dropout=0.0, channels=1, map_size=MAP_SIZE)
    loader = make_data().test
    here, there = (
        predict(network, loader, range(8), device=device, precision=how)
        for device, how in (("cpu", "float32"), ("cuda", precision))
    )
    for expected, found in ((here.mean, there.mean), (here.std, there.std)):
        expected, found = expected[:, :2], found[:, :2]  # the two that are inferred
        assert np.abs(found - expected).max() < rtol * np.abs(expected).max()
