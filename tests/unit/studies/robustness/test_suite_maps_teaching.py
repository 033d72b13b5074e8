from dataclasses import replace

import numpy as np
import pytest
import torch

from multifield import camels
from multifield.config.data import NormalizationConfig
from multifield.evaluation import Results, predict
from multifield.models import load_weights
from multifield.studies.robustness import NetworkFolder, load_suite, train_all
from multifield.studies.robustness.suite_maps import take_as_labels, without_parameters
from multifield.studies.robustness.training_suites import fit_scale
from multifield.training import InProcessExecutor
from tests.unit.studies.robustness.examples import make_suite_maps, method, robustness
from tests.unit.training.examples import HYPERPARAMETERS, config

OVER = NormalizationConfig(over="training")
FIELDS = ("Mtot", "T")
NAMES = ("MockTNG", "MockSIMBA", "MockAstrid")
SUITES = {suite: make_suite_maps(suite, seed, fields=FIELDS) for seed, suite in enumerate(NAMES)}
SETTINGS = config(epochs=1)
CONFIG = robustness(fields=FIELDS, methods=(method("taught", own_scale=True, teacher="Mtot"),))
ASKED = SUITES["MockAstrid"]


def train(folder, **changes):
    return train_all(
        SUITES | changes,
        CONFIG,
        HYPERPARAMETERS,
        SETTINGS,
        OVER,
        NetworkFolder(folder),
        InProcessExecutor(),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("networks")


@pytest.fixture(scope="module")
def trained(folder):
    return train(folder)


def test_labels_are_averages_over_the_maps_of_a_simulation():
    train, n_orientations = list(ASKED.split.train), 2
    rng = np.random.default_rng(0)
    mean = rng.random((n_orientations, len(train), 15, 6))
    mean[..., 2:] = np.nan  # not inferred
    rows = mean.reshape(-1, 6)
    inferred = Results(np.full_like(rows, np.nan), rows, rows, camels.COSMOLOGY)
    theta = take_as_labels(without_parameters(ASKED), inferred, n_orientations).theta
    np.testing.assert_allclose(theta[train, :2], mean.mean(axis=(0, 2))[:, :2], rtol=1e-12)
    assert np.isnan(theta[:, 2:]).all()
    others = [s for s in range(len(theta)) if s not in train]
    assert np.isnan(theta[others]).all()


def test_target_maps_are_labelled_by_the_teacher(trained, folder):
    taught = trained[-1]
    (path,) = (folder / "weights").glob("weights_MockTNG+MockSIMBA_Mtot_*.pt")
    train = taught.joined.data.train.take(np.arange(len(taught.joined.data.train)))
    first, second = taught.joined.ends[1:]
    shown = (train.index >= first) & (train.index < second)
    teacher = load_weights(path)
    scale = fit_scale([SUITES["MockTNG"], SUITES["MockSIMBA"]], ["Mtot"], 0.0, OVER)
    loader = load_suite(ASKED, "Mtot", 0.0, ASKED.split.train, scale, SETTINGS)
    inferred = predict(teacher, loader, range(1), device="cpu", n_threads=1)
    expected = inferred.mean[:, :2].reshape(-1, 15, 2).mean(axis=1)
    found = camels.unscale_theta(train.theta[shown].astype(float))[:, :2]
    np.testing.assert_allclose(np.unique(found, axis=0), np.unique(expected, axis=0), rtol=1e-6)


def test_parameters_of_the_held_out_suite_have_no_effect(trained, tmp_path):
    other = replace(ASKED, theta=camels.unscale_theta(np.random.default_rng(9).random((6, 6))))
    again = train(tmp_path, MockAstrid=other)
    for name, tensor in trained[-1].network.state_dict().items():
        assert torch.equal(tensor, again[-1].network.state_dict()[name]), name
    differ = [
        not torch.equal(tensor, again[2].network.state_dict()[name])
        for name, tensor in trained[2].network.state_dict().items()
    ]
    assert any(differ)  # the suite's own network uses its parameters
