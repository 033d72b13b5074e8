import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from multifield.models import O3Err
from multifield.training import (
    NonFiniteLoss,
    choose_device,
    evaluate_loss,
    train_network,
    train_step,
)
from multifield.training.data import TrainingData
from multifield.training.loop import make_optimizer, make_schedule
from tests.unit.training.fakes import HYPERPARAMETERS, config, make_data


def test_fake_data_are_training_data() -> None:
    assert isinstance(make_data(), TrainingData)


def test_learning_rate_follows_the_published_schedule() -> None:
    settings = config(steps_up=500, steps_down=500)
    parameters = replace(HYPERPARAMETERS, lr=2e-3)
    optimizer = make_optimizer(O3Err(1, 0.0, 1, 16), parameters, settings)
    schedule = make_schedule(optimizer, parameters, settings)
    rates = []
    optimizer.step()  # PyTorch wants one before the schedule moves; without gradients it does nothing
    for _ in range(2001):
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    step = np.arange(2001)
    distance = np.abs((step + 500) % 1000 - 500)  # from the last time at the lowest rate
    np.testing.assert_allclose(rates, 1e-9 + (2e-3 - 1e-9) * distance / 500, rtol=1e-9, atol=1e-15)
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)


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


def test_best_validation_loss_is_kept() -> None:
    data = replace(make_data(), inferred=(1,))  # which maps say nothing of: overfitting comes early
    trained = train_network(data, replace(HYPERPARAMETERS, lr=0.05), config(epochs=6))
    valid = trained.losses[:, 2]
    assert trained.best_epoch == np.argmin(valid)
    assert trained.best_valid_loss == valid.min()
    assert trained.best_epoch < 5  # else the last state would pass as well
    network = O3Err(1, 0.2, 1, 16)
    network.load_state_dict(trained.state)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert evaluate_loss(network, data.valid, range(1), data.inferred) == valid.min()


def test_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = (
        train_network(make_data(), HYPERPARAMETERS, config(), seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.losses, again.losses)
    assert all(torch.equal(first.state[name], again.state[name]) for name in first.state)
    assert (first.losses[:, 1:] != other.losses[:, 1:]).all()


def test_seed_is_the_configurations_unless_given_and_reaches_the_loader() -> None:
    data = make_data()
    train_network(data, HYPERPARAMETERS, config(epochs=2, flips=False, shifts=True))
    assert data.train.drawn == [
        {"seed": 5, "epoch": epoch, "flips": False, "shifts": True} for epoch in (0, 1)
    ]


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    train_network(make_data(), HYPERPARAMETERS, config(epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_evaluation_takes_the_orientations_asked_for() -> None:
    data = make_data()
    train_network(data, HYPERPARAMETERS, config(epochs=1, eval_orientations=8))
    assert data.valid.drawn == data.test.drawn == [{"orientations": list(range(8))}]


@pytest.mark.parametrize(("maps_per_epoch", "n_batches"), [(15, 2), (16, 3), (24, 4), (1000, 5)])
def test_an_epoch_ends_once_more_than_so_many_maps_were_seen(
    maps_per_epoch: int, n_batches: int
) -> None:
    steps = []
    settings = config(epochs=1, maps_per_epoch=maps_per_epoch)
    data = make_data(n_maps=40)
    original = data.train._batches
    data.train._batches = lambda order: (steps.append(1) or batch for batch in original(order))  # type: ignore[assignment,method-assign]
    train_network(data, HYPERPARAMETERS, settings)
    assert len(steps) == n_batches


def test_one_batch_can_be_overfitted() -> None:
    torch.manual_seed(0)
    batch = next(make_data().train.random_epoch(0, 0, flips=False, shifts=False))
    network = O3Err(2, 0.0, 1, 16).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    losses = [train_step(network, optimizer, batch, (0, 1), step=step) for step in range(150)]
    assert losses[-1] < losses[0] - 8  # each of the two logarithms by e^-4, in variance
    assert all(math.isfinite(loss) for loss in losses)


def test_a_learnable_parameter_is_learnt() -> None:
    data = replace(make_data(n_maps=96), inferred=(0,))
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
    data, changed = make_data(), make_data()
    for loader in (changed.train, changed.valid, changed.test):
        loader.theta[:, 2:] = 0.5
    first, second = (train_network(d, HYPERPARAMETERS, config(epochs=1)) for d in (data, changed))
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
    data = make_data()
    data.valid.theta[0, 0] = np.nan
    with pytest.raises(NonFiniteLoss, match="in evaluation"):
        train_network(data, HYPERPARAMETERS, config())


def test_several_channels() -> None:
    trained = train_network(make_data(channels=3), HYPERPARAMETERS, config(epochs=1))
    assert trained.state["C01.weight"].shape[1] == 3


def test_a_last_batch_of_one_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch_size: .* got 8 for 25 training maps"):
        train_network(make_data(n_maps=25), HYPERPARAMETERS, config())


def test_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(ValueError, match="device: expected auto, cuda, mps, cpu; got 'tpu'"):
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
