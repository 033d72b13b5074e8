"""Results, posteriors, metrics and draws of other parameters than CMD's six."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from multifield import camels
from multifield.config.evaluation import CalibrationConfig
from multifield.evaluation.bootstrap import simulation_of_rows
from multifield.evaluation.calibration import compare_with_draws
from multifield.evaluation.combined import CombinedPosterior
from multifield.evaluation.draws import Draws, draw
from multifield.evaluation.joint import Component, JointPosterior
from multifield.evaluation.metrics import score_results
from multifield.evaluation.results import (
    Results,
    comparable,
    joint_results,
    read_results,
    write_results,
)
from multifield.models.heads import AutoregressiveHead

SPACES = {
    "Astrid-SB7": 7,
    "Ramses-SB5": 5,  # its sixth column is tied to another one
    "CROCODILE-SB26": 26,
    "IllustrisTNG-SB28": 28,
    "IllustrisTNG-SB35": 35,
}


@pytest.fixture(params=SPACES)
def space(request):
    suite, sim_set = request.param.split("-")
    found = camels.find_space(suite, sim_set)
    assert len(found.free) == SPACES[request.param]
    return found


def gaussian_results(space: camels.ParameterSpace, n: int = 2000) -> Results:
    """Exact posteriors with a standard deviation of 2% of the range, in coordinates."""
    rng = np.random.default_rng(1)
    truth = space.unscale(rng.uniform(0.2, 0.8, (n, len(space))))
    std = space.unscale_std(np.full((n, len(space)), 0.02))
    mean = truth + std * rng.normal(size=truth.shape)
    unused = [c for c, name in enumerate(space.names) if name not in space.free]
    mean[:, unused] = std[:, unused] = np.nan
    return Results(truth, mean, std, space.free, space=space)


def test_a_file_has_three_columns_per_parameter(tmp_path, space):
    results = gaussian_results(space, 20)
    write_results(tmp_path / "results.txt", results)
    title, first, *_ = (tmp_path / "results.txt").read_text().splitlines()
    assert title == f"# table {space.name}, 15 maps per simulation: {' '.join(space.names)}"
    assert len(first.split()) == 3 * len(space)
    read = read_results(tmp_path / "results.txt")
    assert read.space == space
    assert read.inferred == space.free
    for name in ("theta", "mean", "std"):
        np.testing.assert_array_equal(getattr(read, name), getattr(results, name))


def test_a_file_says_how_many_maps_a_simulation_has(tmp_path):
    results = gaussian_results(camels.CMD, 60)
    theta = np.repeat(results.theta[:2], 30, axis=0)
    results = replace(results, theta=theta, maps_per_simulation=30)
    write_results(tmp_path / "results.txt", results)
    read = read_results(tmp_path / "results.txt")
    assert read.maps_per_simulation == 30
    np.testing.assert_array_equal(simulation_of_rows(read, 1), np.repeat([0, 1], 30))
    with pytest.raises(ValueError, match="another order"):
        simulation_of_rows(replace(read, maps_per_simulation=60), 1)


def test_joint_posteriors_are_read_with_their_parameters(tmp_path, space):
    head, n = AutoregressiveHead(len(space)), 5
    outputs = torch.randn(n, head.n_outputs, generator=torch.Generator().manual_seed(1)).double()
    joint = JointPosterior((Component(head, outputs),), space.free, space=space)
    theta = space.unscale(np.full((n, len(space)), 0.5))
    results = joint_results(theta, joint)
    write_results(tmp_path / "results.txt", results)
    read = read_results(tmp_path / "results.txt")
    np.testing.assert_array_equal(read.joint.log_prob(read.truth), joint.log_prob(results.truth))
    low = np.array([each.minimum for each in space])
    high = np.array([each.maximum for each in space])
    drawn = joint.sample(50, 1)
    assert (drawn >= low[results.columns]).all()
    assert (drawn <= high[results.columns]).all()


def test_exact_posteriors_score_as_such(space):
    metrics = score_results(gaussian_results(space))
    assert tuple(metrics["chi2"]) == space.free
    for name in space.free:
        parameter = space[name]
        assert metrics["normalized_RMSE"][name] == pytest.approx(0.02, rel=0.1)
        assert metrics["chi2"][name] == pytest.approx(1, rel=0.15)
        if parameter.scale == "log":  # relative to the value: its error in e-folds, if small
            width = np.log(10) * (parameter.maximum - parameter.minimum)
            assert metrics["precision"][name] == pytest.approx(0.02 * width)
            assert metrics["relative_error"][name] == pytest.approx(0.02 * width, rel=0.2)


def test_across_suites_every_common_cosmological_parameter_is_scored():
    space = camels.find_space("IllustrisTNG", "SB28")
    results = gaussian_results(space, 20)
    theta = results.theta.copy()
    theta[:, space.index("n_s")] = np.nan  # not in the table of the test suite
    found = comparable(replace(results, theta=theta), "IllustrisTNG", "SIMBA")
    assert found.inferred == ("Omega_m", "sigma_8", "Omega_b", "h")


def test_calibration_tests_use_the_ranges_of_the_coordinates(space):
    numbers = compare_with_draws(
        gaussian_results(space, 200), CalibrationConfig(n_draws=50, seed=1)
    )
    for ranks in numbers.ranks.values():
        assert abs(np.mean(ranks) - 0.5) < 0.12  # 5 standard errors of 200 uniform numbers: 0.10


def test_draws_keep_their_parameters_in_a_file(tmp_path, space):
    draws = draw(gaussian_results(space, 4), 20, 1)
    draws.to_table().to_parquet(tmp_path / "draws.parquet")
    read = Draws.from_table(pd.read_parquet(tmp_path / "draws.parquet"))
    assert read.space == space
    assert read.parameters == space.free
    np.testing.assert_allclose(read.theta, draws.theta, rtol=1e-5, atol=1e-6)


def joint_posterior(space: camels.ParameterSpace, n: int = 5) -> JointPosterior:
    head, n_all = AutoregressiveHead(len(space)), len(space)
    rng = np.random.default_rng(1)
    outputs = head.outputs_of(
        rng.uniform(0.2, 0.8, (n, n_all)),
        rng.uniform(0.1, 0.3, (n, n_all)),
        rng.normal(0, 0.3, (n, n_all, n_all)),
        range(n_all),
    )
    return JointPosterior((Component(head, outputs),), space.free, space=space)


class TestLearnedAsDrawn:
    """CMD's table: values in results, four logarithms in what a joint head learns."""

    @pytest.fixture
    def drawn(self):
        return camels.find_set("LH", "Astrid").space_as_drawn  # A_AGN2 is scaled by its own range

    def test_posteriors_are_those_of_the_logarithms_in_values(self, drawn):
        ours, logs = joint_posterior(drawn), joint_posterior(drawn.learned)
        theta = drawn.unscale(np.random.default_rng(1).uniform(0.1, 0.9, (5, 6)))
        in_logs = drawn.learned.coordinates(theta)
        np.testing.assert_allclose(ours.log_prob(theta), logs.log_prob(in_logs), rtol=1e-9)
        np.testing.assert_allclose(ours.shares_below(theta), logs.shares_below(in_logs), rtol=1e-9)
        values, drawn_logs = ours.sample(20_000, 1), logs.sample(20_000, 1)
        np.testing.assert_allclose(values, drawn.learned.physical(drawn_logs), rtol=1e-12)
        some = ours.marginal(("sigma_8", "A_AGN2")).sample(20_000, 1)
        np.testing.assert_array_equal(some, values[:, :, [1, 5]])
        results = joint_results(theta, ours)
        np.testing.assert_allclose(results.mean, values.mean(axis=1), rtol=0.01)
        np.testing.assert_allclose(results.std, values.std(axis=1), rtol=0.03)

    def test_the_prior_is_the_distribution_of_the_simulations(self, drawn):
        """A map that says nothing: draws are uniform in the logarithm, over the suite's range."""
        head, n = AutoregressiveHead(6), 4000
        flat = head.outputs_of(
            np.full((1, 6), 0.5), np.full((1, 6), 1e3), np.zeros((1, 6, 6)), range(6)
        )
        posterior = JointPosterior((Component(head, flat),), drawn.free, space=drawn)
        values = posterior.sample(n, 1)[0]
        for column, parameter in enumerate(drawn):
            ends = np.array(parameter.range)
            scale = np.log if parameter.drawn == "log" else np.asarray
            low, high = scale(ends)
            shares = (scale(values[:, column]) - low) / (high - low)
            assert stats.kstest(shares, "uniform").pvalue > 1e-3
        np.testing.assert_allclose(posterior.log_prob(values[:1]), 0, atol=1e-3)

    def test_the_file_of_results_is_that_of_values(self, tmp_path):
        drawn = camels.CMD.learn_as_drawn()
        posterior = joint_posterior(drawn)
        theta = drawn.unscale(np.full((5, 6), 0.5))
        write_results(tmp_path / "results.txt", joint_results(theta, posterior))
        rows = np.loadtxt(tmp_path / "results.txt")
        assert "#" not in (tmp_path / "results.txt").read_text()
        np.testing.assert_allclose(rows[0, :6], [0.3, 0.8, 1, 1, 1, 1])
        read = read_results(tmp_path / "results.txt")
        assert read.space == drawn
        np.testing.assert_array_equal(read.joint.log_prob(theta), posterior.log_prob(theta))

    def test_simulations_are_combined_in_what_is_learned(self, drawn):
        """Gaussians far from the edges, whose product is known."""
        head, n, columns = AutoregressiveHead(6), 3, list(range(6))
        location = np.random.default_rng(1).normal(0.5, 0.03, (n, 6))
        outputs = head.outputs_of(location, np.full((n, 6), 0.05), np.zeros((n, 6, 6)), columns)
        posterior = JointPosterior((Component(head, outputs),), drawn.free, space=drawn)
        combined = CombinedPosterior.of_maps(posterior, n, share=1.0)
        u = drawn.scale(combined.sample(20_000, 1))[0]
        np.testing.assert_allclose(u.mean(axis=0), location.mean(axis=0), atol=0.004)
        np.testing.assert_allclose(u.std(axis=0), 0.05 / np.sqrt(n), rtol=0.1)

    def test_a_value_without_logarithm_is_outside_the_prior(self, drawn):
        theta = drawn.unscale(np.full((5, 6), 0.5))
        theta[:, 2] = 0.0  # no feedback, as in EX
        assert np.isneginf(joint_posterior(drawn).log_prob(theta)).all()
