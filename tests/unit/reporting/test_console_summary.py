import io

from rich.console import Console

from multifield import camels
from multifield.config.evaluation import BootstrapConfig
from multifield.core.console import print_table
from multifield.evaluation import estimate_intervals, score_results, simulation_of_rows
from multifield.reporting.console_summary import summary_table


def printed(metrics, next_steps, *args, **kwargs):
    console = Console(file=io.StringIO(), width=80)
    print_table(summary_table(metrics, *args, **kwargs), next_steps, console, heading="Next:")
    return console.file.getvalue()


def test_a_row_a_parameter_within_80_columns(make_results):
    metrics = score_results(make_results())
    text = printed(metrics, [])
    for name in camels.PARAMETER_NAMES:
        row = next(line for line in text.splitlines() if name in line)
        assert f"{metrics['R2'][name]:.3f}" in row
        assert f"{100 * metrics['epsilon'][name]:.1f}" in row
    assert "…" not in text


def test_only_what_was_inferred_has_a_row(make_results):
    metrics = score_results(make_results(inferred=camels.COSMOLOGY))
    assert summary_table(metrics).row_count == 2


def test_undefined_metric_is_a_dash(make_results):
    metrics = score_results(make_results(inferred=("Omega_m",), n_simulations=1))
    row = next(line for line in printed(metrics, []).splitlines() if "Omega_m" in line)
    assert " - " in row


def test_mock_is_said(make_results):
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


def test_errors_stand_beside_rmse_and_chi2_within_80_columns(make_results):
    results = make_results(60, n_simulations=4)
    config = BootstrapConfig(n_resamples=100, level=0.95, seed=0)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), config)
    text = printed(score_results(results), [], intervals=intervals)
    row = next(line for line in text.splitlines() if "sigma_8" in line)
    assert row.count("+-") == 2
    assert f"+-{intervals['chi2']['sigma_8'].error:.1g}" in row
    assert "from a bootstrap over simulations" in text
    assert "…" not in text


def test_a_chi2_of_a_diverged_network_is_shown_whole(make_results):
    results = make_results(60, n_simulations=4)
    results.std[:] /= 1e6
    config = BootstrapConfig(n_resamples=100, level=0.95, seed=0)
    intervals = estimate_intervals(results, simulation_of_rows(results, 1), config)
    assert "…" not in printed(score_results(results), [], intervals=intervals)
