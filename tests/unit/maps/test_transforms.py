import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy import ndimage

from multifield.maps import open_maps, transforms
from tests.helpers import tolerances
from tests.helpers.projects import run_python


class TestGaussianSmooth:
    def test_scipy(self, lognormal_maps):
        smoothed = transforms.gaussian_smooth(lognormal_maps, 2.0, n_threads=2)
        answer = [
            ndimage.gaussian_filter(m, 2, mode="wrap") for m in lognormal_maps.astype(np.float64)
        ]
        np.testing.assert_allclose(smoothed, answer, rtol=tolerances.SMOOTH_RTOL)

    def test_returns_a_copy_for_no_width(self, lognormal_maps):
        smoothed = transforms.gaussian_smooth(lognormal_maps, 0.0)
        np.testing.assert_array_equal(smoothed, lognormal_maps)
        assert not np.shares_memory(smoothed, lognormal_maps)

    def test_negative_width(self, lognormal_maps):
        with pytest.raises(ValueError, match=r"width: Expected .*, got -1\.5"):
            transforms.gaussian_smooth(lognormal_maps, -1.5)

    def test_shape_types_are_checked_in_tests(self, lognormal_maps):
        with pytest.raises(TypeCheckError):
            transforms.gaussian_smooth(lognormal_maps.astype(np.float64), 1.0)


class TestLogTransform:
    def test_log10(self, lognormal_maps):
        log_maps = transforms.log_transform(lognormal_maps, "Mtot")
        np.testing.assert_array_max_ulp(
            log_maps, np.log10(lognormal_maps), maxulp=tolerances.LOG_ULP_AGAINST_NUMPY
        )

    def test_mstar_keeps_its_zeros(self, lognormal_maps):
        lognormal_maps[:, 3] = 0
        log_maps = transforms.log_transform(lognormal_maps, "Mstar")
        assert np.all(log_maps[:, 3] == 0)

    @pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (0, r"0\.0"), (-2, r"-2\.0")])
    def test_names_the_pixel(self, lognormal_maps, value, shown):
        lognormal_maps[17, 3, 5] = value
        rule = rf"T: map 17, pixel \(3, 5\): Expected a finite value > 0, got {shown}"
        with pytest.raises(ValueError, match=rule):
            transforms.log_transform(lognormal_maps, "T")

    def test_unknown_field(self, lognormal_maps):
        with pytest.raises(ValueError, match=r"field: Expected one of Mgas, .*, got 'Mgass'"):
            transforms.log_transform(lognormal_maps, "Mgass")


class TestMoments:
    def test_of_all_maps(self, lognormal_maps):
        log_maps = np.log10(lognormal_maps)
        count, mean, m2 = transforms.combine_moments(transforms.map_moments(log_maps, n_threads=2))
        assert count == log_maps.size
        assert mean == pytest.approx(log_maps.mean(dtype=np.float64), rel=tolerances.MOMENTS_RTOL)
        assert m2 / count == pytest.approx(
            log_maps.var(dtype=np.float64), rel=tolerances.MOMENTS_RTOL
        )

    def test_remove_monopole(self, lognormal_maps):
        fluctuations = transforms.remove_monopole(np.log10(lognormal_maps))
        means = fluctuations.mean(axis=(1, 2), dtype=np.float64)
        np.testing.assert_allclose(means, 0, atol=tolerances.MONOPOLE_ATOL)


class TestCheckPixels:
    def test_counts_from_the_first_map_of_the_block(self, lognormal_maps):
        lognormal_maps[2, 0, 1] = np.inf
        rule = r"T: map 32, pixel \(0, 1\): Expected a finite value >= 0, got inf"
        with pytest.raises(ValueError, match=rule):
            transforms.check_pixels(lognormal_maps, "T", allow_zero=True, first_map=30)

    def test_zero(self, lognormal_maps):
        lognormal_maps[0, 0, 0] = 0
        transforms.check_pixels(lognormal_maps, "T", allow_zero=True)
        with pytest.raises(ValueError, match=r"T: map 0, .* > 0, got 0\.0"):
            transforms.check_pixels(lognormal_maps, "T", allow_zero=False)

    def test_a_slice_of_a_memory_map_names_its_file(self, tmp_path, lognormal_maps):
        lognormal_maps[17, 0, 1] = -1
        np.save(tmp_path / "a.npy", lognormal_maps)
        block = open_maps(tmp_path / "a.npy")[15:]
        with pytest.raises(ValueError, match=r"a\.npy: map 17, .* >= 0, got -1"):
            transforms.check_pixels(block, "T", allow_zero=True, first_map=15)


