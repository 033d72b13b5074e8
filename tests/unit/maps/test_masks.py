import numpy as np
import pytest

from multifield.maps.masks import decode_mask, encode_mask, fill_masked, read_mask


@pytest.fixture
def mask(rng):
    return rng.random((16, 16)) < 0.3


def test_masked_pixels_get_the_median_of_the_others(lognormal_maps, mask):
    masked = lognormal_maps.copy()
    masked[:, mask] = np.nan
    filled = fill_masked(masked, mask)
    for one, raw in zip(filled, lognormal_maps, strict=True):
        np.testing.assert_array_equal(one[~mask], raw[~mask])
        np.testing.assert_array_equal(one[mask], np.median(raw[~mask]))
    assert np.isnan(masked[:, mask]).all()  # the input is unchanged


def test_a_file_is_read(tmp_path, mask):
    np.save(tmp_path / "mask.npy", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.npy", 16), mask)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((8, 8), bool), r"Expected a mask of shape \(16, 16\), .* got \(8, 8\)"),
        (np.zeros((16, 8), bool), r"got \(16, 8\)"),
        (np.ones((16, 16), bool), "a mask of all pixels"),
        (np.zeros((16, 16), np.float32), "Expected bool, .* got float32"),
    ],
)
def test_other_files_are_refused(tmp_path, array, message):
    np.save(tmp_path / "mask.npy", array)
    with pytest.raises(ValueError, match=r"mask\.npy: .*" + message):
        read_mask(tmp_path / "mask.npy", 16)


def test_a_file_in_another_format_is_refused(tmp_path):
    (tmp_path / "mask.npy").write_text("0 1")
    with pytest.raises(ValueError, match=r"mask: Expected a \.npy file, got .*mask\.npy"):
        read_mask(tmp_path / "mask.npy", 16)


@pytest.mark.parametrize("size", [4, 5, 16])
def test_text_of_a_card(rng, size):
    mask = rng.random((size, size)) < 0.5
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), size), mask)


def test_a_mask_of_another_size_in_a_card_is_refused(mask):
    with pytest.raises(ValueError, match="mask: Expected 32 x 32 pixels, got 256 pixels"):
        decode_mask(encode_mask(mask), 32)


def test_a_survey_takes_few_bytes_in_a_card():
    row, column = np.mgrid[:256, :256]
    mask = (row - 100) ** 2 + (column - 80) ** 2 < 60**2
    assert len(encode_mask(mask)) < 1500
