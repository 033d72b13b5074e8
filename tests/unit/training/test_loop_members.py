"""Training of members that each leave out a part of the simulations, and of what corrects them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from multifield.models.summary_statistics import MEMBERS
from multifield.training import (
    EpochLosses,
    PlainObjective,
    TrainedNetwork,
    loop,
    train_network,
)
from multifield.training.loop import Report
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data, make_theta

N_SIMULATIONS = 6
SETTINGS = config(
    architecture="statistics_and_filters", head="autoregressive", loss="nll", judged_by="nll"
)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MEMBERS_EPOCHS", 1)


def train(
    checkpoint: Path | None = None,
    report: Report | None = None,
    theta: np.ndarray | None = None,
) -> TrainedNetwork:
    data = make_data(N_SIMULATIONS, theta=theta)
    return train_network(data, HYPERPARAMETERS, SETTINGS, checkpoint=checkpoint, report=report)


def test_a_member_does_not_know_the_simulations_that_it_leaves_out() -> None:
    """It stays the same if their parameters change, and the other members do not."""
    theta = make_theta(N_SIMULATIONS + 2)
    changed = theta.copy()
    changed[1, 1] = theta[2, 1]  # sigma_8, which the maps do not show; simulation 1: member 1
    before, after = (train(theta=each).state for each in (theta, changed))
    name = "statistics.FC2.weight"
    same = [torch.equal(before[name][k], after[name][k]) for k in range(MEMBERS)]
    assert same == [k == 1 for k in range(MEMBERS)]


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


def test_the_loss_of_a_study_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"training\.architecture: .* got 'statistics_and_filters'"
    ):
        train_network(
            make_data(), HYPERPARAMETERS, SETTINGS, objective=PlainObjective("nll", "nll")
        )
