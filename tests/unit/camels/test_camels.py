import numpy as np
import pytest

from multifield import camels


def test_columns_are_in_the_order_of_the_tables():
    assert camels.PARAMETER_NAMES == ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def test_there_are_thirteen_fields_and_only_illustris_has_b():
    assert len(camels.FIELDS) == 13
    assert "B" in camels.SUITES["IllustrisTNG"].fields
    for suite in ("SIMBA", "Astrid", "EAGLE"):
        assert "B" not in camels.SUITES[suite].fields
    for suite in ("Nbody_IllustrisTNG", "Nbody_SIMBA", "Nbody_Astrid", "MockNbody"):
        assert camels.SUITES[suite].fields == ("Mtot",)
        assert camels.SUITES[suite].inferred_columns == (0, 1)


def test_units_are_those_of_the_documentation():
    density = "(M_sun/h)/(Mpc/h)^2"
    units = {
        **dict.fromkeys(("Mgas", "HI", "Mcdm", "Mstar", "Mtot"), density),
        **dict.fromkeys(("Vgas", "Vcdm"), "km/s"),
        **dict.fromkeys(("Z", "MgFe"), "dimensionless"),
        **{"T": "K", "B": "Gauss"},
        **{"P": "h^2 M_sun (km/s)^2/kpc^3", "ne": "h^2 cm^-3 (Mpc/h)"},
    }
    assert {name: field.unit for name, field in camels.FIELDS.items()} == units
    assert camels.HUBBLE == 0.67


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
        ("B", "SIMBA", r"suite SIMBA \(Mgas, .*got 'B'"),
        ("Mgas_XX", "IllustrisTNG", "got 'XX' in 'Mgas_XX'"),
        ("Mgas_HI_Mgas", "IllustrisTNG", "each field once"),
        ("", "IllustrisTNG", "got ''"),
        ("Mtot", "Illustris", "suite: Expected one of IllustrisTNG, .* got 'Illustris'"),
    ],
)
def test_unknown_names_are_rejected(field, suite, message):
    with pytest.raises(ValueError, match=message):
        camels.parse_fields(field, suite)


def test_fields_keep_their_order():
    assert camels.parse_fields("HI_Mgas_B", "IllustrisTNG") == ("HI", "Mgas", "B")


@pytest.mark.parametrize(
    ("suite", "sim_set", "n_simulations", "n_columns", "n_maps"),
    [
        ("IllustrisTNG", "LH", 1000, (6,), 15),
        ("Astrid", "CV", 27, (6,), 15),
        ("Astrid", "SB7", 1024, (7,), 15),
        ("SIMBA", "EX", 4, (6,), 15),
        ("IllustrisTNG", "BE", 27, (6, 28), 15),
        ("IllustrisTNG", "SB28", 2048, (28,), 15),
        ("IllustrisTNG", "SB35", 2048, (35,), 30),
        ("EAGLE", "1P", None, (6,), 15),
        ("SwiftEAGLE", "LH", 1000, (6,), 15),
        ("CROCODILE", "SB26", 1024, (26,), 15),
        ("Ramses", "SB5", 256, (6,), 15),
        ("Magneticum", "LH", 50, (6,), 15),
    ],
)
def test_sets_have_the_published_size(suite, sim_set, n_simulations, n_columns, n_maps):
    entry = camels.find_set(sim_set, suite)
    assert entry.n_simulations == n_simulations
    assert tuple(len(table) for table in entry.tables) == n_columns
    assert entry.maps_per_simulation == n_maps
    assert (entry.box, entry.map_size) == ((25.0, 256) if n_maps == 15 else (50.0, 512))


@pytest.mark.parametrize(
    ("suite", "sim_set", "message"),
    [
        ("SIMBA", "SB28", r"suite SIMBA \(LH, CV, 1P, EX, BE\), got 'SB28'"),
        ("MockTNG", "CV", r"suite MockTNG \(LH\), got 'CV'"),
        ("IllustrisTNG", "XX", r"suite IllustrisTNG \(LH, CV, 1P, EX, BE, SB28, SB35, .*got 'XX'"),
    ],
)
def test_a_set_that_the_suite_lacks_is_rejected(suite, sim_set, message):
    with pytest.raises(ValueError, match=message):
        camels.find_set(sim_set, suite)


