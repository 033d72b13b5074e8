import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from multifield import camels, evaluation, reporting
from multifield.evaluation import (
    Results,
    average_orientations,
    comparable,
    compare_trials,
    read_results,
    results_name,
    score_results,
    write_results,
)

MIXTURE_ROUNDING = 1e-12  # relative; float64 sums of 8 terms


def assert_equal(found, expected):
    for label in ("theta", "mean", "std"):
        np.testing.assert_array_equal(getattr(found, label), getattr(expected, label))
    assert found.inferred == expected.inferred


# ---- the file ----


@pytest.mark.parametrize("inferred", [camels.PARAMETER_NAMES, camels.COSMOLOGY])
def test_round_trip_is_exact(tmp_path, make_results, inferred):
    results = make_results(inferred=inferred)
    write_results(tmp_path / "new" / "results.txt", results)
    assert_equal(read_results(tmp_path / "new" / "results.txt"), results)


@settings(max_examples=30)
@given(arrays(np.float64, (2, 18), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_every_float64_survives(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("results") / "results.txt"
    results = Results(*np.split(rows, 3, axis=1))
    write_results(path, results)
    assert_equal(read_results(path), results)


def test_file_has_the_benchmarks_layout(tmp_path, make_results):
    results = make_results(3)
    write_results(tmp_path / "results.txt", results)
    lines = (tmp_path / "results.txt").read_text().splitlines()
    assert len(lines) == 3
    words = lines[1].split(" ")
    assert len(words) == 18
    assert words[0] == f"{results.theta[1, 0]:.18e}"
    assert words[6] == f"{results.mean[1, 0]:.18e}"
    assert words[17] == f"{results.std[1, 5]:.18e}"


def test_one_row_is_a_table(tmp_path, make_results):
    write_results(tmp_path / "results.txt", make_results(1))
    assert len(read_results(tmp_path / "results.txt")) == 1


def test_foreign_blanks_and_comments_are_read(tmp_path):
    numbers = "\t".join(str(number) for number in range(1, 19))
    (tmp_path / "results.txt").write_text(f"# a header\r\n\r\n  {numbers}\r\n")
    assert read_results(tmp_path / "results.txt").std[0, 5] == 18


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected 18 numbers per map, got an empty file"),
        ("# header only\n\n", "Expected 18 numbers per map, got an empty file"),
        ("1 " * 17, "Expected 18 columns, got 17"),
        ("1 " * 18 + "\n" + "1 " * 17, "Expected 18 columns of numbers: .*18 to 17"),
        ("1 " * 17 + "one", "Expected 18 columns of numbers: .*'one'"),
        ("nan " * 18, "Expected at least one parameter"),
        ("1 " * 18 + "\n" + "1 " * 7 + "nan " + "1 " * 10, "mean of sigma_8: .* nan in row 1"),
        ("1 " * 17 + "nan", "std of A_AGN2: Expected finite values, got nan in row 0"),
        ("1 " * 17 + "inf", "std of A_AGN2: Expected finite values, got inf in row 0"),
    ],
)
def test_bad_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "results_bad.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"results_bad\.txt: .*{message}"):
        read_results(path)


def test_binary_file_is_refused_by_name(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"\x80\x02\xff\x00")
    with pytest.raises(ValueError, match=r"weights\.pt: Expected 18 columns of numbers"):
        read_results(tmp_path / "weights.pt")


def test_results_name_is_the_benchmarks():
    name = results_name(
        "Nbody_IllustrisTNG", "Mtot", "all_steps_500_500_o3",
        "SIMBA", "Mgas_HI", "all_steps_500_500_o3_smoothing_2", "LH",
    )  # fmt: skip
    assert name == (
        "results_train_Nbody_Mtot_all_steps_500_500_o3"
        "_test_SIMBA_Mgas_HI_all_steps_500_500_o3_smoothing_2_LH.txt"
    )


# ---- results in memory ----


def test_single_precision_is_widened(make_results):
    results = make_results()
    single = [table.astype(np.float32) for table in (results.theta, results.mean, results.std)]
    assert Results(*single).mean.dtype == np.float64


def test_a_number_where_nothing_is_inferred_is_refused(make_results):
    results = make_results()
    with pytest.raises(ValueError, match=r"mean of A_SN1: Expected NaN \(not inferred\), got"):
        Results(results.theta, results.mean, results.std, camels.COSMOLOGY)


def test_a_missing_number_is_refused(make_results):
    results = make_results()
    results.mean[4, 0] = np.nan
    with pytest.raises(
        ValueError, match="mean of Omega_m: Expected finite values, got nan in row 4"
    ):
        Results(results.theta, results.mean, results.std)


def test_a_repeated_parameter_is_refused(make_results):
    results = make_results()
    with pytest.raises(ValueError, match="Expected each name once, got Omega_m, Omega_m"):
        Results(results.theta, results.mean, results.std, ("Omega_m", "Omega_m"))


# ---- orientations ----


def stack(results, means, stds):
    copies = np.tile(results.theta, (len(means), 1))
    return Results(copies, np.concatenate(means), np.concatenate(stds), results.inferred)


def test_equal_orientations_change_nothing(make_results):
    results = make_results(inferred=camels.COSMOLOGY)
    copies = stack(results, [results.mean] * 8, [results.std] * 8)
    averaged = average_orientations(copies, 8)
    assert len(averaged) == len(results)
    np.testing.assert_allclose(averaged.mean, results.mean, rtol=MIXTURE_ROUNDING)
    np.testing.assert_allclose(averaged.std, results.std, rtol=MIXTURE_ROUNDING)
    np.testing.assert_array_equal(averaged.theta, results.theta)


def test_two_orientations_by_hand(make_results):
    results = make_results(5)
    ones = np.ones_like(results.mean)
    # means 1 and 7 spread by 3, stds 3 and 5: sqrt((9 + 25) / 2 + 9)
    averaged = average_orientations(stack(results, [ones, 7 * ones], [3 * ones, 5 * ones]), 2)
    np.testing.assert_allclose(averaged.mean, 4.0, rtol=MIXTURE_ROUNDING)
    np.testing.assert_allclose(averaged.std, np.sqrt(26.0), rtol=MIXTURE_ROUNDING)


def test_other_row_order_is_refused(make_results):
    results = make_results(10)
    rows = np.repeat(np.arange(10), 2)
    by_map = Results(results.theta[rows], results.mean[rows], results.std[rows])
    with pytest.raises(ValueError, match=r"ordered \(orientation, simulation, map\)"):
        average_orientations(by_map, 2)


@pytest.mark.parametrize("n_orientations", [0, -1, 7])
def test_rows_must_divide(make_results, n_orientations):
    with pytest.raises(ValueError, match=rf"divisor of 10 rows, got {n_orientations}"):
        average_orientations(make_results(10), n_orientations)


# ---- imports ----


def test_import_is_light():
    code = "import sys, multifield.evaluation; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_slow_parts_are_imported_on_use():
    assert reporting.figures.maps_mosaic.__module__ == "multifield.reporting.figures.maps"
    assert callable(evaluation.predict)
    with pytest.raises(AttributeError, match="guess"):
        evaluation.guess  # noqa: B018


# ---- comparable parameters ----


def test_all_active_parameters_are_compared_in_the_training_suite(make_results):
    results = make_results()
    kept = comparable(results, "SIMBA", "SIMBA")
    assert kept.inferred == camels.PARAMETER_NAMES
    np.testing.assert_array_equal(kept.mean, results.mean)


@pytest.mark.parametrize(
    ("train", "test"), [("SIMBA", "IllustrisTNG"), ("Nbody_SIMBA", "Nbody_SIMBA")]
)
def test_only_cosmology_is_compared_in_another_suite(make_results, train, test):
    results = make_results()
    kept = comparable(results, train, test)
    assert kept.inferred == camels.COSMOLOGY
    assert np.isnan(kept.mean[:, 2:]).all()
    assert np.isnan(kept.std[:, 2:]).all()
    np.testing.assert_array_equal(kept.mean[:, :2], results.mean[:, :2])
    assert np.isfinite(results.mean).all()  # unchanged


def test_a_truth_that_is_not_known_is_not_compared(make_results):
    results = make_results()
    results.theta[:, 2:] = np.nan
    assert comparable(results, "IllustrisTNG", "IllustrisTNG").inferred == camels.COSMOLOGY


def test_nothing_to_compare_is_refused(make_results):
    with pytest.raises(ValueError, match="inferred: Expected at least one parameter"):
        comparable(make_results(inferred=("A_SN1",)), "SIMBA", "IllustrisTNG")


# ---- trials side by side ----


def test_trials_side_by_side(make_results):
    results = {
        7: make_results(inferred=("sigma_8",)),
        2: make_results(inferred=("sigma_8",), seed=1),
    }
    rows = compare_trials(results, {7: -3.5, 2: -3.25, 0: -1.0})
    assert [(row["rank"], row["trial"], row["valid_loss"]) for row in rows] == [
        (1, 7, -3.5),
        (2, 2, -3.25),
    ]
    assert rows[1]["RMSE_sigma_8"] == score_results(results[2])["RMSE"]["sigma_8"]
    assert not [name for name in rows[0] if name.endswith("Omega_m")]


def test_an_undefined_metric_is_an_empty_cell(make_results):
    constant = make_results(15, ("sigma_8",), n_simulations=1)
    assert compare_trials({0: constant}, {0: 0.0})[0]["R2_sigma_8"] is None
