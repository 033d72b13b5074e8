"""Training from pretrained weights."""

from dataclasses import replace
from pathlib import Path
from shutil import copy

import pytest
import torch

from multifield.config.training import TrainingConfig, list_causes
from multifield.models import load_weights, save_weights
from multifield.training import train_network
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data


@pytest.fixture(params=["o3_err", "summary_statistics", "statistics_and_filters"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> TrainingConfig:
    """Settings with the weights of a network of another seed."""
    first = config(architecture=request.param, epochs=1)
    path = tmp_path / "first.pt"
    save_weights(path, train_network(make_data(), HYPERPARAMETERS, first, seed=7).state)
    return replace(first, pretrained=path)


def test_training_begins_with_the_weights_given(settings: TrainingConfig) -> None:
    """A learning rate of zero keeps them; random weights differ."""
    still = replace(HYPERPARAMETERS, lr=0.0), replace(settings, lr_min=0.0)
    trained = train_network(make_data(), *still).state
    random = train_network(make_data(), still[0], replace(still[1], pretrained=None)).state
    begin = load_weights(str(settings.pretrained))
    weights = [name for name, _ in begin.named_parameters()]
    for name in weights:
        torch.testing.assert_close(
            trained[name], begin.state_dict()[name], rtol=0, atol=0, msg=name
        )
    assert any(not torch.equal(random[name], trained[name]) for name in weights)


def test_another_network_is_refused_by_its_file(settings: TrainingConfig) -> None:
    wider = replace(HYPERPARAMETERS, hidden=2)
    with pytest.raises(ValueError, match=r"first\.pt: Expected a network with hidden 2, got 1"):
        train_network(make_data(), wider, settings)
    with pytest.raises(ValueError, match=r"first\.pt: Expected a network with channels 2"):
        train_network(make_data(channels=2), HYPERPARAMETERS, settings)
    other = "summary_statistics" if settings.architecture == "o3_err" else "o3_err"
    with pytest.raises(ValueError, match=rf"first\.pt: Expected weights of {other}"):
        train_network(make_data(), HYPERPARAMETERS, replace(settings, architecture=other))


def test_what_is_in_the_file_is_the_cause_and_not_its_name(
    settings: TrainingConfig, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.pt"
    copy(str(settings.pretrained), elsewhere)
    assert list_causes(replace(settings, pretrained=elsewhere)) == list_causes(settings)
    state = load_weights(elsewhere).state_dict()
    save_weights(elsewhere, {name: 2 * tensor for name, tensor in state.items()})
    assert list_causes(replace(settings, pretrained=elsewhere)) != list_causes(settings)
