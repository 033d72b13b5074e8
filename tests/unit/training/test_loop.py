import math
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from multifield import models, training
from multifield.data import MapLoader
from multifield.models import O3Err
from multifield.training import (
    NonFiniteLoss,
    PlainObjective,
    StepLoss,
    choose_device,
    evaluate_loss,
    train_network,
    train_step,
)
from multifield.training.step import make_optimizer
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta


def record(monkeypatch: pytest.MonkeyPatch, method: str) -> list[tuple[Any, ...]]:
    """Record loader and arguments of each call of a loader's method."""
    calls: list[tuple[Any, ...]] = []
    original = getattr(MapLoader, method)

    def noted(loader: MapLoader, *arguments: Any, **options: Any) -> Any:
        calls.append((loader, *arguments, options))
        return original(loader, *arguments, **options)

    monkeypatch.setattr(MapLoader, method, noted)
    return calls


def test_optimizer_is_the_benchmarks() -> None:
    network = O3Err(1, 0.0, 1, 16)
    optimizer = make_optimizer(network, HYPERPARAMETERS, config(betas=(0.4, 0.99)))
    assert type(optimizer) is torch.optim.AdamW
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"], group["betas"]) == (1e-2, 1e-3, (0.4, 0.99))
    assert len(group["params"]) == len(list(network.parameters()))


def test_weights_decay_apart_from_the_gradient() -> None:
    network = O3Err(1, 0.0, 1, 16)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = make_optimizer(network, replace(HYPERPARAMETERS, lr=0.5, wd=0.25), config())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    # AdamW multiplies by 1 - lr wd; Adam would feed wd to its moments and step by lr
    for old, new in zip(before, network.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old * 0.875)


