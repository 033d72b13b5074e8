import numpy as np
import pandas as pd
import pytest

from benchmarks.geometry import Score
from benchmarks.instrument import COLUMNS, LEVELS, draw, observe
from multifield.maps import gaussian_smooth

NOISE, BEAM = LEVELS


def test_all_maps_have_one_level(lognormal_maps):
    noise = np.log(observe(lognormal_maps, NOISE, 0.3) / lognormal_maps)
    assert noise.std() == pytest.approx(0.3, rel=0.03)  # of 7,680 pixels
    np.testing.assert_array_equal(
        observe(lognormal_maps, BEAM, 1.5), gaussian_smooth(lognormal_maps, 1.5)
    )
    for instrument in LEVELS:
        np.testing.assert_array_equal(observe(lognormal_maps, instrument, 0.0), lognormal_maps)


def test_the_figure_has_a_line_per_network_and_parameter(tmp_path, monkeypatch):
    rows = [
        (network, instrument, level, *Score(parameter, 0.1, 0.1, 1.0 + level, 0.7, 0.0))
        for network in ("plain", "noisy")
        for instrument, levels in LEVELS.items()
        for level in levels
        for parameter in ("Omega_m", "sigma_8")
    ]
    lines = []
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig",
        lambda figure, path, **_: lines.extend(len(ax.lines) for ax in figure.axes),
    )
    draw(pd.DataFrame(rows, columns=COLUMNS), tmp_path / "figure.png")
    assert lines == [5, 5, 6, 6]  # one line marks the limit of the training, one chi2 = 1
