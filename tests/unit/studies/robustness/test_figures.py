import numpy as np

from multifield.studies.robustness.figures import smoothing_scan, suite_matrices


def robustness_records() -> list[dict[str, str]]:
    """Make records of two suites and two widths, with numbers as text as in a CSV."""
    return [
        {
            "field": "T",
            "parameter": parameter,
            "smoothing_width": str(width),
            "trained_on": a,
            "tested_on": b,
            "RMSE": "0.1" if a == b else "0.4",
            "chi2": "1.0" if a == b else "23.0",
        }
        for parameter in ("Omega_m", "sigma_8")
        for width in (0.0, 2.0)
        for a in ("MockTNG", "SIMBA")
        for b in ("MockTNG", "SIMBA")
    ]


def test_one_cell_per_pair_of_suites():
    records = [r for r in robustness_records() if r["smoothing_width"] == "0.0"]
    figure = suite_matrices(records)
    figure.draw_without_rendering()
    omega, _ = figure.axes
    cells = [text.get_text() for text in omega.texts]
    assert cells == ["0.100\n1", "0.400\n23", "0.400\n23", "0.100\n1"]
    assert [label.get_text() for label in omega.get_xticklabels()] == ["MockTNG\n(mock)", "SIMBA"]


def test_one_line_per_suite_at_home_and_on_others():
    figure = smoothing_scan(robustness_records())
    figure.draw_without_rendering()
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == [
        "MockTNG (mock) on itself",
        "MockTNG (mock) on others",
        "SIMBA on itself",
        "SIMBA on others",
    ]
    for line, value in zip(lines, (0.1, 0.4, 0.1, 0.4), strict=True):
        np.testing.assert_allclose(line.get_ydata(), value)
