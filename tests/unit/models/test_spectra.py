from itertools import pairwise

import numpy as np
import pytest
import torch

from multifield.models.spectra import WIDEST, Spectra
from tests.helpers.tolerances import STATISTICS_ATOL

SIDE = 32  # [pixels]


def waves(row: int, column: int, amplitude: float = 1.0) -> torch.Tensor:
    """Return a cosine of this wave vector, (1, 1, L, L)."""
    y, x = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    phase = 2 * np.pi * (row * y + column * x) / SIDE
    return torch.from_numpy(amplitude * np.cos(phase))[None, None].float()


def plainly(x: np.ndarray) -> np.ndarray:
    """Compute the power in each ring from a complex transform in float64."""
    modes = np.abs(np.fft.fft2(x)) ** 2 / x.size
    k = np.fft.fftfreq(SIDE, 1 / SIDE)
    wave_number = np.hypot(k[:, None], k)
    edges = [0.5]
    while edges[-1] <= SIDE / np.sqrt(2):
        edges.append(edges[-1] + max(1, WIDEST * edges[-1]))
    rings = pairwise(edges)
    return np.array([modes[(wave_number > a) & (wave_number <= b)].mean() for a, b in rings])


def test_power_equals_that_of_a_complex_transform() -> None:
    x = torch.randn(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    expected = np.log([plainly(each[0]) for each in x.double().numpy()])
    np.testing.assert_allclose(Spectra(1, SIDE)(x), expected, rtol=0, atol=STATISTICS_ATOL)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (3, 0), (5, -4), (16, 16)])
def test_a_wave_has_power_in_its_ring_alone(row: int, column: int) -> None:
    spectra = Spectra(1, SIDE)
    power = spectra(waves(row, column)).exp()[0]
    edge_index = int(power.argmax())
    assert power[edge_index] > 1e3 * (power.sum() - power[edge_index])
    expected = plainly(waves(row, column).double().numpy()[0, 0])
    assert edge_index == expected.argmax()


def test_the_mean_of_a_map_is_in_no_ring() -> None:
    spectra, x = Spectra(1, SIDE), waves(3, 2)
    torch.testing.assert_close(
        spectra(x + 5), spectra(x), rtol=0, atol=0.05
    )  # of the floor's rings


def test_fields_correlate_as_they_are_made() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = (torch.randn(1, 1, SIDE, SIDE, generator=generator) for _ in range(2))
    spectra = Spectra(3, SIDE)
    n_rings = spectra.n_features // 6
    correlation = spectra(torch.cat((a, -2 * a, b), dim=1))[0, 3 * n_rings :].view(3, n_rings)
    torch.testing.assert_close(correlation[0], torch.full((n_rings,), -1.0), rtol=0, atol=1e-4)
    # the first ring has 8 modes, of which 4 are independent and complex
    assert correlation[1:].abs().max() < 1
    assert correlation[1:, -3:].abs().max() < 0.2  # hundreds of modes


def test_an_empty_map_has_a_spectrum() -> None:
    assert Spectra(2, SIDE)(torch.zeros(1, 2, SIDE, SIDE)).isfinite().all()
