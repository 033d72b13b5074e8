import numpy as np
import pytest
from pydantic import ValidationError

from multifield.camels import COSMOLOGY, FIELDS, SUITES
from multifield.config.ingest import MockConfig
from multifield.mock import GAS_MODELS, HYPERCUBES, MOCK_SUITES, MockBlocks, make_suite, simulate
from multifield.mock.simulations import _simulate_ahead, set_of
from multifield.mock.universe import mean_surface_density

SMALL = {
    "n_simulations": 3,
    "map_size": 16,
    "lattice": 16,
    "refine": 1,
    "seed": 1,
    "n_threads": 1,
}


def config(**changes: int) -> MockConfig:
    return MockConfig(**(SMALL | changes))


def fiducial(suite: str, **changes: float) -> np.ndarray:
    space = set_of(suite).space
    return np.array([[changes.get(each.name, each.fiducial) for each in space]])


def all_maps(suite: str, field: str, **changes: int) -> np.ndarray:
    _, blocks = make_suite(suite, (field,), config(**changes))
    return np.concatenate([maps[field] for maps in blocks])


def test_every_mock_suite_can_be_made():
    assert set(MOCK_SUITES) == {name for name, suite in SUITES.items() if suite.mock}


@pytest.mark.parametrize("suite", MOCK_SUITES)
def test_same_seed_same_bytes(suite):
    field = SUITES[suite].fields[0]
    assert all_maps(suite, field).tobytes() == all_maps(suite, field).tobytes()
    assert all_maps(suite, field).tobytes() != all_maps(suite, field, seed=2).tobytes()


@pytest.mark.parametrize("n_threads", [0, 2, 7])
@pytest.mark.parametrize(("suite", "field"), [("MockTNG", "T"), ("MockGaussian", "Mtot")])
def test_threads_do_not_matter(suite, field, n_threads):
    one = all_maps(suite, field, n_simulations=9)
    np.testing.assert_array_equal(all_maps(suite, field, n_simulations=9, n_threads=n_threads), one)


@pytest.mark.parametrize(("suite", "field"), [("MockTNG", "HI"), ("MockGaussian", "Mtot")])
def test_a_simulation_does_not_depend_on_the_others(suite, field):
    theta, blocks = make_suite(suite, (field,), config())
    row = theta[2]
    other_table = np.full((5, 6), 1.0)
    other_table[2] = row
    alone = simulate(suite, (field,), config(n_simulations=5), other_table, 2)[field]
    np.testing.assert_array_equal(alone, list(blocks)[2][field])


def test_a_field_does_not_depend_on_the_others():
    theta, _ = make_suite("MockTNG", ("B",), config())
    together = simulate("MockTNG", tuple(FIELDS), config(), theta, 1)
    np.testing.assert_array_equal(
        simulate("MockTNG", ("B",), config(), theta, 1)["B"], together["B"]
    )


def test_the_dark_matter_suite_is_a_twin_of_mock_tng():
    dark, full = (
        make_suite(suite, ("Mtot",), config(map_size=32, lattice=32))
        for suite in ("MockNbody", "MockTNG")
    )
    np.testing.assert_array_equal(dark[0], full[0])
    for a, b in zip(dark[1], full[1], strict=True):
        assert np.corrcoef(np.log(a["Mtot"]).ravel(), np.log(b["Mtot"]).ravel())[0, 1] > 0.99


def test_hydrodynamic_suites_have_hypercubes_of_their_own():
    """CMD does the same. A split by number then shares no simulation between suites."""
    tables = [make_suite(suite, ("T",), config())[0] for suite in ("MockTNG", *HYPERCUBES)]
    values = np.concatenate([table.ravel() for table in tables])
    assert len(np.unique(values)) == len(values)


