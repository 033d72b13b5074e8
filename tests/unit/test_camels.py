import numpy as np
import pytest

from multifield import camels


def test_columns_are_in_the_order_of_the_tables():
    assert camels.PARAMETER_NAMES == ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def test_thirteen_fields_of_which_b_is_illustris_alone():
    assert len(camels.FIELDS) == 13
    assert "B" in camels.SUITES["IllustrisTNG"].fields
    for suite in ("SIMBA", "Astrid", "EAGLE"):
        assert "B" not in camels.SUITES[suite].fields
    for suite in ("Nbody_IllustrisTNG", "Nbody_SIMBA", "Nbody_Astrid", "MockNbody"):
        assert camels.SUITES[suite].fields == ("Mtot",)
        assert camels.SUITES[suite].inferred_columns == (0, 1)


def test_scaling_is_linear_and_never_clips():
    theta = np.array([[0.1, 0.6, 0.25, 0.25, 0.5, 0.5], [0.5, 1.0, 4.0, 4.0, 2.0, 2.0]])
    np.testing.assert_array_equal(camels.scale_theta(theta), [[0] * 6, [1] * 6])
    astrid = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 4.0]])
    assert camels.scale_theta(astrid)[0, 5] == pytest.approx(3.5 / 1.5)  # 2.33, not 1
    np.testing.assert_allclose(camels.unscale_theta(camels.scale_theta(astrid)), astrid, rtol=1e-15)
    np.testing.assert_allclose(camels.unscale_theta_std(np.ones((1, 6)))[0], theta[1] - theta[0])


@pytest.mark.parametrize(
    ("field", "suite", "message"),
    [
        ("B", "SIMBA", "suite SIMBA has Mgas, .* got 'B'"),
        ("Mgas_XX", "IllustrisTNG", "got 'XX' in 'Mgas_XX'"),
        ("Mgas_HI_Mgas", "IllustrisTNG", "each field once"),
        ("", "IllustrisTNG", "got ''"),
        ("Mtot", "Illustris", "suite: expected one of IllustrisTNG, .* got 'Illustris'"),
    ],
)
def test_unknown_names(field, suite, message):
    with pytest.raises(ValueError, match=message):
        camels.parse_fields(field, suite)


def test_fields_keep_the_order_asked():
    assert camels.parse_fields("HI_Mgas_B", "IllustrisTNG") == ("HI", "Mgas", "B")


def test_published_names():
    assert camels.maps_names("T", "SIMBA", "LH")[0] == "Maps_T_SIMBA_LH_z=0.00.npy"
    assert "Images_T_SIMBA_LH_z=0.0.npy" in camels.maps_names("T", "SIMBA", "LH")
    assert camels.theta_names("SIMBA", "LH") == ("params_LH_SIMBA.txt", "params_SIMBA.txt")
    assert camels.theta_names("SIMBA", "CV") == ("params_CV_SIMBA.txt",)
    assert camels.recipe_label(500, 500, 0) == "all_steps_500_500_o3"
    assert camels.recipe_label(500, 500, 2.0) == "all_steps_500_500_o3_smoothing_2"
    assert camels.recipe_label(500, 500, 2.5, True).endswith("smoothing_2.5_no_monopole")
