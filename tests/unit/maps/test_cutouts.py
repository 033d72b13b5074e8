import numpy as np
import pytest
from scipy import ndimage

from multifield.maps.cutouts import cut_corner, cut_tiles, smooth_cutouts, tile_corners
from tests.helpers import tolerances


def test_a_corner_is_contiguous(lognormal_maps):
    corner = cut_corner(lognormal_maps, 5)
    np.testing.assert_array_equal(corner, lognormal_maps[:, :5, :5])
    assert corner.flags.c_contiguous
    assert cut_corner(corner, 5) is corner


@pytest.mark.parametrize("width", [0.5, 2.0, 9.0])  # the last one reaches beyond the cut-out
def test_smoothing_mirrors_at_the_edges(lognormal_maps, width):
    cutouts = cut_corner(lognormal_maps, 12)
    smoothed = smooth_cutouts(cutouts, width)
    expected = [
        ndimage.gaussian_filter(each.astype(np.float64), width, mode="reflect") for each in cutouts
    ]
    np.testing.assert_allclose(smoothed, expected, rtol=tolerances.SMOOTH_RTOL)
    np.testing.assert_allclose(
        smoothed.mean(axis=(1, 2)), cutouts.mean(axis=(1, 2)), rtol=tolerances.SMOOTH_RTOL
    )


def test_opposite_edges_do_not_mix():
    cutouts = np.ones((1, 16, 16), np.float32)
    cutouts[0, 0] = 100
    assert smooth_cutouts(cutouts, 1.0)[0, -1].max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("n_pixels", [5, 8, 10, 12, 13])
def test_few_tiles_cover_a_map(n_pixels):
    corners = tile_corners(n_pixels, 5)
    covered = np.zeros((n_pixels, n_pixels), int)
    for i, j in corners:
        covered[i : i + 5, j : j + 5] += 1
    assert covered.min() == 1
    assert len(corners) == (-(-n_pixels // 5)) ** 2
    assert (covered.max() == 1) == (n_pixels % 5 == 0)


def test_tiles_are_ordered_by_tile_and_map(lognormal_maps):
    tiles = cut_tiles(lognormal_maps, 8).reshape(4, len(lognormal_maps), 8, 8)
    np.testing.assert_array_equal(tiles[1], lognormal_maps[:, :8, 8:])
    np.testing.assert_array_equal(tiles[2], lognormal_maps[:, 8:, :8])
