import numpy as np
import pytest

from multifield.config.data import NormalizationConfig
from multifield.config.schema import check_parameters
from multifield.evaluation import predict
from multifield.studies.robustness import NetworkFolder, load_suite, score_all, train_all
from multifield.studies.robustness.training_suites import fit_scale
from multifield.training import InProcessExecutor
from tests.helpers.projects import load_parameters
from tests.unit.studies.robustness.examples import make_suite_maps, method, robustness
from tests.unit.training.examples import HYPERPARAMETERS, config

OVER = NormalizationConfig(over="training")
NAMES = ("MockTNG", "MockSIMBA", "MockAstrid")
SUITES = {suite: make_suite_maps(suite, seed) for seed, suite in enumerate(NAMES)}
SETTINGS = config(epochs=1)
CONFIG = robustness(methods=(method("mixed", own_scale=True, mixture=True),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return NetworkFolder(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def trained(folder):
    return train_all(SUITES, CONFIG, HYPERPARAMETERS, SETTINGS, OVER, folder, InProcessExecutor())


def test_it_takes_the_networks_of_one_suite_and_trains_no_other(trained, folder):
    *alone, mixed = trained
    assert len(list((folder.path / "cards").iterdir())) == len(alone) == len(NAMES)
    assert [one.task.suites for one in mixed.members] == [("MockTNG",), ("MockSIMBA",)]


def test_its_posterior_is_the_equal_mixture_of_theirs_each_on_the_scale_of_the_suite(trained):
    parameters = check_parameters(load_parameters("test"))
    records = score_all(trained, SUITES, CONFIG, parameters.evaluation, parameters.card.novelty)
    (found,) = (
        r for r in records
        if (r["method"], r["tested_on"], r["parameter"]) == ("mixed", "MockAstrid", "Omega_m")
    )  # fmt: skip
    asked = SUITES["MockAstrid"]
    scale = fit_scale([asked], ["T"], 0.0, OVER)
    loader = load_suite(asked, "T", 0.0, asked.split.test, scale, SETTINGS)
    one, other = (
        predict(each.network, loader, range(1), device="cpu", precision="float32", n_threads=1)
        for each in trained[:2]
    )
    mean = (one.mean[:, 0] + other.mean[:, 0]) / 2
    variance = (one.std[:, 0] ** 2 + other.std[:, 0] ** 2) / 2
    variance += ((one.mean - other.mean)[:, 0] / 2) ** 2
    error = mean - one.theta[:, 0]
    assert found["RMSE"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["chi2"] == pytest.approx(np.mean(error**2 / variance))
