import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from multifield.models.map_statistics import count_statistics, map_statistics
from tests.helpers.tolerances import STATISTICS_ATOL

SIDE = 16  # [pixels]


def make_maps(channels: int = 2) -> torch.Tensor:
    """Skewed maps with more structure in dense regions."""
    normal = torch.randn(3, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return (0.7 * normal).exp() - 1


def plainly(x: np.ndarray) -> np.ndarray:
    """Compute the statistics of one map of several fields with SciPy in float64."""
    tent = np.outer([1, 2, 1], [1, 2, 1]) / 16
    small = np.stack([each - ndimage.convolve(each, tent, mode="wrap") for each in x])
    found = []
    for maps in (x, small):
        rows = maps.reshape(len(maps), -1)
        kurtosis = stats.kurtosis(rows, axis=1, fisher=False)
        found += [rows.mean(1), np.log(rows.var(1)), stats.skew(rows, axis=1), np.log(kurtosis)]
    pairs = zip(small, x, strict=True)
    found.append(np.log(np.abs(small).mean(axis=(1, 2))))
    found.append([np.corrcoef(s.ravel() ** 2, m.ravel())[0, 1] for s, m in pairs])
    first, second = np.triu_indices(len(x), 1)
    found.append(np.atleast_2d(np.corrcoef(small.reshape(len(x), -1)))[first, second])
    return np.concatenate(found)


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_equal_scipys(channels: int) -> None:
    x = make_maps(channels)
    expected = np.stack([plainly(each) for each in x.double().numpy()])
    found = map_statistics(x)
    assert found.shape == (3, count_statistics(channels))
    np.testing.assert_allclose(found, expected, rtol=0, atol=STATISTICS_ATOL)


@pytest.mark.parametrize("orientation", range(8))
def test_statistics_are_the_same_for_all_shifts_and_orientations(orientation: int) -> None:
    x = make_maps()
    turned = torch.rot90(x.roll((3, -5), (2, 3)), orientation % 4, dims=(2, 3))
    turned = turned.flip(3) if orientation >= 4 else turned
    torch.testing.assert_close(
        map_statistics(turned), map_statistics(x), rtol=0, atol=STATISTICS_ATOL
    )


def test_a_constant_map_has_statistics() -> None:
    found = map_statistics(torch.full((1, 2, SIDE, SIDE), 3.0))
    assert found.isfinite().all()
    assert found[0, :2].tolist() == [3.0, 3.0]


def test_statistics_have_the_gradient_of_the_map() -> None:
    x = make_maps()[:1, :, :8, :8].requires_grad_()
    map_statistics(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_low_precision_is_left_to_convolutions() -> None:
    x = make_maps()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = map_statistics(x)
    assert torch.equal(found, map_statistics(x))