def preprocess(maps, field="Mtot", width=2.0, **where):
    out, moments = np.empty_like(maps), np.empty((len(maps), 3))
    transforms.preprocess_block(
        maps, out, moments, field=field, width=width, without_monopole=True, n_threads=2, **where
    )
    return out, moments


class TestPreprocessBlock:
    def test_equals_the_single_steps(self, lognormal_maps):
        out, moments = preprocess(lognormal_maps)
        steps = transforms.gaussian_smooth(lognormal_maps, 2.0)
        steps = transforms.remove_monopole(transforms.log_transform(steps, "Mtot"))
        np.testing.assert_array_equal(out, steps)
        np.testing.assert_array_equal(moments, transforms.map_moments(steps))

    def test_raw_pixel(self, lognormal_maps):
        lognormal_maps[17, 3, 5] = np.nan
        rule = (
            r"Mtot: map 47, pixel \(3, 5\): "
            "Expected a finite value >= 0, got nan"
        )
        with pytest.raises(ValueError, match=rule):
            preprocess(lognormal_maps, first_map=30)

    def test_zero_without_smoothing(self, lognormal_maps):
        lognormal_maps[1, 2, 3] = 0
        with pytest.raises(ValueError, match=r"Mtot: map 1, .* > 0, because .* log10, got 0\.0"):
            preprocess(lognormal_maps, width=0.0)

    def test_zero_after_smoothing(self, lognormal_maps):
        lognormal_maps[4] = 0
        with pytest.raises(ValueError, match=r"map 4, .* > 0 after smoothing by 0\.5 pixels"):
            preprocess(lognormal_maps, width=0.5)

    @pytest.mark.parametrize(("field", "rule"), [("Mtot", "> 0"), ("Mstar", ">= 0")])
    def test_infinite_after_smoothing(self, lognormal_maps, field, rule):
        lognormal_maps[4] = 3e38  # a float, but the sum of two is not
        message = rf"map 4, .*: Expected a finite value {rule} after smoothing by 2 .*, got inf"
        with pytest.raises(ValueError, match=message):
            preprocess(lognormal_maps, field=field)

    def test_zero_of_mstar(self, lognormal_maps):
        lognormal_maps[4] = 0
        assert np.all(preprocess(lognormal_maps, field="Mstar")[0][4] == 0)


WITHOUT_BUILD = """
import sys
sys.modules["mapkernels"] = None
from pathlib import Path
import numpy as np
import multifield
from multifield.data import Preprocessing, joined, open_log_maps
from multifield.maps import open_maps, transforms
from multifield.data.preprocess import PreprocessingConfig

settings = PreprocessingConfig(
    smoothing_width=2.0, remove_monopole=True, compact=False, cutout=0, mask=None, zeros="refuse", noise=0,
    beam=0, n_threads=1
)
raw = np.load("raw.npy")
Preprocessing(raw, "Mtot", settings, "abc").write(Path("log.npy"))
np.save("answer.npy", open_log_maps(Path("log.npy")).maps)
"""


def test_without_a_build_the_twin_is_used_with_one_warning(tmp_path, lognormal_maps):
    np.save(tmp_path / "raw.npy", lognormal_maps)
    done = run_python(tmp_path, "-c", WITHOUT_BUILD)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("RuntimeWarning") == 1
    assert "build it with `pip install -e .`" in done.stderr
    smoothed = transforms.gaussian_smooth(lognormal_maps, 2.0)
    expected = transforms.remove_monopole(transforms.log_transform(smoothed, "Mtot"))
    twin = np.load(tmp_path / "answer.npy")
    np.testing.assert_allclose(twin, expected, atol=tolerances.LOG_MAP_ATOL)
