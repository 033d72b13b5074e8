"""Training on maps that are not periodic."""

from dataclasses import replace
from pathlib import Path

import pytest

from multifield.models import load_weights, save_weights
from multifield.training import train_network
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data

STATISTICS = ["summary_statistics", "statistics_and_filters"]


@pytest.mark.parametrize("architecture", [*STATISTICS, "o3_err"])
def test_networks_of_cut_outs_mirror_edges(architecture: str, tmp_path: Path) -> None:
    data = replace(make_data(), periodic=False)
    settings = config(architecture=architecture, epochs=1)
    state = train_network(data, HYPERPARAMETERS, settings).state
    marks = [name for name in state if name.endswith("mirrored")]
    assert len(marks) == (architecture in STATISTICS)
    save_weights(tmp_path / "cut.pt", state)
    network = load_weights(tmp_path / "cut.pt", architecture=architecture)
    assert [name for name in network.state_dict() if name.endswith("mirrored")] == marks
    whole = train_network(make_data(), HYPERPARAMETERS, settings).state
    assert not any(name.endswith("mirrored") for name in whole)


@pytest.mark.parametrize("architecture", STATISTICS)
def test_pretrained_weights_are_of_the_same_kind(architecture: str, tmp_path: Path) -> None:
    settings = config(architecture=architecture, epochs=1)
    save_weights(tmp_path / "whole.pt", train_network(make_data(), HYPERPARAMETERS, settings).state)
    with pytest.raises(ValueError, match=r"pretrained: Expected weights for cut-outs.*whole\.pt"):
        train_network(
            replace(make_data(), periodic=False),
            HYPERPARAMETERS,
            replace(settings, pretrained=tmp_path / "whole.pt"),
        )
