from pathlib import Path

import numpy as np
import pytest

from multifield.training import read_losses, write_losses


def test_roundtrip_is_exact(rng: np.random.Generator, tmp_path: Path) -> None:
    losses = np.column_stack((np.arange(3.0), rng.normal(-10, 1, (3, 3))))
    write_losses(tmp_path / "losses" / "a.txt", losses)
    np.testing.assert_array_equal(read_losses(tmp_path / "losses" / "a.txt"), losses)


def test_form_is_the_benchmarks(tmp_path: Path) -> None:
    write_losses(tmp_path / "a.txt", np.array([[0.0, -1.5, -2.25, 1e-7]]))
    assert (tmp_path / "a.txt").read_text() == "0 -1.5 -2.25 1e-07\n"


@pytest.mark.parametrize("text", ["", "0 1 2\n", "0 1 2 3\n\n"])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match="Expected lines of `epoch train valid test`"):
        read_losses(tmp_path / "a.txt")
