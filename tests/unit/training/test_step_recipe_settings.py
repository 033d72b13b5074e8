"""Settings of a recipe: loss, schedule, gradients, averaged weights."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from multifield.config.training import LossName, TrainingConfig, list_causes
from multifield.data import Batch
from multifield.models import O3Err, SummaryStatistics
from multifield.models.network import Network
from multifield.training import (
    NonFiniteLoss,
    PlainObjective,
    TrainingInterrupted,
    train_network,
    train_step,
)
from multifield.training.loss import LOSSES
from multifield.training.step import average_weights, make_optimizer, make_schedule
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data
from tests.unit.training.test_checkpoint import assert_same, signal_after

FLOAT32_RTOL = 1e-6  # a dozen float32 operations

RECIPE = config(
    architecture="summary_statistics",
    loss="nll",
    schedule="one_cycle",
    max_gradient_norm=1.0,
    weight_averaging=0.9,
)


def first_batch() -> Batch:
    return next(make_data().train.random_epoch(0, 0, flips=False, shifts=False))


def make_network() -> SummaryStatistics:
    torch.manual_seed(1)
    return SummaryStatistics(1, 0.0, 1, 16)


# ---- loss ----


def test_losses_are_those_of_the_configuration() -> None:
    assert get_args(LossName) == tuple(LOSSES)


@pytest.mark.parametrize("judged_by", LOSSES)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_tells_the_loss_asked_for_whatever_it_minimizes(loss: str, judged_by: str) -> None:
    network, batch = make_network(), first_batch()
    y = deepcopy(network)(torch.from_numpy(batch.x)).detach()
    theta = torch.from_numpy(batch.theta[:, :2])
    robust = loss != judged_by
    expected = LOSSES[judged_by](network.head, y, theta, [0, 1], 0, robust=robust).item()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    objective = PlainObjective(loss, judged_by)
    found = train_step(network, optimizer, batch, (0, 1), objective, step=0)
    assert found == pytest.approx(expected, rel=1e-5)  # sums in another order, channels last


@pytest.mark.parametrize("judged_by", LOSSES)
def test_an_epoch_is_judged_by_the_loss_asked_for(judged_by: LossName) -> None:
    """The loss of all validation maps together, from the network that is saved."""
    data = make_data()
    settings = replace(RECIPE, judged_by=judged_by)
    trained = train_network(data, HYPERPARAMETERS, settings)
    network = make_network()
    network.load_state_dict(trained.state)
    network.eval()
    batches = [(network(torch.tensor(b.x)), torch.tensor(b.theta)) for b in data.valid.ordered([0])]
    y, theta = (torch.cat(parts).detach() for parts in zip(*batches, strict=True))
    expected = LOSSES[judged_by](network.head, y, theta[:, :2], [0, 1], 0, robust=True).item()
    assert trained.best_valid_loss == trained.losses[:, 2].min()
    assert trained.best_valid_loss == pytest.approx(expected, rel=1e-5)  # as above


def test_the_loss_asked_for_is_minimized() -> None:
    network, batch = make_network(), first_batch()
    y = network(torch.from_numpy(batch.x))
    theta = torch.from_numpy(batch.theta[:, :2])
    loss = LOSSES["nll"](network.head, y, theta, [0, 1], 0)
    loss.backward()  # type: ignore[no-untyped-call]
    expected = network.get_parameter("direct.weight").grad
    assert expected is not None
    again = make_network()
    train_step(
        again,
        torch.optim.SGD(again.parameters(), lr=0.0),
        batch,
        (0, 1),
        PlainObjective("nll"),
        step=0,
    )
    found = again.get_parameter("direct.weight").grad
    # products of sums over 256 pixels in another order
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


# ---- gradients ----


@pytest.mark.parametrize(("longest", "expected"), [(0.25, 0.25), (0.0, None), (1e6, None)])
def test_gradients_are_shortened_to_what_is_allowed(longest: float, expected: float | None) -> None:
    network, batch = make_network(), first_batch()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    train_step(network, optimizer, batch, (0, 1), step=0, max_gradient_norm=longest)
    free = make_network()
    train_step(free, torch.optim.SGD(free.parameters(), lr=1.0), batch, (0, 1), step=0)
    expected = gradient_norm(free) if expected is None else expected
    assert gradient_norm(free) > 0.25  # so that it has something to shorten
    assert gradient_norm(network) == pytest.approx(expected, rel=FLOAT32_RTOL)


def gradient_norm(network: nn.Module) -> float:
    norm = torch.nn.utils.get_total_norm(
        [p.grad for p in network.parameters() if p.grad is not None]
    )
    return float(norm)


# ---- weight decay ----


@pytest.mark.parametrize("architecture", [O3Err, SummaryStatistics])
def test_weight_decay_of_biases(architecture: type[Network]) -> None:
    """It is that of the benchmark for its network, and none for networks that read features."""
    network = architecture(3, 0.0, 1, 16)
    before = {name: each.detach().clone() for name, each in network.named_parameters()}
    for each in network.parameters():
        each.data.add_(1)
        each.grad = torch.zeros_like(each)
    make_optimizer(network, replace(HYPERPARAMETERS, lr=0.1, wd=0.5), config()).step()
    for name, each in network.named_parameters():
        decays = architecture is O3Err or not name.endswith("bias")
        torch.testing.assert_close(each, (0.95 if decays else 1) * (before[name] + 1))


# ---- schedule ----


def one_cycle_rates(n_steps: int, lr: float, warm_up: float) -> list[float]:
    settings = config(schedule="one_cycle", warm_up=warm_up)
    parameters = replace(HYPERPARAMETERS, lr=lr)
    optimizer = make_optimizer(make_network(), parameters, settings)
    schedule = make_schedule(optimizer, parameters, settings, n_steps)
    optimizer.step()  # PyTorch wants one before the schedule moves
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[0]["betas"] == settings.betas  # no cycling momentum
        schedule.step()
    return rates


def test_one_cycle_goes_up_once_and_down_to_nothing() -> None:
    rates = one_cycle_rates(200, lr=2e-3, warm_up=0.25)
    top = int(np.argmax(rates))
    assert max(rates) == pytest.approx(2e-3, rel=1e-3)  # the top lies between two steps
    assert top == pytest.approx(0.25 * 200, abs=1)
    assert np.all(np.diff(rates[: top + 1]) > 0)
    assert np.all(np.diff(rates[top:]) < 0)
    assert rates[-1] < 1e-3 * 2e-3  # the cosine's last step of 150


def test_a_training_takes_all_steps_of_its_cycle() -> None:
    trained = train_network(make_data(), HYPERPARAMETERS, RECIPE)
    assert len(trained.losses) == RECIPE.epochs


# ---- averaged weights ----


def test_weights_are_averaged_with_a_memory_that_grows() -> None:
    network = nn.Linear(1, 1, bias=False)
    averaged = average_weights(network, config(weight_averaging=0.5))
    assert averaged is not None
    expected = 0.0
    for n, value in enumerate((3.0, 5.0, 1.0, 8.0, 2.0, 4.0, 6.0, 7.0, 9.0, 1.0, 0.0)):
        network.weight.data.fill_(value)
        averaged.update_parameters(network)
        memory = 0.0 if n == 0 else min(0.5, (1 + n) / (10 + n))
        expected = memory * expected + (1 - memory) * value
    assert averaged.module.weight.item() == pytest.approx(expected, rel=1e-6)


def test_running_statistics_are_averaged_and_counts_are_not() -> None:
    network = O3Err(1, 0.0, 1, 16)
    averaged = average_weights(network, config(weight_averaging=0.5))
    assert averaged is not None
    for value in (2, 4):
        network.get_buffer("B02.running_mean").fill_(value)
        network.get_buffer("B02.num_batches_tracked").fill_(value)
        averaged.update_parameters(network)
    memory = 2 / 11
    expected = memory * 2 + (1 - memory) * 4
    found = averaged.module.get_buffer("B02.running_mean")
    torch.testing.assert_close(found, torch.full_like(found, expected))
    assert averaged.module.get_buffer("B02.num_batches_tracked") == 4


def test_no_averages_are_made_where_none_are_asked_for() -> None:
    assert average_weights(make_network(), config()) is None


def test_the_averaged_network_is_judged_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[nn.Module] = []

    def scripted(network: nn.Module, *_: object) -> float:
        judged.append(deepcopy(network))
        return float(len(judged))  # rises, so that the first epoch is the best

    monkeypatch.setattr("multifield.training.loop.evaluate_loss", scripted)
    trained = train_network(make_data(), HYPERPARAMETERS, RECIPE)
    plain = train_network(make_data(), HYPERPARAMETERS, replace(RECIPE, weight_averaging=0.0))
    first = judged[0].state_dict()
    assert all(torch.equal(trained.state[name], tensor) for name, tensor in first.items())
    assert not torch.equal(trained.state["direct.weight"], plain.state["direct.weight"])


def test_averaging_does_not_change_the_training() -> None:
    batches = [
        train_network(make_data(), HYPERPARAMETERS, replace(RECIPE, weight_averaging=memory)).losses
        for memory in (0.0, 0.9)
    ]
    np.testing.assert_array_equal(batches[0][:, 1], batches[1][:, 1])  # losses while training


# ---- going on ----


@pytest.mark.parametrize(
    "settings",
    [RECIPE, replace(RECIPE, architecture="o3_err", loss="moments", schedule="cyclic")],
)
@pytest.mark.parametrize("step", [1, 7])
def test_a_training_with_averages_goes_on_bit_for_bit(
    step: int, settings: TrainingConfig, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    undisturbed = train_network(make_data(), HYPERPARAMETERS, settings)
    with pytest.MonkeyPatch.context() as patch:
        signal_after(patch, step)
        with pytest.raises(TrainingInterrupted):
            train_network(make_data(), HYPERPARAMETERS, settings, checkpoint=path)
    resumed = train_network(make_data(), HYPERPARAMETERS, settings, checkpoint=path)
    assert_same(resumed, undisturbed)


def test_a_checkpoint_without_averages_is_refused_where_they_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train_network(make_data(), HYPERPARAMETERS, config(), checkpoint=path)
    with pytest.raises(
        ValueError, match=r"training\.weight_averaging: checkpoint 0\.0, this run 0\.9"
    ):
        train_network(make_data(), HYPERPARAMETERS, config(weight_averaging=0.9), checkpoint=path)


# ---- causes ----


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"loss": "nll"}, "loss"),
        ({"judged_by": "nll"}, "judged_by"),
        ({"schedule": "one_cycle"}, "schedule"),
        ({"schedule": "one_cycle"}, "warm_up"),
        ({"max_gradient_norm": 1.0}, "max_gradient_norm"),
        ({"weight_averaging": 0.9}, "weight_averaging"),
    ],
)
def test_other_settings_are_causes(changes: dict[str, Any], cause: str) -> None:
    found, published = list_causes(config(**changes)), list_causes(config())
    assert found[f"training.{cause}"] != published.get(f"training.{cause}")


def test_settings_of_the_other_schedule_are_no_causes() -> None:
    assert list_causes(replace(RECIPE, steps_up=9)) == list_causes(RECIPE)
    assert list_causes(config(warm_up=0.5)) == list_causes(config())


def test_the_new_network_learns() -> None:
    # the brightness of a map is its first parameter
    settings = replace(RECIPE, epochs=12, eval_orientations=1)
    trained = train_network(make_data(n_train=4, inferred=(0,)), HYPERPARAMETERS, settings)
    # moment loss of the prior: log(1/12) + log of the square's scatter, about -7
    assert trained.losses[-1, 1] < trained.losses[0, 1] - 2


def test_a_non_finite_gradient_is_not_shortened_away() -> None:
    network, batch = make_network(), first_batch()
    network.get_parameter("FC1.bias").register_hook(lambda gradient: gradient * np.inf)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    with pytest.raises(NonFiniteLoss):
        train_step(network, optimizer, batch, (0, 1), step=0, max_gradient_norm=1.0)