@pytest.mark.parametrize("suite", HYPERCUBES)
def test_hydrodynamic_suites_have_structures_of_their_own(suite):
    one, other = (
        simulate(name, ("Mcdm",), config(map_size=32, lattice=32), fiducial(name), 0)["Mcdm"][:15]
        for name in ("MockTNG", suite)
    )
    # 15 maps of 32 pixels, of which few are independent: scatter 0.03
    assert abs(np.corrcoef(np.log(one).ravel(), np.log(other).ravel())[0, 1]) < 0.2


def test_mock_suites_have_the_fields_of_their_models():
    assert SUITES["MockSIMBA"].fields == SUITES["SIMBA"].fields
    assert SUITES["MockAstrid"].fields == SUITES["Astrid"].fields
    assert all(suite in SUITES and SUITES[suite].inferred[:2] == COSMOLOGY for suite in GAS_MODELS)


@pytest.mark.parametrize("suite", ["MockNbody", "MockGaussian"])
def test_feedback_does_nothing_where_it_is_not_inferred(suite):
    theta = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 1.0], [0.3, 0.8, 4.0, 4.0, 2.0, 2.0]])
    maps = [simulate(suite, ("Mtot",), config(), theta[[row]], 0)["Mtot"] for row in range(2)]
    np.testing.assert_array_equal(*maps)


def test_shapes_are_announced():
    _, blocks = make_suite("MockTNG", ("T", "Mstar"), config())
    assert blocks.shapes == {"T": (45, 16, 16), "Mstar": (45, 16, 16)}
    assert len(blocks) == 3
    made = list(blocks)
    assert len(made) == 3
    for maps in made:
        assert tuple(maps) == ("T", "Mstar")
        assert all(m.shape == (15, 16, 16) and m.dtype == np.float32 for m in maps.values())
        assert all(m.flags.c_contiguous for m in maps.values())


def test_iterating_twice_gives_the_same():
    _, blocks = make_suite("MockNbody", ("Mtot",), config())
    for first, second in zip(blocks, blocks, strict=True):
        np.testing.assert_array_equal(first["Mtot"], second["Mtot"])


def test_any_table_can_be_simulated():
    theta = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 1.0]] * 2)
    blocks = MockBlocks("MockNbody", ("Mtot",), config(), theta)
    assert blocks.shape == (30, 16, 16)
    one, other = list(blocks)
    assert not np.array_equal(one["Mtot"], other["Mtot"])  # like CV: other structures


@pytest.mark.parametrize("map_size", [16, 32, 64, 128, 256])
def test_every_size(map_size):
    maps = all_maps("MockTNG", "T", n_simulations=1, map_size=map_size)
    assert maps.shape == (15, map_size, map_size)
    assert (maps > 0).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("map_size", 8),
        ("map_size", 100),
        ("map_size", 512),
        ("n_simulations", 0),
        ("lattice", 7),
        ("lattice", 17),
        ("refine", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("n_threads", -1),
    ],
)
def test_wrong_configuration_names_the_parameter(name, value):
    with pytest.raises(ValidationError, match=name):
        config(**{name: value})


def test_configuration_has_no_default_and_no_other_key():
    with pytest.raises(ValidationError, match="map_sise"):
        config(map_sise=16)
    for name in SMALL:
        with pytest.raises(ValidationError, match=name):
            MockConfig(**{key: value for key, value in SMALL.items() if key != name})


@pytest.mark.parametrize(
    ("suite", "fields", "message"),
    [
        ("SIMBA", ("Mtot",), "suite: Expected one of MockNbody, .*, got 'SIMBA'"),
        ("MockNbody", ("T",), r"suite MockNbody \(Mtot\), got 'T'"),
        ("MockTNG", ("Mgas", "X"), "got 'X'"),
        ("MockTNG", ("T", "T"), "each field once"),
        ("MockTNG", (), "fields: Expected one or more of"),
    ],
)
def test_unknown_names_are_refused_before_anything_runs(suite, fields, message):
    with pytest.raises(ValueError, match=message):
        make_suite(suite, fields, config())


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (0, 0.04, r"theta: Expected a finite Omega_m > 0\.049, got 0\.04 in row 1"),
        (1, np.nan, "finite sigma_8 > 0.0, got nan in row 1"),
        (5, 0.0, "finite A_AGN2 > 0.0, got 0.0 in row 1"),
    ],
)
def test_impossible_universes_are_refused(column, value, message):
    theta = np.array([[0.3, 0.8, 1.0, 1.0, 1.0, 1.0]] * 2)
    theta[1, column] = value
    with pytest.raises(ValueError, match=message):
        MockBlocks("MockTNG", ("T",), config(), theta)


