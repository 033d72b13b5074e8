import io
import math

import pytest
from rich.console import Console

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.core.console import print_table
from multifield.evaluation import estimate_intervals, score_results, simulation_of_rows
from multifield.reporting.console_summary import (
    N_SHOWN,
    prediction_table,
    scales_table,
    summary_table,
    with_error,
)


def printed(metrics, next_steps, *args, **kwargs):
    console = Console(file=io.StringIO(), width=80)
    print_table(summary_table(metrics, *args, **kwargs), next_steps, console, heading="Next:")
    return console.file.getvalue()


def test_one_row_per_parameter_within_80_columns(make_results):
    metrics = score_results(make_results())
    text = printed(metrics, [])
    for name in camels.PARAMETER_NAMES:
        row = next(line for line in text.splitlines() if name in line)
        assert f"{metrics['R2'][name]:.3f}" in row
        assert f"{100 * metrics['epsilon'][name]:.1f}" in row
    assert "…" not in text


def test_the_information_is_first(make_results):
    results = make_results(60, n_simulations=4)
    config = BootstrapConfig(n_resamples=100, level=0.95, seed=0)
    metrics = score_results(results)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), config)
    (found,) = intervals["log_prob"].values()
    text = printed(metrics, [], "MockTNG", "HI", intervals=intervals)
    shown = f"information: {found.value:.3f}+-{found.error:.1g} nats"
    assert shown in text
    assert text.index(shown) < text.index("RMSE")
    del metrics["log_prob"]  # metrics of an earlier version
    assert "information" not in printed(metrics, [])


def test_only_inferred_parameters_have_a_row(make_results):
    metrics = score_results(make_results(inferred=camels.COSMOLOGY))
    assert summary_table(metrics).row_count == 2


def test_logarithms_are_named_within_80_columns(make_results):
    space = camels.find_space("MockTNG50", "LH")
    text = printed(score_results(make_results()), [], space=space)
    assert "log10 A_SN1" in text
    assert "log10 A_SN2" not in text
    assert "…" not in text


def test_undefined_metric_is_a_dash(make_results):
    metrics = score_results(make_results(inferred=("Omega_m",), n_simulations=1))
    row = next(line for line in printed(metrics, []).splitlines() if "Omega_m" in line)
    assert " - " in row


def test_mock_suites_are_marked(make_results):
    metrics = score_results(make_results())
    assert "mock suite MockTNG, HI maps" in printed(metrics, [], "MockTNG", "HI")
    assert "mock" not in printed(metrics, [], "IllustrisTNG", "HI")


def test_next_steps_can_be_copied(make_results):
    command = 'kedro run --params "fields=[Mgas]" ' + "--env cmd " * 12
    text = printed(score_results(make_results()), [command, "kedro viz run"])
    assert f"Next:\n  {command}\n  kedro viz run\n" in text


def test_plain_terminals_get_ascii(make_results):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    table = summary_table(score_results(make_results()), "MockTNG")
    print_table(table, ["step"], console=Console(file=file))


def test_rmse_and_chi2_have_errors_within_80_columns(make_results):
    results = make_results(60, n_simulations=4)
    config = BootstrapConfig(n_resamples=100, level=0.95, seed=0)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), config)
    text = printed(score_results(results), [], intervals=intervals)
    row = next(line for line in text.splitlines() if "sigma_8" in line)
    assert row.count("+-") == 2
    assert with_error(1.0, intervals["chi2"]["sigma_8"].error).removeprefix("1")[-4:] in row
    assert "from a bootstrap over simulations" in text
    assert "…" not in text


def test_a_chi2_of_a_diverged_network_is_not_truncated(make_results):
    results = make_results(60, n_simulations=4)
    results.std[:] /= 1e6
    config = BootstrapConfig(n_resamples=100, level=0.95, seed=0)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), config)
    text = printed(score_results(results), [], intervals=intervals)
    assert "…" not in text
    for name in camels.PARAMETER_NAMES:  # each on one line
        assert next(line for line in text.splitlines() if name in line).count("+-") == 2


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.02514, 0.001423, "0.0251+-0.0014"),
        (0.8561, 0.0931, "0.856+-0.093"),
        (0.8561, 0.104, "0.86+-0.10"),
        (1234.0, 56.7, "1234+-57"),
        (1.234e12, 4.2e10, "1.23e+12+-4e+10"),
        (0.3, 0.0, "0.3+-0"),
        (0.3, math.nan, "0.3+-nan"),
    ],
)
def test_a_value_has_the_decimals_of_its_error(value, error, text):
    assert with_error(value, error) == text


def test_predictions_show_the_first_maps_and_count_flags_within_80_columns():
    names = camels.COSMOLOGY
    values = {f"{n}_mean": 0.3 for n in names} | {f"{n}_std_recalibrated": 0.02 for n in names}
    records = [
        {"map": number, **values, "p_value": 0.5, "unlike_training": number % 5 == 0}
        for number in range(N_SHOWN + 2)
    ]
    table = prediction_table(records, "MockTNG", "Mgas_T", names, 0.01)
    console = Console(file=io.StringIO(), width=80)
    print_table(table, [], console)
    text = " ".join(console.file.getvalue().split())
    assert table.row_count == N_SHOWN
    assert "trained on mock suite MockTNG, Mgas_T maps" in text
    assert "2 of 10 maps are out-of-distribution (expected false-alarm rate: 1%)" in text
    assert text.count("0.300+-0.020") == len(names) * N_SHOWN
    assert text.count("0.5*") == 2  # maps 0 and 5
    assert "*: out-of-distribution" in text
    plain = prediction_table([records[1]], "MockTNG", "Mgas_T", names, 0.01)
    assert [column.header for column in plain.columns] == ["map", *names, "p-value"]


def test_scales_have_one_row_each():
    numbers = {"simulations": 6, "validation_simulations": 50, "maps_per_simulation": 15}
    records = [
        {"smoothing": scale, "mmd": 0.1234, "mmd_alike": 0.05, "p_value": 0.001, **numbers}
        for scale in (0, 1, 2)
    ]
    console = Console(file=io.StringIO(), width=80)
    print_table(scales_table(records), [], console)
    text = " ".join(console.file.getvalue().split())
    assert text.count("0.123 │ 0.050 │ 0.001") == 3
    assert "6 new and 50 validation simulations, 15 maps of each" in text
