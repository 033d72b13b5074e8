from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.geometry import COLUMNS, SIZE, disc, draw, score


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_disc_masks_a_share(share):
    mask = disc(share)
    assert mask.shape == (SIZE, SIZE)
    assert mask.mean() == pytest.approx(share, abs=0.02)
    assert not mask[0, 0]


def test_scores_by_hand():
    posterior = SimpleNamespace(
        parameters=("Omega_m",),
        mean=np.array([[0.3], [0.5]]),
        std_recalibrated=np.array([[0.2], [0.1]]),
        is_novel=np.array([True, False]),
    )
    (found,) = score(posterior, np.array([[0.2], [0.2]]))
    # errors 0.1 and 0.3: rms 0.2236, chi2 (0.25 + 9) / 2
    assert found.texts == ("Omega_m", "0.2236", "0.1500", "4.62", "50%", "50%")
    assert len(found) + 2 == len(COLUMNS)


def test_the_figure_has_every_kind_of_maps(tmp_path):
    rows = [
        (maps, "whole", parameter, 0.1, 0.1, chi2, 0.7, 0.0)
        for maps, chi2 in (("whole", 1.0), ("masked", 30.0))
        for parameter in ("Omega_m", "sigma_8")
    ]
    draw(pd.DataFrame(rows, columns=COLUMNS), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
