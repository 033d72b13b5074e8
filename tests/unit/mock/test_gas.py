from dataclasses import replace

import numpy as np
import pytest

from multifield.camels import FIELDS, PARAMETER_NAMES
from multifield.config.ingest import MockConfig
from multifield.mock.gas import SATURATIONS, Feedback, paint_fields
from multifield.mock.gas_models import MOCK_ASTRID, MOCK_SIMBA, MOCK_TNG
from multifield.mock.simulations import simulate
from multifield.mock.universe import OMEGA_B, Universe, make_universe, mean_surface_density

CONFIG = MockConfig(n_simulations=1, map_size=64, lattice=32, refine=2, seed=3, n_threads=1)
FIDUCIAL = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 1.0]])
EXTREMES = (
    [0.1, 0.6, 0.25, 0.25, 0.5, 0.5],
    [0.5, 1.0, 4.0, 4.0, 2.0, 2.0],
    [0.1, 1.0, 4.0, 0.25, 0.5, 2.0],
    [0.5, 0.6, 0.25, 4.0, 2.0, 0.5],
)
# mean of log10 over a map set at A = 1, within 1; CMD's T has 4.2, Mcdm 11.0, Mtot 11.3
LOG_MEANS = {
    "Mgas": 10.5,
    "Vgas": 2.2,
    "T": 4.5,
    "P": 3.5,
    "Z": -4.0,
    "HI": 6.5,
    "ne": -5.9,
    "B": -10.0,
    "MgFe": 0.0,
    "Mcdm": 11.2,
    "Vcdm": 2.1,
    "Mtot": 11.3,
}


MODELS = {"MockTNG": MOCK_TNG, "MockSIMBA": MOCK_SIMBA, "MockAstrid": MOCK_ASTRID}


@pytest.fixture(scope="module")
def fiducial():
    return simulate("MockTNG", tuple(FIELDS), CONFIG, FIDUCIAL, 0)


def changed(parameter: str, value: float) -> np.ndarray:
    theta = FIDUCIAL.copy()
    theta[0, PARAMETER_NAMES.index(parameter)] = value
    return theta


def test_all_fields_are_painted(fiducial):
    assert tuple(fiducial) == tuple(FIELDS)
    for field, maps in fiducial.items():
        assert maps.shape == (15, 64, 64), field
        assert maps.dtype == np.float32, field


@pytest.mark.parametrize("values", EXTREMES)
def test_zeros_in_mstar_alone(values):
    fields = simulate("MockTNG", tuple(FIELDS), CONFIG, np.array([values]), 0)
    for field, maps in fields.items():
        assert np.isfinite(maps).all(), field
        assert maps.min() >= 0, field
        assert (maps.min() == 0) == (field == "Mstar"), field


def test_most_of_the_area_has_no_stars(fiducial):
    assert 0.6 < np.mean(fiducial["Mstar"] == 0) < 0.95


@pytest.mark.parametrize("field", LOG_MEANS)
def test_orders_of_magnitude(fiducial, field):
    assert abs(np.log10(fiducial[field]).mean() - LOG_MEANS[field]) < 1


def test_fields_have_contrast(fiducial):
    for field, maps in fiducial.items():
        if field != "Mstar":
            assert 0.02 < np.log10(maps).std() < 2.5, field


@pytest.mark.parametrize("values", EXTREMES)
def test_mass_is_conserved(values):
    """Winds conserve gas, so the means are those of the background."""
    Omega_m = values[0]
    maps = simulate("MockTNG", ("Mgas", "Mcdm", "Mstar", "Mtot"), CONFIG, np.array([values]), 0)
    mean = {field: m.mean(dtype=np.float64) for field, m in maps.items()}
    rtol = 1e-5  # float32 smoothing keeps the mean of a map to some 1e-6
    assert mean["Mtot"] == pytest.approx(mean_surface_density(Omega_m), rel=rtol)
    assert mean["Mcdm"] == pytest.approx(mean_surface_density(Omega_m - OMEGA_B), rel=rtol)
    assert mean["Mgas"] + mean["Mstar"] == pytest.approx(mean_surface_density(OMEGA_B), rel=rtol)


def test_total_is_the_sum(fiducial):
    total = fiducial["Mgas"] + fiducial["Mcdm"] + fiducial["Mstar"]
    np.testing.assert_allclose(fiducial["Mtot"], total, rtol=1e-6)


@pytest.mark.parametrize(
    ("parameter", "value", "field"),
    [
        ("Omega_m", 0.4, "Mtot"),
        ("sigma_8", 0.9, "Mtot"),
        ("A_SN1", 2.0, "Z"),
        ("A_AGN1", 2.0, "T"),
        ("A_SN2", 1.5, "T"),
        ("A_AGN2", 1.5, "T"),
    ],
)
def test_each_parameter_moves_a_field(fiducial, parameter, value, field):
    moved = simulate("MockTNG", (field,), CONFIG, changed(parameter, value), 0)[field]
    change = np.log10(moved / fiducial[field])
    assert np.sqrt(np.mean(change**2)) > 0.03  # [dex]; 7%


@pytest.mark.parametrize("parameter", PARAMETER_NAMES[2:])
def test_feedback_leaves_dark_matter_alone(fiducial, parameter):
    moved = simulate("MockTNG", ("Mcdm", "Vcdm"), CONFIG, changed(parameter, 2.0), 0)
    for field, maps in moved.items():
        np.testing.assert_array_equal(maps, fiducial[field])


