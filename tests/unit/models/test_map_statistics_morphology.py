import numpy as np
import pytest
import torch
from scipy import special

from multifield.models.map_statistics import (
    EXPONENTS,
    HEIGHT_WIDTH,
    HEIGHTS,
    LENGTH_FLOOR,
    PER_LEVEL,
    contours,
    couple_scales,
    tails,
)
from multifield.models.pyramid import Halve
from tests.helpers.tolerances import STATISTICS_ATOL

SIDE = 32  # [pixels]


def make_maps(channels: int = 2) -> torch.Tensor:
    """Smooth, skewed maps."""
    shape = (3, channels, 2 * SIDE, 2 * SIDE)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return Halve(channels)(x + 0.5 * x.square())


def turned(x: torch.Tensor, orientation: int) -> torch.Tensor:
    x = torch.rot90(x, orientation % 4, dims=(2, 3))
    return x.flip(3) if orientation >= 4 else x


def test_tails_are_logarithms_of_means() -> None:
    x = make_maps()
    maps = x.double().numpy()
    expected = [np.log(np.exp(a * maps).mean(axis=(2, 3))) / a for a in EXPONENTS]
    np.testing.assert_allclose(tails(x), np.concatenate(expected, axis=1), rtol=0, atol=1e-5)


def test_contours_equal_numpys() -> None:
    x = make_maps()[:, :1]
    maps = x[:, 0].double().numpy()
    across, down = ((np.roll(maps, -1, axis) - np.roll(maps, 1, axis)) / 2 for axis in (2, 1))
    slope = np.hypot(across, down)
    laplacian = sum(np.roll(maps, step, axis) for step in (1, -1) for axis in (1, 2)) - 4 * maps
    found = contours(x)
    assert found.shape == (3, PER_LEVEL)
    by_height = found[:, 4:].view(3, len(HEIGHTS), 3).double().numpy()
    for k, height in enumerate(HEIGHTS):
        scaled = (maps - height) / HEIGHT_WIDTH
        near = np.exp(-0.5 * scaled**2)
        area = special.expit(scaled).mean(axis=(1, 2))
        length = np.log((near * slope).mean(axis=(1, 2)) + LENGTH_FLOOR)
        curvature = (near * laplacian).mean(axis=(1, 2))
        expected = np.stack((area, length, curvature), axis=1)
        # the floor of the gradient's square, 1e-6, below slopes of order 1
        np.testing.assert_allclose(by_height[:, k], expected, rtol=0, atol=1e-4)


def test_lines_around_peaks_and_around_voids_are_told_apart() -> None:
    peaks = make_maps()[:1, 1:] * 0
    peaks[..., 8:10, 8:10] = 4.0
    curvature = slice(4 + 2, None, 3)
    around_peaks, around_voids = (contours(x)[0, curvature] for x in (peaks - 1, 1 - peaks))
    torch.testing.assert_close(around_peaks[1], -around_voids[1])  # height 0
    assert around_peaks[1] != 0


@pytest.mark.parametrize("orientation", range(8))
def test_all_are_the_same_for_the_orientations(orientation: int) -> None:
    x = make_maps()
    for each in (tails, contours):
        found, expected = each(turned(x, orientation)), each(x)
        torch.testing.assert_close(found, expected, rtol=0, atol=STATISTICS_ATOL)


def test_structure_that_follows_the_field_is_seen() -> None:
    generator, halve = torch.Generator().manual_seed(3), Halve(1)
    coarse = torch.randn(16, 1, 8, 8, generator=generator)
    fine = torch.randn(16, 1, SIDE, SIDE, generator=generator)
    large = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="nearest")

    def couple(x: torch.Tensor) -> torch.Tensor:
        levels = [x, halve(x), halve(halve(x))]
        return couple_scales(levels, halve)[:, 2].mean()  # the finest with the coarsest

    assert couple(large + 0.5 * fine).abs() < 0.1
    assert couple(large + 0.5 * fine * large.exp()) > 0.5
    assert couple(large + 0.5 * fine * (-large).exp()) < -0.3


def test_constant_maps_have_statistics() -> None:
    x, halve = torch.full((1, 2, SIDE, SIDE), 3.0), Halve(2)
    found = torch.cat((tails(x), contours(x), couple_scales([x, halve(x)], halve)), dim=1)
    assert found.isfinite().all()


def test_statistics_have_the_gradient_of_the_map() -> None:
    x, halve = make_maps().requires_grad_(), Halve(2)
    found = (tails(x).sum(), contours(x).sum(), couple_scales([x, halve(x)], halve).sum())
    torch.stack(found).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
