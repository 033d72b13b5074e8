from io import StringIO

import pytest
from rich.console import Console

from multifield import camels
from multifield.core.console import print_table
from multifield.studies.robustness import compare_methods, methods_table
from tests.unit.studies.robustness.examples import method, robustness


def row(field, method, parameter, **numbers):
    places = {
        f"{place}_{metric}": "0.5" for place in ("home", "held_back") for metric in ("RMSE", "chi2")
    }
    ratios = {"RMSE_to_one_suite": "1.0", "home_RMSE_to_one_suite": "1.0"}
    return {"field": field, "method": method, "parameter": parameter, **places, **ratios, **numbers}


def test_the_console_table_shows_omega_m_of_each_method():
    rows = [
        row("T", "one_suite", "Omega_m"),
        row("T", "one_suite", "sigma_8", held_back_RMSE="0.7777"),
        row("T", "widened", "Omega_m", held_back_RMSE="0.12345", RMSE_to_one_suite="0.246"),
        row("HI", "widened", "Omega_m", home_chi2=""),
    ]
    out = StringIO()
    print_table(methods_table(rows, "MockAstrid"), ("next",), Console(file=out, width=120))
    text = out.getvalue()
    assert "Omega_m on MockAstrid" in text
    (widened,) = (line for line in text.splitlines() if "0.123" in line)
    assert all(cell in widened for cell in ("widened", "0.123", "0.246"))
    (undefined,) = (line for line in text.splitlines() if "HI" in line)
    assert undefined.split()[-1] == "-"
    assert "0.778" not in text
    assert text.rstrip().endswith("next")


def test_names_of_methods_stay_whole_on_eighty_columns():
    out = StringIO()
    name = "own_scale_disturbed"
    table = methods_table([row("T", name, "Omega_m")], "MockAstrid")
    print_table(table, (), Console(file=out, width=80))
    assert any(name in line for line in out.getvalue().splitlines())


def rows(values: dict[tuple[str, str, str], float]) -> list[dict[str, str]]:
    """Make records as in a CSV from the RMSE by (method, trained on, tested on)."""
    return [
        {
            "field": "T",
            "smoothing_width": "0.0",
            "method": name,
            "trained_on": trained,
            "tested_on": tested,
            "parameter": parameter,
            "RMSE": str(value),
            "chi2": str(10 * value),
            "chi2_clipped": "",
        }
        for (name, trained, tested), value in values.items()
        for parameter in camels.COSMOLOGY
    ]


def test_methods_are_compared_with_networks_of_one_suite():
    tng, simba, astrid = robustness().suites
    both = f"{tng}+{simba}"
    records = rows(
        {
            ("one_suite", tng, tng): 0.1,
            ("one_suite", simba, simba): 0.3,
            ("one_suite", tng, simba): 9.0,
            ("one_suite", tng, astrid): 0.6,
            ("one_suite", simba, astrid): 1.0,
            ("one_suite", astrid, astrid): 0.15,
            ("one_suite", astrid, tng): 9.0,
            ("m", both, tng): 0.2,
            ("m", both, simba): 0.3,
            ("m", both, astrid): 0.4,
        }
    )
    plain, _, found, _ = compare_methods(records, robustness(methods=(method("m"),)))
    assert (plain["home_RMSE"], plain["held_back_RMSE"]) == pytest.approx((0.2, 0.8))
    assert plain["on_its_own_RMSE"] == pytest.approx(0.15)
    assert (found["home_RMSE"], found["held_back_RMSE"]) == pytest.approx((0.25, 0.4))
    assert found["held_back_chi2"] == pytest.approx(4.0)
    assert found["RMSE_to_one_suite"] == pytest.approx(0.5)
    assert found["home_RMSE_to_one_suite"] == pytest.approx(1.25)
