"""Comparison with other packages: inputs, functions of the user, the tutorial's example."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import multifield as mf
from benchmarks.peers.__main__ import HEADER, mean_row, parse_arguments, row_of
from benchmarks.peers.inputs import INPUTS, LIMIT, make_inputs
from benchmarks.peers.methods import OWN, Outcome, find_methods, run_function
from benchmarks.recipes.maps import Mock
from multifield import camels
from multifield.maps import Split
from multifield.studies.scoring import Layout, read_predictions

EXAMPLE = Path(__file__).parents[2] / "docs/examples/peer.py"


@pytest.fixture
def mock():
    rng = np.random.default_rng(0)
    theta = camels.unscale_theta(rng.random((6, 6)))
    scale = np.repeat(theta[:, :1], 15, axis=0)[..., None]
    maps = (scale * rng.normal(size=(90, 16, 16))).astype(np.float32)
    split = Split(train=(0, 2, 4), valid=(1,), test=(3, 5), seed=1)
    return Mock("MockNbody", {"Mtot": maps}, theta, split)


@pytest.mark.parametrize("kind", INPUTS)
def test_rows_are_those_of_the_split(mock, kind):
    parts = make_inputs(mock, kind)
    assert [len(part.x) for part in parts] == [45, 15, 30]
    expected = camels.scale_theta(mock.theta)[[3, 5], :2]
    np.testing.assert_allclose(parts.test.theta[::15], expected, rtol=1e-6)
    if kind != "maps":
        assert np.abs(parts.test.x).max() <= LIMIT
        np.testing.assert_allclose(parts.train.x.mean(axis=0), 0, atol=0.3)  # but for clipping


def flat(x, theta):
    """Return the prior, as a user's method."""

    def log_prob(x, theta):
        return np.zeros(len(x))

    log_prob.sample = lambda x, n: np.random.default_rng(0).random((len(x), n, theta.shape[1]))
    return log_prob


def wrong(x, theta):
    """Return one number instead of one per row."""
    return lambda x, theta: 0.0


def test_a_function_of_the_user_is_scored(mock, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mine", __import__("types").ModuleType("mine"))
    import mine

    mine.fit, mine.wrong = flat, wrong
    (outcome,) = run_function(mock, [1], 1.0, place="mine:fit", kind="spectra")
    row = dict(zip(HEADER, row_of("mine", "1", outcome, mock), strict=True))
    assert row["log-probability [nats]"] == "0.00 +- 0.00"
    truth = mock.theta[[3, 5], 0]
    assert float(row["RMSE Omega_m"]) == pytest.approx(
        np.sqrt(np.mean((truth - 0.3) ** 2)), abs=0.01
    )
    with pytest.raises(ValueError, match="mine:wrong: Expected 30 log-probabilities"):
        run_function(mock, [1], 1.0, place="mine:wrong", kind="spectra")


def test_without_draws_only_the_log_probability_is_shown(mock):
    outcome = Outcome(np.repeat([1.0, 3.0], 15), None, 1.0, 100.0, "")
    row = row_of("method", "1", outcome, mock)
    assert row[2:8] == ["2.00 +- 1.00", *["-"] * 5]
    other = row_of("method", "2", Outcome(np.full(30, 4.0), None, 3.0, 100.0, ""), mock)
    assert mean_row([row, other])[1:4] == ["mean of 2", "3.00 +- 0.50", "-"]


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    methods, missing = find_methods(["mine:fit@maps"])
    assert [*OWN, "mine:fit@maps"] == list(methods)
    assert missing
    assert all(name.startswith("sbi") for name in missing)


def test_a_wrong_peer_ends_with_a_message(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["--peer", "mine:fit@pixels"])
    assert "MODULE:FUNCTION@INPUT" in capsys.readouterr().err


class Gaussian(nn.Module):
    """Stand-in for a density estimator of sbi: a linear mean and one width."""

    def __init__(self, theta, x):
        super().__init__()
        self.mean = nn.Linear(x.shape[1], theta.shape[1])
        self.log_std = nn.Parameter(torch.zeros(theta.shape[1]) - 1)

    def loss(self, theta, condition):
        normal = torch.distributions.Normal(self.mean(condition), self.log_std.exp())
        return -normal.log_prob(theta).sum(dim=1)

    def sample(self, shape, condition):
        return torch.distributions.Normal(self.mean(condition), self.log_std.exp()).sample(shape)


def test_the_example_of_the_tutorial_writes_draws_that_can_be_scored(tmp_path):
    spec = importlib.util.spec_from_file_location("peer", EXAMPLE)
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    suite = mf.load_suite(
        "MockNbody", "Mtot", data=tmp_path, n_simulations=8, map_size=16, lattice=16,
        n_valid=2, n_test=2,
    )  # fmt: skip
    path = tmp_path / "draws.parquet"
    peer.main(path, suite, Gaussian)
    found = read_predictions(path, Layout())
    np.testing.assert_allclose(found.results.truth, suite.test.theta[:, :2], rtol=1e-6)
    table = pd.read_parquet(path)
    assert found.draws.shape == (30, peer.N_DRAWS, 2)
    assert table["Omega_m"].between(0.1, 0.5).all()