def test_matter_is_more_than_baryons():
    theta = fiducial("MockSB", Omega_m=0.06, Omega_b=0.065)
    with pytest.raises(ValueError, match=r"a finite Omega_m > 0\.065, got 0\.06 in row 0"):
        MockBlocks("MockSB", ("T",), config(), theta)


def test_a_larger_box_has_more_maps_of_the_same_slabs():
    _, blocks = make_suite("MockTNG50", ("Mcdm",), config(n_simulations=2))
    assert blocks.shape == (60, 16, 16)
    Omega_m, Omega_b = blocks.theta[0, [0, 6]]
    maps = next(iter(blocks))["Mcdm"]
    means = maps.reshape(3, -1).mean(axis=1, dtype=np.float64)  # 3 axes
    np.testing.assert_allclose(means, mean_surface_density(Omega_m - Omega_b), rtol=1e-5)


EFFECTS = {  # parameter of MockSB: field whose mean it raises, or lowers
    "A_SN1": ("Mstar", -1),
    "A_AGN1": ("T", 1),
    "A_SN2": ("T", 1),
    "A_AGN2": ("T", 1),
    "Omega_b": ("Mgas", 1),
    "StarFormationEfficiency": ("Mstar", 1),
    "MetalYield": ("Z", 1),
    "ThermalWindFraction": ("T", 1),
    "BlackHoleDepth": ("T", -1),
    "UVBackground": ("HI", -1),
}


@pytest.mark.parametrize("parameter", EFFECTS)
def test_every_parameter_changes_the_maps(parameter):
    field, sign = EFFECTS[parameter]
    low, high = (
        simulate("MockSB", (field,), config(lattice=8), fiducial("MockSB", **{parameter: value}), 0)
        for value in set_of("MockSB").space[parameter].range
    )
    assert sign * np.log(high[field].mean() / low[field].mean()) > 0.01


@pytest.mark.parametrize("parameter", ["h", "n_s"])
def test_the_power_spectrum_has_a_shape(parameter):
    """At one sigma_8, both raise small scales over large ones."""
    low, high = (
        simulate("MockSB", ("Mcdm",), config(), fiducial("MockSB", **{parameter: value}), 0)["Mcdm"]
        for value in set_of("MockSB").space[parameter].range
    )
    assert np.log(high).std() > np.log(low).std()


def test_five_columns_are_refused():
    with pytest.raises(ValueError, match="Expected 6 columns, got 5"):
        MockBlocks("MockTNG", ("T",), config(), np.ones((2, 5)))


def test_a_failure_in_a_thread_reaches_the_caller(monkeypatch):
    def fail(*arguments: object) -> None:
        raise MemoryError("no room")

    _, blocks = make_suite("MockNbody", ("Mtot",), config(n_threads=2))
    monkeypatch.setattr("multifield.mock.simulations.simulate", fail)
    with pytest.raises(MemoryError, match="no room"):
        list(blocks)


def test_an_iteration_given_up_ends_its_threads():
    _, blocks = make_suite("MockNbody", ("Mtot",), config(n_simulations=50))
    simulations = _simulate_ahead(blocks)
    next(simulations)
    simulations.close()


def test_quiet_without_a_terminal(capfd, caplog):
    with caplog.at_level("INFO"):
        all_maps("MockNbody", "Mtot")
    assert capfd.readouterr().err == ""
    assert "mock MockNbody: 3 simulations" in caplog.text