def test_number_of_simulations():
    camels.check_n_simulations(1000, "SIMBA", "LH")
    camels.check_n_simulations(30, "SIMBA", "LH", partial=True)
    camels.check_n_simulations(66, "SIMBA", "1P")
    camels.check_n_simulations(24, "MockTNG", "LH")
    with pytest.raises(ValueError, match=r"SIMBA CV: Expected 27 simulations, got 26\. .*partial"):
        camels.check_n_simulations(26, "SIMBA", "CV")
    with pytest.raises(ValueError, match=r"SIMBA EX: Expected 4 simulations, got 5\.$"):
        camels.check_n_simulations(5, "SIMBA", "EX", partial=True)


def test_ranges_of_a_latin_hypercube():
    theta = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 3.9]])
    camels.check_ranges(theta, "Astrid", "LH")  # its A_AGN2 goes from 0.25 to 4
    camels.check_ranges(theta, "Nbody_Astrid", "LH")  # without effect there
    camels.check_ranges(theta, "IllustrisTNG", "1P")
    with pytest.raises(
        ValueError, match=r"row 0, A_AGN2: .* from 0\.5 to 2, got 3\.9\. The columns"
    ):
        camels.check_ranges(theta, "IllustrisTNG", "LH")
    theta[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"row 0, Omega_m: .* got nan"):
        camels.check_ranges(theta, "Astrid", "LH")


@pytest.mark.parametrize(
    ("train", "test", "scored"),
    [
        ("SIMBA", "SIMBA", camels.PARAMETER_NAMES),
        ("SIMBA", "IllustrisTNG", camels.COSMOLOGY),
        ("Nbody_SIMBA", "Nbody_SIMBA", camels.COSMOLOGY),
        ("IllustrisTNG", "Nbody_IllustrisTNG", camels.COSMOLOGY),
    ],
)
def test_across_suites_only_cosmology_is_scored(train, test, scored):
    assert camels.scored_parameters(train, test) == scored


def test_published_names():
    assert camels.maps_names("T", "SIMBA", "LH")[0] == "Maps_T_SIMBA_LH_z=0.00.npy"
    assert "Images_T_SIMBA_LH_z=0.0.npy" in camels.maps_names("T", "SIMBA", "LH")
    assert camels.theta_names("SIMBA", "LH")[:2] == ("params_LH_SIMBA.txt", "params_SIMBA.txt")
    assert camels.theta_names("SIMBA", "CV") == (
        "params_CV_SIMBA.txt",
        "CosmoAstroSeed_SIMBA_L25n256_CV.txt",
    )
    assert "CosmoAstroSeed_SwiftEAGLE_L25n256_LH.txt" in camels.theta_names("EAGLE", "LH")
    table = "CosmoAstroSeed_IllustrisTNG_L50n512_CV.txt"
    assert table in camels.theta_names("IllustrisTNG", "CV_L50n512")
    assert "Maps_T_SwiftEAGLE_LH_z=0.00.npy" in camels.maps_names("T", "EAGLE", "LH")
    assert camels.recipe_label(500, 500, 0) == "all_steps_500_500_o3"
    assert camels.recipe_label(500, 500, 2.0) == "all_steps_500_500_o3_smoothing_2"
    assert camels.recipe_label(500, 500, 2.5, True).endswith("smoothing_2.5_no_monopole")


def test_published_maps_have_256_pixels_unless_partial():
    camels.check_map_size(256, "SIMBA", "LH")
    camels.check_map_size(512, "IllustrisTNG", "SB35")
    camels.check_map_size(64, "SIMBA", "LH", partial=True)
    camels.check_map_size(64, "MockTNG", "LH")
    with pytest.raises(
        ValueError, match=r"SIMBA LH: Expected maps of 256 .*, got 64\. .*partial=true"
    ):
        camels.check_map_size(64, "SIMBA", "LH")
