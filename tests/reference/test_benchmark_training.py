"""Split, schedule, epoch, loss and search have the benchmark's numbers."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from pydantic import TypeAdapter

from multifield import camels
from multifield.config.training import TrainingConfig
from multifield.config.tuning import TuningConfig
from multifield.data import MapLoader, Normalization
from multifield.maps import split_simulations
from multifield.models import O3Err
from multifield.models.heads import DiagonalHead
from multifield.training import LossSums, train_network
from multifield.training.step import make_optimizer, make_schedule, train_step
from multifield.tuning import open_study, suggest
from multifield.tuning.storage import open_sqlite
from tests.helpers.projects import load_parameters
from tests.helpers.torch_threads import one_thread as one_thread
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data

LR_RTOL = (
    1e-12  # float64, a dozen operations; PyTorch's cycle adds 1 + step / 1000 and loses 3 digits
)


def published(group: str) -> Mapping[str, Any]:
    return dict(load_parameters("base")[group])


def test_split_is_numpys_shuffle_of_seed_1() -> None:
    numbers = np.arange(1000)
    np.random.seed(1)  # noqa: NPY002  as the benchmark draws
    np.random.shuffle(numbers)  # noqa: NPY002
    split = split_simulations(1000, published("split")["seed"])
    assert split.train == tuple(numbers[:900])
    assert split.valid == tuple(numbers[900:950])
    assert split.test == tuple(numbers[950:])
    # numbers published with the benchmark
    assert split.train[:5] == (507, 818, 452, 368, 242)
    assert split.valid[:5] == (418, 288, 648, 166, 595)
    assert split.test[:5] == (264, 209, 316, 896, 513)


@pytest.fixture
def rates() -> list[float]:
    """Return the learning rates of the published schedule per batch, over two cycles and a step."""
    settings = TypeAdapter(TrainingConfig).validate_python(published("training"))
    parameters = replace(HYPERPARAMETERS, lr=2e-3)
    optimizer = make_optimizer(O3Err(1, 0.0, 1, 16), parameters, settings)
    schedule = make_schedule(optimizer, parameters, settings, 0)
    optimizer.step()  # PyTorch wants one before the schedule moves
    found = []
    for _ in range(2001):
        found.append(optimizer.param_groups[0]["lr"])
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)  # no cycling momentum
        schedule.step()
    return found


def test_rates_are_those_of_the_closed_formula(rates: list[float]) -> None:
    for step, rate in enumerate(rates):
        up = step % 1000 if step % 1000 <= 500 else 1000 - step % 1000  # 0 to 500 to 0
        assert rate == pytest.approx(1e-9 + (2e-3 - 1e-9) * up / 500, rel=1e-9, abs=1e-16)
    assert (rates[0], rates[500], rates[1000]) == pytest.approx((1e-9, 2e-3, 1e-9), rel=1e-6)


def test_rates_are_those_of_pytorchs_cycle(rates: list[float]) -> None:
    optimizer = torch.optim.AdamW([torch.zeros(1)], lr=2e-3, betas=(0.5, 0.999))
    schedule = torch.optim.lr_scheduler.CyclicLR(
        optimizer, 1e-9, 2e-3, step_size_up=500, step_size_down=500, cycle_momentum=False
    )
    optimizer.step()
    for rate in rates:
        assert rate == optimizer.param_groups[0]["lr"]
        schedule.step()


def record_steps(monkeypatch: pytest.MonkeyPatch, *, really: bool) -> list[tuple[int, float]]:
    """Record the maps and learning rate of each batch; train only if `really`."""
    steps: list[tuple[int, float]] = []

    def noted(
        network: Any, optimizer: Any, batch: Any, *others: Any, step: int, **options: Any
    ) -> float:
        steps.append((len(batch.index), optimizer.param_groups[0]["lr"]))
        if really:
            return train_step(network, optimizer, batch, *others, step=step, **options)
        optimizer.step()  # nothing has a gradient
        return 0.0

    monkeypatch.setattr("multifield.training.loop.train_step", noted)
    return steps


def test_the_rate_moves_every_batch_and_goes_on_from_epoch_to_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = record_steps(monkeypatch, really=True)
    train_network(make_data(), HYPERPARAMETERS, config(epochs=3, steps_up=4, steps_down=4))
    used = [rate for _, rate in steps]  # 4 batches an epoch
    expected = [1e-9 + (1e-2 - 1e-9) * up / 4 for up in (0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3)]
    assert used == pytest.approx(expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("n_simulations", "batches"),
    [
        (900, [128] * 105 + [60]),  # LH: 13,500 maps, each once; 18,000 are never reached
        (1200, [128] * 140 + [80]),  # 18,000 are not more than 18,000
        (1843, [128] * 141),  # SB28's 27,645: 18,048 maps, then the next epoch
    ],
)
def test_an_epoch_of_the_published_size(
    n_simulations: int, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TypeAdapter(TrainingConfig).validate_python(published("training"))
    maps = np.zeros((15 * n_simulations, 16, 16), np.float32)
    loader = MapLoader(
        [maps],
        np.full((n_simulations, 6), 0.8),
        tuple(range(n_simulations)),
        Normalization(over="all", fields=tuple(camels.FIELDS)[:1], mean=(0.0,), std=(1.0,)),
        batch_size=settings.batch_size,
        inferred=(0, 1),
    )
    steps = record_steps(monkeypatch, really=False)
    settings = replace(settings, epochs=1, eval_orientations=1, device="cpu")
    train_network(replace(make_data(), train=loader), HYPERPARAMETERS, settings)
    assert [n_maps for n_maps, _ in steps] == batches


def test_validation_takes_the_logarithm_of_averages_over_the_set() -> None:
    sums = LossSums("moments", DiagonalHead(1), (0,))
    sums.add(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0]]))  # error 1, variance 0
    sums.add(torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0]]))  # error 9, variance 1
    # averages 5 and (1 + 64) / 2; the average of the batches' losses would be log(9 x 64) / 2
    assert sums.loss() == pytest.approx(math.log(5) + math.log(32.5), rel=1e-15)


def test_a_new_study_searches_as_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samplers: list[dict[str, Any]] = []
    real = optuna.samplers.TPESampler

    def noted(**options: Any) -> optuna.samplers.TPESampler:
        samplers.append(options)
        return real(**options)

    monkeypatch.setattr("multifield.tuning.sampler.TPESampler", noted)
    tuning = TypeAdapter(TuningConfig).validate_python(published("tuning"))
    study = open_study(tmp_path / "study.db", tuning)
    suggest(study.ask(), tuning.search_space)
    stored = optuna.load_study(
        study_name="wd_dr_hidden_lr_o3", storage=open_sqlite(tmp_path / "study.db")
    )
    assert tuning.n_trials == 50
    assert {options["n_startup_trials"] for options in samplers} == {20}
    assert all(set(options) == {"n_startup_trials", "seed"} for options in samplers)
    assert stored.direction == optuna.study.StudyDirection.MINIMIZE
    assert stored.trials[0].distributions == {
        "lr": optuna.distributions.FloatDistribution(1e-5, 5e-3, log=True),
        "wd": optuna.distributions.FloatDistribution(1e-8, 1e-1, log=True),
        "dr": optuna.distributions.FloatDistribution(0.0, 0.9),
        "hidden": optuna.distributions.IntDistribution(6, 12),
    }
