import io
import logging

import matplotlib as mpl
import numpy as np
import pytest

from multifield import camels
from multifield.camels.selection import Selection
from multifield.config.evaluation import BootstrapConfig
from multifield.data.preprocess import LogMaps
from multifield.evaluation import (
    Attributions,
    Results,
    average_orientations,
    choose_typical_and_worst,
    recalibrate,
    score_results,
    simulation_of_rows,
)
from multifield.evaluation.draws import draw as sample
from multifield.maps import power_spectrum
from multifield.reporting import figures
from multifield.reporting.figures import maps as maps_module


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def draw(figure):
    """Draw outside the style, as a catalog does. Warnings are errors."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)


# ---- titles ----


def test_mock_suites_are_called_mock():
    for name, suite in camels.SUITES.items():
        assert ("(mock)" in figures.suite_title(name)) is suite.mock
    assert figures.suite_title("MockSB@SB14") == "MockSB@SB14 (mock)"


# ---- true against predicted ----


@pytest.mark.parametrize("n_parameters", [1, 2, 4, 5])
def test_one_panel_per_parameter(make_results, n_parameters):
    inferred = camels.PARAMETER_NAMES[:n_parameters]
    figure = figures.true_against_predicted(make_results(20, inferred), "MockTNG", "Mgas_HI")
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles == [parameter.label for parameter in camels.PARAMETERS[:n_parameters]]
    assert sum(ax.axison for ax in figure.axes) == 2 * n_parameters
    assert figure.get_suptitle() == "Mgas + HI of MockTNG (mock)"
    assert figure.get_size_inches()[0] <= figures.PAGE_WIDTH


def test_metrics_are_of_all_rows_and_the_caption_counts_points(make_results):
    results = make_results(1000, ("Omega_m",))
    figure = figures.true_against_predicted(results, "SIMBA", "T")
    error = results.mean[:, 0] - results.theta[:, 0]
    assert f"{np.sqrt(np.mean(error**2)):.3g}" in texts(figure)
    assert "150 of 1,000 maps.\nMetrics: all maps." in texts(figure)
    pulls = figure.axes[1].lines[1].get_xdata()
    assert len(pulls) == figures.MAX_POINTS
    assert {results.theta[0, 0], results.theta[-1, 0]} <= set(pulls)


def test_points_are_maps_and_metrics_are_of_all_orientations(make_results):
    first, second = make_results(40, ("Omega_m",)), make_results(40, ("Omega_m",))
    second.mean[:] += 0.07  # the mean of both is off by 0.035, and chi2 of all is another one
    both = Results(
        np.tile(first.theta, (2, 1)),
        np.concatenate([first.mean, second.mean]),
        np.concatenate([first.std, second.std]),
        first.inferred,
    )
    figure = figures.true_against_predicted(both, "SIMBA", "T", n_orientations=2)
    metrics = score_results(both)
    for metric, form in (("R2", ".3f"), ("RMSE", ".3g"), ("chi2", ".2f")):
        assert f"= {metrics[metric]['Omega_m']:{form}}" in texts(figure)
    averaged = average_orientations(both, 2)
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), averaged.mean[:, 0])
    pulls = (averaged.mean - averaged.theta)[:, 0] / averaged.std[:, 0]
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_ydata(), pulls)
    assert "40 of 40 maps.\nPoints: averages over 2 orientations. Metrics: all" in texts(figure)


def test_a_wrong_number_of_orientations_is_refused(make_results):
    with pytest.raises(ValueError, match=r"Expected a divisor of 20 rows, got 8"):
        figures.true_against_predicted(make_results(20), "SIMBA", "T", n_orientations=8)


def test_few_rows_are_all_shown(make_results):
    figure = figures.true_against_predicted(make_results(20, ("sigma_8",)), "SIMBA", "T")
    assert "20 of 20 maps." in texts(figure)


def test_both_suites_of_a_transfer_are_named(make_results):
    tested = Selection(suite="SIMBA", sim_set="CV", field="Mgas")
    figure = figures.true_against_predicted(make_results(5, ("sigma_8",)), "MockTNG", "T", tested)
    assert figure.get_suptitle() == "Trained on T of MockTNG (mock)\ntested on Mgas of SIMBA, CV"


def test_a_test_on_the_training_suite_is_named_once(make_results):
    tested = Selection(suite="SIMBA", sim_set="LH", field="T")
    figure = figures.true_against_predicted(make_results(5, ("sigma_8",)), "SIMBA", "T", tested)
    assert figure.get_suptitle() == "T of SIMBA"


def test_constant_parameters_are_drawn_without_r2(make_results):
    figure = figures.true_against_predicted(
        make_results(15, ("sigma_8",), n_simulations=1), "SIMBA", "T"
    )
    assert "R^2" not in texts(figure)
    draw(figure)


# ---- calibration ----

BOOTSTRAP = BootstrapConfig(n_resamples=100, level=0.95, seed=1)


def calibration(before, suite="MockTNG"):
    after = recalibrate(before, dict.fromkeys(before.inferred, 2.0))
    simulation = simulation_of_rows(before, 1)
    return figures.calibration(before, after, simulation, BOOTSTRAP, suite, "T")


@pytest.mark.parametrize("n_parameters", [1, 6])
def test_three_panels_per_parameter(make_results, n_parameters):
    before = make_results(60, camels.PARAMETER_NAMES[:n_parameters], n_simulations=4)
    figure = calibration(before)
    assert len(figure.axes) == 3 * n_parameters
    assert [ax.get_title() for ax in figure.axes[:3]] == ["Coverage", "PIT", "Pulls"]
    assert figure.get_suptitle() == "T of MockTNG (mock)"
    assert figure.get_size_inches()[0] <= figures.PAGE_WIDTH
    draw(figure)


def test_coverage_is_drawn_before_and_after(make_results):
    before = make_results(60, ("Omega_m",), n_simulations=4)
    lines = {line.get_label(): line for line in calibration(before).axes[0].lines}
    pull = np.abs(before.mean - before.theta)[:, 0] / before.std[:, 0]
    for label, factor in (("as inferred", 1), ("recalibrated", 2)):
        one_sigma = np.interp(0.6827, *lines[label].get_data())
        one_row = (
            2 / 60
        )  # curves are drawn at levels 0.005 apart; a step between may be a row or two
        assert one_sigma == pytest.approx(np.mean(pull < factor), abs=one_row)


def test_the_band_by_chance_is_narrower_with_more_simulations(make_results):
    widths = []
    for n in (4, 100):
        figure = calibration(make_results(15 * n, ("Omega_m",), n_simulations=n))
        (band,) = figure.axes[1].collections
        density = band.get_paths()[0].vertices[:, 1]
        assert density.min() < 1 < density.max()
        widths.append(np.ptp(density))
    assert widths[1] < 0.5 * widths[0]  # expected: 1/5


def test_pulls_far_outside_are_drawn_at_the_edge(make_results):
    before = make_results(30, ("Omega_m",), n_simulations=2)
    before.mean[:] += 1e6
    figure = calibration(before)
    assert figure.axes[2].get_xlim() == (-4, 4)
    assert "in the outermost bins" in texts(figure)
    draw(figure)


def test_no_histogram_is_cut_off(make_results):
    figure = calibration(make_results(30, ("Omega_m",), n_simulations=2))
    for ax in figure.axes[1:]:
        tallest = max(patch.get_path().vertices[:, 1].max() for patch in ax.patches)
        assert tallest < ax.get_ylim()[1]


def test_legend_and_labels_do_not_overlap(make_results):
    figure = calibration(make_results(30, ("Omega_m",), n_simulations=2))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    label = figure.axes[1].xaxis.label.get_window_extent()
    assert not legend.get_window_extent().overlaps(label)


# ---- losses ----


def history(n_epochs, final=-10.0):
    epoch = np.arange(n_epochs, dtype=float)
    loss = final * (1 - np.exp(-(epoch + 1) / 5))
    return np.stack([epoch, loss - 0.2, loss, loss + 0.1], axis=1)


def test_losses_of_the_best_and_of_the_others():
    losses = {0: history(20, -8), 3: history(20), 7: history(12, -6)}
    figure = figures.loss_curves(losses, 3, "MockTNG", "T")
    assert figure.axes[0].get_title() == "T of MockTNG (mock)"
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["trial 3, training"].get_ydata(), losses[3][:, 1])
    np.testing.assert_array_equal(lines["trial 3, training"].get_xdata(), np.arange(1, 21))
    np.testing.assert_array_equal(lines["trial 3, validation"].get_ydata(), losses[3][:, 2])
    np.testing.assert_array_equal(lines["trial 3, test"].get_ydata(), losses[3][:, 3])
    np.testing.assert_array_equal(
        lines["other trials (2), validation"].get_ydata(), losses[0][:, 2]
    )
    assert len(figure.axes[0].lines) == 6
    draw(figure)


def test_one_epoch_of_one_trial_is_visible():
    figure = figures.loss_curves({0: history(1)}, 0, "SIMBA", "T")
    assert figure.axes[0].lines[0].get_marker() == "o"
    draw(figure)


def test_diverged_other_trial_does_not_set_the_scale():
    figure = figures.loss_curves({0: history(20), 1: history(20, 1e6)}, 0, "SIMBA", "T")
    assert figure.axes[0].get_ylim()[1] < 0


def test_missing_best_trial_is_refused():
    with pytest.raises(ValueError, match=r"best_trial: Expected one of \[0, 2\], got 1"):
        figures.loss_curves({0: history(2), 2: history(2)}, 1, "SIMBA", "T")


def test_trial_without_epochs_is_refused():
    with pytest.raises(ValueError, match="got none in trial 2"):
        figures.loss_curves({0: history(2), 2: history(0)}, 0, "SIMBA", "T")


# ---- maps ----


def some_maps(n_maps, zeros=False):
    rng = np.random.default_rng(0)
    maps = np.exp(25 + rng.normal(size=(n_maps, 16, 16))).astype(np.float32)
    if zeros:
        maps[:, :8] = 0
    return maps


@pytest.mark.parametrize("n_maps", [1, 5])
def test_maps_share_one_scale_and_a_bar_with_the_unit(n_maps):
    titles = [f"map {number}" for number in range(n_maps)]
    figure = figures.maps_mosaic(some_maps(n_maps), titles, "Mtot", "MockNbody")
    images = [image for ax in figure.axes for image in ax.get_images()]
    assert len(images) == n_maps
    assert len({id(image.norm) for image in images}) == 1
    assert r"Total matter surface density [$(M_\odot/h)" in texts(figure)
    assert figure.get_suptitle() == "Mtot of MockNbody (mock)"
    assert figure.get_size_inches()[0] <= figures.PAGE_WIDTH


def test_zeros_are_drawn_dark():
    figure = figures.maps_mosaic(some_maps(1, zeros=True), ["map"], "Mstar", "SIMBA")
    image = figure.axes[0].get_images()[0]
    np.testing.assert_array_equal(image.cmap.get_bad(), image.cmap(0.0))
    draw(figure)


def test_constant_maps_are_drawn():
    draw(figures.maps_mosaic(np.ones((1, 8, 8), np.float32), ["map"], "T", "SIMBA"))


@pytest.mark.parametrize("field", camels.FIELDS)
def test_every_unit_is_formatted(field):
    unit = camels.FIELDS[field].unit
    assert unit in maps_module._UNITS or not set("^_") & set(unit)


def test_maps_of_zeros_are_refused():
    with pytest.raises(ValueError, match="Expected a pixel > 0"):
        figures.maps_mosaic(np.zeros((1, 8, 8), np.float32), ["map"], "T", "SIMBA")


@pytest.mark.parametrize("n_titles", [0, 3])
def test_titles_must_match_maps(n_titles):
    with pytest.raises(ValueError, match=f"got {n_titles} titles"):
        figures.maps_mosaic(some_maps(2), ["map"] * n_titles, "T", "SIMBA")


@pytest.mark.parametrize("logarithmic", [False, True])
def test_each_field_has_its_own_bar(logarithmic):
    first, second = some_maps(2)
    maps = {"T": np.log10(first), "Mstar": np.log10(second)} if logarithmic else {
        "T": first, "Mstar": second
    }  # fmt: skip
    figure = figures.fields_mosaic(maps, "MockTNG", logarithmic=logarithmic)
    assert figure.get_suptitle() == "MockTNG (mock)"
    titles = [ax.get_title() for ax in figure.axes[:2]]
    log_titles = [r"$\log_{10}$ T", r"$\log_{10}$ (1 + Mstar)"]
    assert titles == (log_titles if logarithmic else ["T", "Mstar"])
    assert "K | " in texts(figure)
    draw(figure)


def test_constant_log_maps_are_drawn():
    draw(figures.fields_mosaic({"T": np.ones((8, 8), np.float32)}, "SIMBA", logarithmic=True))


def test_no_field_is_refused():
    with pytest.raises(ValueError, match="at least one field"):
        figures.fields_mosaic({}, "SIMBA")


# ---- no global state ----


def test_the_global_style_does_not_change(make_results):
    before = dict(mpl.rcParams)
    figures.true_against_predicted(make_results(5, ("Omega_m",)), "SIMBA", "T")
    assert dict(mpl.rcParams) == before


# ---- residuals ----


def test_residuals_are_of_maps_with_their_mean_error(make_results):
    results = make_results(15 * 12, ("Omega_m", "sigma_8"), n_simulations=12)
    figure = figures.residuals(results, "MockTNG", "T")
    assert figure.get_suptitle() == "T of MockTNG (mock)"
    assert len(figure.axes) == 4
    points = next(line for line in figure.axes[0].lines if line.get_label() == "map")
    np.testing.assert_array_equal(points.get_ydata(), (results.mean - results.theta)[:, 0])
    squares = figure.axes[0].containers[0].lines[0]
    assert len(squares.get_xdata()) == 4  # of three simulations each
    error = (results.mean - results.theta)[:, 0]
    assert np.mean(squares.get_ydata()) == pytest.approx(error.mean())
    draw(figure)


@pytest.mark.parametrize("n_simulations", [1, 2])
def test_residuals_of_few_simulations_have_no_standard_error(make_results, n_simulations):
    results = make_results(15 * n_simulations, ("sigma_8",), n_simulations=n_simulations)
    draw(figures.residuals(results, "SIMBA", "T"))


# ---- studies ----


def make_trials(values, **fixed):
    row = {"state": "COMPLETE", "lr": 1e-3, "wd": 1e-4, "dr": 0.1, "hidden": 6} | fixed
    return [row | {"number": n, "value": value} for n, value in enumerate(values)]


@pytest.mark.parametrize("n_trials", [1, 2, 30])
def test_studies_of_any_length_are_drawn(n_trials):
    trials = make_trials(-10.0 - np.arange(n_trials) % 7)
    draw(figures.study_history(trials, "MockTNG", "T"))
    draw(figures.parallel_coordinates(trials, "MockTNG", "T"))


def test_history_shows_the_best_so_far_and_what_failed():
    trials = [*make_trials([-8.0, -10.0, -9.0]), {"number": 3, "state": "FAIL", "value": None}]
    axes = figures.study_history(trials, "SIMBA", "T").axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["best so far"].get_ydata(), [-8, -10, -10])
    np.testing.assert_array_equal(lines["failed"].get_xdata(), [3])


def test_trials_that_diverged_are_at_the_edge():
    trials = make_trials([*np.linspace(-10, -9, 19), 1e9])
    axes = figures.study_history(trials, "SIMBA", "T").axes[0]
    assert axes.get_ylim()[1] < 0
    assert {line.get_label() for line in axes.lines} >= {"above the range"}


def test_a_study_without_a_complete_trial_is_refused():
    with pytest.raises(ValueError, match="Expected a complete trial among 1, got none"):
        figures.study_history(make_trials([None], state="FAIL"), "SIMBA", "T")


def test_the_best_trial_is_marked_among_the_coordinates():
    trials = make_trials([-8.0, -10.0, -9.0])
    figure = figures.parallel_coordinates(trials, "MockTNG", "T")
    assert "best: trial 1" in texts(figure)
    assert figure.get_suptitle() == "T of MockTNG (mock), 3 trials"


def test_importances_are_bars_with_their_numbers():
    shares = {"lr": 0.7, "dr": 0.3}
    figure = figures.hyperparameter_importance(shares, 20, 10, "SIMBA", "T")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.3, 0.7]  # from below
    assert "0.70" in texts(figure)


def test_too_few_trials_have_no_importances():
    figure = figures.hyperparameter_importance({}, 2, 10, "SIMBA", "T")
    assert "needs 10 complete trials;\nthis study has 2" in texts(figure)


# ---- single maps ----


def choose(results, n=2):
    return choose_typical_and_worst(results, 1, n)


def test_each_example_shows_truth_and_prediction(make_results):
    results = make_results(15 * 4, ("Omega_m",), n_simulations=4)
    best, worst = choose(results)
    tested = Selection(suite="MockTNG", sim_set="LH", field="T_Mgas")
    figure = figures.typical_and_worst(
        best, worst, some_maps(2), some_maps(2), "MockTNG", "T_Mgas", tested
    )
    row = worst.rows[0]
    theta, mean, std = (t[row, 0] for t in (results.theta, results.mean, results.std))
    assert rf"{theta:.3f}, inferred ${mean:.3f} \pm {std:.3f}$" in texts(figure)
    assert "Gas temperature [K]" in texts(figure)
    assert "Typical" in texts(figure)
    draw(figure)


@pytest.mark.parametrize("n_fields", [1, 2])
def test_saliency_shows_its_baseline_and_its_gap(make_results, n_fields):
    results = make_results(15 * 4, camels.COSMOLOGY, n_simulations=4)
    best, _ = choose(results)
    x = np.random.default_rng(0).normal(size=(2, n_fields, 16, 16)).astype(np.float32)
    values = 1e-4 * np.stack([x, -x])
    sums = values.sum(axis=(2, 3, 4), dtype=np.float64)
    attributions = Attributions(camels.COSMOLOGY, values, sums + 0.25, np.array([0.3, 0.8]))
    tested = Selection(suite="MockTNG", sim_set="LH", field="_".join(("T", "Mgas")[:n_fields]))
    figure = figures.saliency(attributions, x, best, "MockTNG", tested.field, tested)
    assert "all pixels at the training mean" in texts(figure)
    assert "$= 0.300$" in texts(figure)
    assert "to within 0.05, 0.6" in texts(figure)  # 0.25 - 0.3, 0.25 - 0.8
    assert sum(len(ax.get_images()) for ax in figure.axes) == 2 * n_fields * 3
    draw(figure)


# ---- spectra ----


@pytest.mark.parametrize("names", [camels.COSMOLOGY, camels.PARAMETER_NAMES])
def test_median_spectra_in_three_bins_of_each_parameter(names):
    log_maps = np.log10(some_maps(15 * 4))
    theta = camels.unscale_theta(np.random.default_rng(0).random((4, 6)))
    maps = {"T": LogMaps(log_maps, np.zeros((60, 3)), {})}
    figure = figures.spectra(maps, theta, names, "MockTNG", "T")
    panels = [ax for ax in figure.axes if ax.lines]
    labels = [parameter.label for parameter in camels.PARAMETERS[: len(names)]]
    assert [ax.get_legend().get_title().get_text() for ax in panels] == labels
    low, _, high = panels[0].lines
    order = np.argsort(theta[:, 0])
    power = [
        power_spectrum(log_maps[15 * s + np.array([0, 5, 10])], camels.BOX_SIZE, 8)[:2]
        for s in order
    ]
    variance = [k**2 * each.mean(axis=0) / (2 * np.pi) for k, each in power]
    np.testing.assert_allclose(low.get_ydata(), np.median(variance[:2], axis=0))  # 2 + 1 + 1
    np.testing.assert_allclose(high.get_ydata(), variance[3])
    assert high.get_label() == f"{theta[order[3], 0]:.2f} to {theta[order[3], 0]:.2f}"
    assert figure.get_suptitle() == "T of MockTNG (mock), 4 of 4 simulations"
    draw(figure)


def test_a_mixture_of_narrow_posteriors_is_drawn_without_getdists_advice(caplog):
    truth = np.tile([0.3, 0.8, 1, 1, 1, 1], (2, 1))
    mean, std = np.full((2, 6), np.nan), np.full((2, 6), np.nan)
    mean[:, :2], std[:, :2] = [[0.3, 0.8], [0.4, 0.9]], 1e-5
    results = Results(truth, mean, std, camels.COSMOLOGY)
    drawn = sample(results, 1000, 1, n_orientations=2)
    drawn.to_getdist(0).get1DDensity("Omega_m")
    assert "bandwidth" in caplog.text
    caplog.clear()
    figures.corner({"a map": drawn}, "IllustrisTNG", "T")
    assert not caplog.records
    logging.warning("another")
    assert "another" in caplog.text


@pytest.mark.parametrize("sim_set", ["SB28", "SB35"])
def test_panels_of_many_parameters_begin_with_the_best_known(sim_set):
    space = camels.find_space("IllustrisTNG", sim_set)
    rng = np.random.default_rng(1)
    truth = space.unscale(rng.random((15, len(space))))
    std = space.unscale_std(np.tile(0.1 + np.arange(len(space))[::-1], (15, 1)))
    results = Results(truth, truth, std, space.names, space=space)
    figure = figures.posterior_of_maps(results, "IllustrisTNG", "T")
    labels = [ax.get_ylabel().replace("\n", "") for ax in figure.axes]
    assert labels == [space[name].axis_label for name in space.names[::-1]]
    drawn = sample(results.take(slice(1)), 200, 1)
    figure = figures.corner({"a map": drawn}, "IllustrisTNG", "T")
    assert len(figure.axes) == 36  # a triangle of the six best known


@pytest.mark.parametrize("table", ["IllustrisTNG_35", "MockSB_14", "SIMBA_28"])
def test_lines_of_labels_are_short(table):
    """Also those that begin with log10; labels of neighbouring panels do not touch."""
    space = camels.BUILT_IN.tables[table]
    for parameter in space:
        label = figures.style.symbol(parameter.name, space).replace(r"$\log_{10}$", "log10")
        plain = label.removeprefix("log10 ").replace("\n", "")
        assert plain in (parameter.name, parameter.label)
        for line in label.split("\n"):
            is_one_word = len(line.split("_")) == 1 and " " not in line
            assert len(line) <= 14 or is_one_word or "$" in line, line
