"""All optimizations of a step compute the losses of the plain network and optimizer."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from multifield.config.training import TrainingConfig
from multifield.data import MapLoader, Normalization, SplitLoaders
from multifield.models import O3Err
from multifield.training import NonFiniteLoss, train_step
from multifield.training.step import build_network, evaluate_loss, make_optimizer, make_schedule
from tests.helpers.projects import ROOT
from tests.helpers.tolerances import (
    BFLOAT16_LOSS_RTOL,
    FIRST_LOSSES_RTOL,
    FUSED_OPTIMIZER_RTOL,
    TIME_LIMIT,
)
from tests.reference.plain_o3_err import PlainO3Err
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta

CPU = torch.device("cpu")
COLUMNS = tuple(range(6))
N_STEPS = 3
# the published schedule and optimizer; without dropout, whose draws depend on the order of the elements
SETTINGS = config(steps_up=500, steps_down=500, betas=(0.5, 0.999))
PARAMETERS = replace(HYPERPARAMETERS, lr=1e-3, dr=0.0)


@pytest.fixture(scope="module")
def data() -> SplitLoaders:
    """Maps of 256 pixels in batches of 16, for more than three steps."""
    rng, theta = np.random.default_rng(0), make_theta(7)
    contrast = rng.uniform(0.5, 1.5, (7 * 15, 1, 1))
    maps = (contrast * rng.normal(size=(7 * 15, 256, 256))).astype(np.float32)
    normalization = Normalization(over="all", fields=("T",), mean=(0.0,), std=(1.0,))

    def load(*simulations: int) -> MapLoader:
        options: dict[str, Any] = {"batch_size": 16, "inferred": COLUMNS}
        return MapLoader([maps], theta, simulations, normalization, **options)

    return replace(
        make_data(),
        train=load(*range(5)),
        valid=load(5),
        test=load(6),
    )


def first_losses(
    network: torch.nn.Module, optimizer: torch.optim.Optimizer, data: SplitLoaders
) -> list[float]:
    schedule = make_schedule(optimizer, PARAMETERS, SETTINGS, 0)
    losses = []
    batches = data.train.random_epoch(0, 0, flips=True, shifts=False)
    for step, batch in zip(range(N_STEPS), batches, strict=False):
        losses.append(train_step(network.train(), optimizer, batch, COLUMNS, step=step))
        schedule.step()
    return losses


def make_network(data: SplitLoaders, settings: TrainingConfig) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_network(data, PARAMETERS, settings, CPU)


@pytest.fixture(scope="module")
def plain_losses(data: SplitLoaders) -> list[float]:
    """Losses of plain PyTorch: padding by convolutions, nothing in place, the plain optimizer."""
    plain = PlainO3Err(PARAMETERS.hidden, 1)
    plain.load_state_dict(make_network(data, SETTINGS).state_dict())
    optimizer = torch.optim.AdamW(
        plain.parameters(), lr=1e-3, betas=(0.5, 0.999), weight_decay=PARAMETERS.wd, foreach=False
    )
    return first_losses(plain, optimizer, data)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        ("auto", FIRST_LOSSES_RTOL),
        ("float32", FIRST_LOSSES_RTOL),
        ("bfloat16", BFLOAT16_LOSS_RTOL),
    ],
)
def test_first_losses_are_the_plain_networks(
    precision: Any, tolerance: float, data: SplitLoaders, plain_losses: list[float]
) -> None:
    settings = replace(SETTINGS, precision=precision)
    network = make_network(data, settings)
    optimizer = make_optimizer(network, PARAMETERS, settings)
    losses = first_losses(network, optimizer, data)
    assert losses == pytest.approx(plain_losses, rel=tolerance)


def test_bfloat16_is_really_used(data: SplitLoaders) -> None:
    types = []
    for precision in ("float32", "bfloat16"):
        network = make_network(data, replace(SETTINGS, precision=precision))
        for name in ("C32", "B32", "FC1"):
            network.get_submodule(name).register_forward_hook(
                lambda module, inputs, output: types.append(output.dtype)
            )
        network(torch.randn(2, 1, 256, 256))
    assert types == 3 * [torch.float32] + [torch.bfloat16, torch.bfloat16, torch.float32]


def test_weights_and_statistics_are_float32_in_every_precision(data: SplitLoaders) -> None:
    settings = replace(SETTINGS, precision="bfloat16")
    network = make_network(data, settings)
    optimizer = make_optimizer(network, PARAMETERS, settings)
    first_losses(network, optimizer, data)
    kinds = {tensor.dtype for tensor in network.state_dict().values()}
    assert kinds == {torch.float32, torch.int64}  # the count of batches
    moments = [tensor for state in optimizer.state.values() for tensor in state.values()]
    assert {tensor.dtype for tensor in moments} == {torch.float32}


def test_validation_is_float32_in_every_precision(data: SplitLoaders) -> None:
    losses = [
        evaluate_loss(
            make_network(data, replace(SETTINGS, precision=precision)),
            data.valid,
            range(1),
            COLUMNS,
        )
        for precision in ("float32", "bfloat16")
    ]
    assert losses[0] == losses[1]


def test_validation_is_the_plain_networks(data: SplitLoaders) -> None:
    network = make_network(data, SETTINGS)
    first_losses(network, make_optimizer(network, PARAMETERS, SETTINGS), data)
    plain = PlainO3Err(PARAMETERS.hidden, 1)
    plain.load_state_dict(network.state_dict())
    losses = [evaluate_loss(each, data.valid, range(2), COLUMNS) for each in (network, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=FIRST_LOSSES_RTOL)


@pytest.fixture(scope="module")
def compiled() -> dict[str, list[float]]:
    command = [sys.executable, "-m", "tests.unit.training.compiled_steps"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIME_LIMIT
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step(compiled: dict[str, list[float]]) -> None:
    assert compiled["always"] == pytest.approx(compiled["never"], rel=FIRST_LOSSES_RTOL)


@pytest.mark.slow
def test_a_compiled_step_with_a_non_finite_loss_changes_no_weight(
    compiled: dict[str, list[float]],
) -> None:
    assert not any(compiled["weights changed by no number"])


@pytest.mark.slow
def test_every_trial_of_a_study_is_compiled(compiled: dict[str, list[float]]) -> None:
    """Compile once, for whole batches; by default PyTorch stops after eight."""
    assert compiled["compiled of each network"] == [1.0] * 6


def test_the_fused_optimizer_is_the_plain_one() -> None:
    settings = replace(PARAMETERS, wd=0.1)
    networks = [O3Err(2, 0.0, 1, 16) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    fused = make_optimizer(networks[0], settings, SETTINGS)
    plain = torch.optim.AdamW(
        networks[1].parameters(), lr=1e-3, betas=(0.5, 0.999), weight_decay=0.1, foreach=False
    )
    assert fused.defaults["fused"]
    for _ in range(20):
        for a, b in zip(*(network.parameters() for network in networks), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        fused.step()
        plain.step()
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        scale = b.abs().max()
        torch.testing.assert_close(a / scale, b / scale, rtol=0, atol=FUSED_OPTIMIZER_RTOL)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_non_finite_loss_changes_no_weight_in_any_precision(precision: Any, bad: float) -> None:
    data = make_data()
    settings = replace(SETTINGS, precision=precision)
    network = make_network(data, settings).train()
    optimizer = make_optimizer(network, PARAMETERS, settings)
    batch = next(data.train.random_epoch(0, 0, flips=False, shifts=False))
    batch.theta[2, 1] = bad
    before = [parameter.clone() for parameter in network.parameters()]
    with pytest.raises(NonFiniteLoss, match="step 3"):
        train_step(network, optimizer, batch, (0, 1), step=3)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_convolutions_out_of_range_are_noticed_in_bfloat16() -> None:
    data = make_data()
    settings = replace(SETTINGS, precision="bfloat16")
    network = make_network(data, settings).train()
    optimizer = make_optimizer(network, PARAMETERS, settings)
    batch = next(data.train.random_epoch(0, 0, flips=False, shifts=False))
    batch.x[1] = np.inf
    with pytest.raises(NonFiniteLoss, match="loss nan"):
        train_step(network, optimizer, batch, (0, 1), step=0)
