from io import StringIO

from rich.console import Console

from multifield.core.console import print_table
from multifield.studies.robustness import methods_table


def row(field, method, parameter, **numbers):
    places = {
        f"{place}_{metric}": "0.5" for place in ("home", "held_back") for metric in ("RMSE", "chi2")
    }
    ratios = {"RMSE_to_one_suite": "1.0", "home_RMSE_to_one_suite": "1.0"}
    return {"field": field, "method": method, "parameter": parameter, **places, **ratios, **numbers}


def test_the_last_words_hold_omega_m_of_each_method_as_a_csv_gives_it():
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