def test_supernovae_prevent_stars(fiducial):
    for parameter in ("A_SN1", "A_SN2", "A_AGN1"):
        moved = simulate("MockTNG", ("Mstar",), CONFIG, changed(parameter, 2.0), 0)["Mstar"]
        assert moved.mean() < 0.95 * fiducial["Mstar"].mean(), parameter


def test_feedback_takes_gas_out_of_dense_cells(fiducial):
    dense = fiducial["Mcdm"] > np.quantile(fiducial["Mcdm"], 0.99)
    # supernovae take 0.8% of the gas of the densest 1% of pixels, black holes more
    for parameter in ("A_SN1", "A_AGN1", "A_AGN2"):
        moved = simulate("MockTNG", ("Mgas",), CONFIG, changed(parameter, 2.0), 0)["Mgas"]
        assert moved[dense].sum() < 0.995 * fiducial["Mgas"][dense].sum(), parameter


def test_faster_winds_are_hotter(fiducial):
    for parameter in ("A_SN2", "A_AGN2"):
        moved = simulate("MockTNG", ("T",), CONFIG, changed(parameter, 2.0), 0)["T"]
        assert np.log10(moved / fiducial["T"]).mean() > 0.03, parameter


@pytest.fixture(scope="module")
def universe() -> Universe:
    return make_universe(
        0.3, 0.8, map_size=64, lattice=32, refine=2, generator=np.random.default_rng(0)
    )


@pytest.fixture(scope="module")
def painted(universe):
    """Paint the gas of every suite on the same matter, with the same scatter."""
    feedback = Feedback(A_SN1=1.0, A_AGN1=1.0, A_SN2=1.0, A_AGN2=1.0)
    return {
        suite: paint_fields(universe, feedback, model, np.random.default_rng(1))
        for suite, model in MODELS.items()
    }


@pytest.mark.parametrize("suite", ["MockSIMBA", "MockAstrid"])
def test_suites_agree_on_matter(painted, suite):
    for field in ("Mcdm", "Vcdm"):
        np.testing.assert_array_equal(painted[suite][field], painted["MockTNG"][field])
    change = np.log10(painted[suite]["Mtot"] / painted["MockTNG"]["Mtot"])
    assert np.sqrt(np.mean(change**2)) < 0.03  # [dex]; a sixth of it is gas, some of which moved


@pytest.mark.parametrize("suite", ["MockSIMBA", "MockAstrid"])
@pytest.mark.parametrize("field", ["T", "P", "Z", "HI"])
def test_suites_disagree_on_gas(painted, suite, field):
    change = np.log10(painted[suite][field] / painted["MockTNG"][field])
    assert np.sqrt(np.mean(change**2)) > 0.15  # [dex]


@pytest.mark.parametrize("suite", ["MockSIMBA", "MockAstrid"])
@pytest.mark.parametrize("field", ["T", "Z", "HI"])
def test_suites_differ_in_shape_and_not_by_a_factor_alone(painted, suite, field):
    """Otherwise another mean and std would correct one suite's network on the other."""
    change = np.log10(painted[suite][field] / painted["MockTNG"][field])
    assert change.std() > 0.1  # [dex]


@pytest.mark.parametrize("suite", MODELS)
def test_no_suite_loses_mass(painted, suite):
    mass = sum(painted[suite][field].mean(dtype=np.float64) for field in ("Mgas", "Mstar"))
    # float32 smoothing, also of the tail of jets, keeps the mean of a map to some 1e-6
    assert mass == pytest.approx(mean_surface_density(OMEGA_B), rel=1e-5)


@pytest.mark.parametrize("suite", MODELS)
@pytest.mark.parametrize("values", EXTREMES)
def test_every_suite_is_positive_in_its_corners(suite, values):
    fields = [field for field in FIELDS if field != "B"]
    for field, maps in simulate(suite, tuple(fields), CONFIG, np.array([values]), 0).items():
        assert np.isfinite(maps).all(), field
        assert (maps.min() == 0) == (field == "Mstar"), field


def test_a_tail_of_jets_reaches_further(universe):
    feedback = Feedback(A_SN1=1.0, A_AGN1=4.0, A_SN2=1.0, A_AGN2=1.0)
    gas = [
        paint_fields(universe, feedback, model, np.random.default_rng(1))["Mgas"]
        for model in (MOCK_TNG, replace(MOCK_TNG, agn_tail=0.5, agn_tail_reach=4.0))
    ]
    void = universe.density < np.quantile(universe.density, 0.2)
    assert gas[1][void].sum() > 1.001 * gas[0][void].sum()


@pytest.mark.parametrize("law", SATURATIONS)
def test_saturation_is_half_at_half(law):
    power = np.array([[[0.0, 1.0], [1e6, 1e6]]], np.float32)
    (zero, half), (deep, _) = SATURATIONS[law](power)[0]
    assert zero == 0
    assert half == pytest.approx(0.5, rel=1e-6)  # float32
    assert deep == pytest.approx(1.0, rel=1e-5)


def test_fields_scatter_about_each_other(fiducial):
    """Gas is not a function of dark matter."""
    residual = np.log10(fiducial["Mgas"] / fiducial["Mcdm"])
    in_bin = np.abs(np.log10(fiducial["Mcdm"] / np.quantile(fiducial["Mcdm"], 0.95))) < 0.02
    assert residual[in_bin].std() > 0.005
