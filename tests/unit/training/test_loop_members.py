"""Training of members that each leave out a part of the simulations, and of what corrects them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from multifield.models.summary_statistics import MEMBERS
from multifield.training import (
    DeviceBatch,
    EpochLosses,
    Objective,
    PlainObjective,
    StepLoss,
    TrainedNetwork,
    loop,
    train_network,
)
from multifield.training.loop import Report
from multifield.training.step import Folds
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta

N_SIMULATIONS = 6
SETTINGS = config(
    architecture="statistics_and_filters", head="autoregressive", loss="nll", judged_by="nll"
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MEMBERS_EPOCHS", 1)


def disturbed(network: nn.Module, batch: DeviceBatch, columns: list[int]) -> StepLoss:
    """Loss of a study, which changes the maps of each step."""
    assert batch.x.ndim == 4
    return PlainObjective("nll", "nll")(network, replace(batch, x=batch.x + 0.1), columns)


disturbed.needs_maps = True  # type: ignore[attr-defined]


def train(
    checkpoint: Path | None = None,
    report: Report | None = None,
    theta: np.ndarray | None = None,
    objective: Objective | None = None,
) -> TrainedNetwork:
    data = make_data(N_SIMULATIONS, theta=theta)
    return train_network(
        *(data, HYPERPARAMETERS, SETTINGS),
        checkpoint=checkpoint,
        report=report,
        objective=objective,
    )


@pytest.mark.parametrize("objective", [None, disturbed])
def test_a_member_does_not_know_the_simulations_that_it_leaves_out(
    objective: Objective | None,
) -> None:
    """It stays the same if their parameters change, and the other members do not."""
    theta = make_theta(N_SIMULATIONS + 2)
    changed = theta.copy()
    changed[1, 1] = theta[2, 1]  # sigma_8, which the maps do not show; simulation 1: member 1
    before, after = (train(theta=each, objective=objective).state for each in (theta, changed))
    name = "statistics.FC2.weight"
    same = [torch.equal(before[name][k], after[name][k]) for k in range(MEMBERS)]
    assert same == [k == 1 for k in range(MEMBERS)]


def test_a_member_leaves_out_a_simulation_in_every_file() -> None:
    folds = Folds(3, 2, starts=(0, 8, 16))  # four simulations of two maps, in three smoothings
    once = [0, 0, 1, 1, 2, 2, 0, 0]
    assert folds.of_maps(np.arange(24)).tolist() == 3 * once


def test_an_interrupted_training_ends_like_a_whole_one(tmp_path: Path) -> None:
    whole = train()

    def stop(epoch: int, losses: EpochLosses) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train(checkpoint, stop)
    assert checkpoint.exists()
    resumed = train(checkpoint)
    np.testing.assert_array_equal(resumed.losses, whole.losses)
    assert all(torch.equal(resumed.state[name], each) for name, each in whole.state.items())