def test_losses_have_a_row_an_epoch() -> None:
    reported = []
    trained = train_network(
        make_data(),
        HYPERPARAMETERS,
        config(),
        report=lambda epoch, losses: reported.append((epoch, *losses)),
    )
    assert trained.losses.dtype == np.float64
    np.testing.assert_array_equal(trained.losses, np.array(reported))
    np.testing.assert_array_equal(trained.losses[:, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("valid", "best"), [((3.0, 1.0, 2.0), 1), ((1.0, 2.0, 3.0), 0), ((2.0, 1.0, 1.0), 1)]
)
def test_first_epoch_of_the_lowest_validation_loss_is_kept(
    valid: tuple[float, ...], best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[dict[str, torch.Tensor]] = []
    data = make_data()

    def scripted(network: torch.nn.Module, loader: MapLoader, *_: object) -> float:
        if loader is data.test:
            return -9.0 - len(states)  # falls, and chooses nothing
        states.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return valid[len(states) - 1]

    monkeypatch.setattr("multifield.training.loop.evaluate_loss", scripted)
    trained = train_network(data, HYPERPARAMETERS, config())
    assert (trained.best_epoch, trained.best_valid_loss) == (best, min(valid))
    same = [
        all(torch.equal(trained.state[name], state[name]) for name in state) for state in states
    ]
    assert same == [epoch == best for epoch in range(3)]


def test_state_has_the_loss_it_is_said_to_have() -> None:
    data = make_data()
    trained = train_network(data, HYPERPARAMETERS, config())
    network = O3Err(1, 0.2, 1, 16)
    network.load_state_dict(trained.state)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = evaluate_loss(network, data.valid, range(1), data.inferred)
    assert loss == trained.best_valid_loss == trained.losses[:, 2].min()


def test_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = (
        train_network(make_data(), HYPERPARAMETERS, config(), seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.losses, again.losses)
    assert all(torch.equal(first.state[name], again.state[name]) for name in first.state)
    assert (first.losses[:, 1:] != other.losses[:, 1:]).all()


def test_seed_is_the_configurations_unless_given_and_reaches_the_loader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, drawn = make_data(), record(monkeypatch, "random_epoch")
    train_network(data, HYPERPARAMETERS, config(epochs=2, flips=False, shifts=True))
    options = {"flips": False, "shifts": True, "first_batch": 0}
    assert drawn == [(data.train, 5, epoch, options) for epoch in (0, 1)]


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    train_network(make_data(), HYPERPARAMETERS, config(epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("fails", [False, True])
def test_number_of_threads_is_given_back(fails: bool) -> None:
    seen = []

    def report(*_: object) -> None:
        seen.append(torch.get_num_threads())
        if fails:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) if fails else nullcontext():
        train_network(make_data(), HYPERPARAMETERS, config(epochs=1, n_threads=2), report=report)
    assert (seen, torch.get_num_threads()) == ([2], 1)


def test_no_number_of_threads_leaves_pytorchs() -> None:
    seen = []
    settings = config(epochs=1, n_threads=0)
    train_network(
        make_data(),
        HYPERPARAMETERS,
        settings,
        report=lambda *_: seen.append(torch.get_num_threads()),
    )
    assert seen == [1]  # the tests' own


def test_evaluation_takes_the_orientations_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data, drawn = make_data(), record(monkeypatch, "ordered")
    train_network(data, HYPERPARAMETERS, config(epochs=1, eval_orientations=8))
    assert drawn == [(data.valid, range(8), {}), (data.test, range(8), {})]


@pytest.mark.parametrize(("maps_per_epoch", "n_batches"), [(15, 2), (16, 3), (24, 4), (1000, 6)])
def test_an_epoch_ends_once_more_than_so_many_maps_were_seen(
    maps_per_epoch: int, n_batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []

    def noted(*arguments: Any, step: int, **options: Any) -> float:
        steps.append(step)
        return train_step(*arguments, step=step, **options)

    monkeypatch.setattr("multifield.training.loop.train_step", noted)
    settings = config(epochs=1, maps_per_epoch=maps_per_epoch)
    train_network(make_data(n_train=3), HYPERPARAMETERS, settings)  # 45 maps, 8 a batch
    assert steps == list(range(n_batches))


def test_one_batch_can_be_overfitted() -> None:
    torch.manual_seed(0)
    batch = next(make_data().train.random_epoch(0, 0, flips=False, shifts=False))
    network = O3Err(2, 0.0, 1, 16).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = [train_step(network, optimizer, batch, (0, 1), step=step) for step in range(150)]
    assert losses[-1] < losses[0] - 8  # each of the two logarithms by e^-4, in variance
    assert all(math.isfinite(loss) for loss in losses)


def test_a_learnable_parameter_is_learnt() -> None:
    data = make_data(n_train=8, inferred=(0,))
    trained = train_network(
        data,
        replace(HYPERPARAMETERS, dr=0.0, hidden=2),
        config(epochs=12, steps_up=48, steps_down=48),
    )
    assert trained.best_valid_loss < trained.losses[0, 2] - 4


def test_zero_learning_rate_changes_no_parameter() -> None:
    parameters = replace(HYPERPARAMETERS, lr=0.0)
    few, many = (
        train_network(make_data(), parameters, config(epochs=epochs, lr_min=0.0))
        for epochs in (1, 3)
    )
    learnt = [name for name in few.state if "running" not in name and "tracked" not in name]
    assert all(torch.equal(few.state[name], many.state[name]) for name in learnt)


def test_parameters_that_do_not_act_do_not_count() -> None:
    theta = make_theta(4)
    changed = np.hstack((theta[:, :2], np.ones((4, 4))))
    first, second = (
        train_network(make_data(theta=table), HYPERPARAMETERS, config(epochs=1))
        for table in (theta, changed)
    )
    np.testing.assert_array_equal(first.losses, second.losses)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_loss_raises_before_the_update(bad: float) -> None:
    torch.manual_seed(0)
    batch = next(make_data().train.random_epoch(0, 0, flips=False, shifts=False))
    network = O3Err(1, 0.0, 1, 16)
    before = [parameter.clone() for parameter in network.parameters()]
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.125)
    batch.theta[2, 1] = bad
    with pytest.raises(NonFiniteLoss, match=r"step 17 at learning rate 0\.125, maps \[") as caught:
        train_step(network, optimizer, batch, (0, 1), step=17)
    assert str(batch.index.tolist()) in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_non_finite_gradient_raises_before_the_update() -> None:
    torch.manual_seed(0)
    batch = next(make_data().train.random_epoch(0, 0, flips=False, shifts=False))
    network = O3Err(1, 0.0, 1, 16)
    network.get_parameter("FC1.bias").register_hook(lambda gradient: gradient * np.inf)
    before = network.get_parameter("FC2.bias").clone()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    with pytest.raises(NonFiniteLoss, match=r"gradient norm (nan|inf)"):
        train_step(network, optimizer, batch, (0, 1), step=0)
    assert torch.equal(network.get_parameter("FC2.bias"), before)


def test_non_finite_validation_loss_raises() -> None:
    theta = make_theta(4)
    theta[2, 1] = np.nan  # of the simulation to validate with
    with pytest.raises(NonFiniteLoss, match="in evaluation"):
        train_network(make_data(theta=theta), HYPERPARAMETERS, config())


def test_several_channels() -> None:
    trained = train_network(make_data(channels=3), HYPERPARAMETERS, config(epochs=1))
    assert trained.state["C01.weight"].shape[1] == 3


def test_a_last_batch_of_one_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size: .* got 29 for 30 training maps"):
        train_network(make_data(), HYPERPARAMETERS, config(batch_size=29))


def test_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(ValueError, match="device: Expected auto, cuda, mps, cpu, got 'tpu'"):
        choose_device("tpu")
    missing = [
        name
        for name, is_there in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
        )
        if not is_there
    ]
    for name in missing:
        with pytest.raises(ValueError, match=f"got '{name}'"):
            choose_device(name)


def test_a_state_dict_has_one_type() -> None:
    assert training.StateDict is models.StateDict


def test_an_objective_of_ones_own_is_what_steps_make_smaller():
    def nothing(network, batch, columns):
        minimized, moments = PlainObjective()(network, batch, columns)
        return StepLoss(0 * minimized, moments)  # no gradient but weight decay's

    nothing.needs_maps = True
    still = train_network(make_data(), HYPERPARAMETERS, config(epochs=1), objective=nothing)
    moved = train_network(make_data(), HYPERPARAMETERS, config(epochs=1))
    assert still.losses[0, 1] != 0  # the moment loss, whatever is made smaller
    assert still.losses[0, 2] != moved.losses[0, 2]
