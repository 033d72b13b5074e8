import numpy as np
import pytest

from multifield import camels

OWN = {
    "tables": {
        "two": {
            "columns": {
                "Omega_m": {"range": [0.1, 0.5], "fiducial": 0.3, "cosmology": True},
                "A": {"range": [0.01, 100.0], "fiducial": 1.0, "drawn": "log"},
            }
        }
    },
    "suites": {"Mine": {"fields": ["T"], "sets": {"SB2": {"tables": ["two"]}}}},
}


@pytest.fixture
def no_own_suites(monkeypatch):
    monkeypatch.setattr(camels.suites, "SUITES", dict(camels.SUITES))


def test_the_six_are_scaled_as_in_the_benchmark():
    """Linearly, by the ranges of IllustrisTNG, whatever the ranges of the suite."""
    bounds = [(0.1, 0.5), (0.6, 1.0), (0.25, 4.0), (0.25, 4.0), (0.5, 2.0), (0.5, 2.0)]
    for suite in camels.SUITES.values():
        for each in suite.sets.values():
            if suite.name != "Ramses" and len(each.space) == 6:
                assert [(p.minimum, p.maximum) for p in each.space] == bounds
                assert each.space.names == camels.PARAMETER_NAMES
    assert camels.find_space("Astrid", "LH")["A_AGN2"].range == (0.25, 4.0)


def test_new_sets_are_learned_in_the_logarithm():
    space = camels.find_space("Astrid", "SB7")
    theta = np.array([[0.1, 0.6, 0.25, 1.0, 2.0, 4.0, 0.09]])
    np.testing.assert_allclose(space.scale(space.coordinates(theta)), [[0, 0, 0, 0.5, 1, 1, 1]])
    np.testing.assert_allclose(space.physical(space.coordinates(theta)), theta, rtol=1e-12)
    assert space["A_SN1"].axis_label == r"$\log_{10}$ $A_\mathrm{SN1}$"
    assert np.isnan(space.coordinates(np.zeros((1, 7)))[0, 2])


def test_sets_know_how_they_are_drawn():
    """Mock suites draw the same table linearly, and N-body maps have no feedback parameters."""
    for name in ("MockTNG", "MockNbody", "Nbody_SIMBA"):
        sim_set = camels.find_set("LH", name)
        assert sim_set.space_as_drawn == sim_set.space
    simba = camels.find_set("LH", "SIMBA").space_as_drawn
    theta = np.array([[0.1, 0.6, 0.25, 1.0, 2.0, 0.0]])
    np.testing.assert_allclose(simba.scale(theta), [[0, 0, 0, 0.5, 1, -np.inf]])
    np.testing.assert_allclose(simba.unscale(simba.scale(theta)), theta)
    sb28 = camels.find_space("IllustrisTNG", "SB28")
    assert sb28.learn_as_drawn() == sb28  # results have logarithms, too


def test_parameters_are_chosen_by_name():
    space = camels.find_space("IllustrisTNG", "SB28")
    assert space.choose("cosmology") == ("Omega_m", "sigma_8", "Omega_b", "h", "n_s")
    assert len(space.choose("all")) == 28
    assert space.choose(["n_s", "Omega_m"]) == ("Omega_m", "n_s")
    ramses = camels.find_space("Ramses", "SB5")
    assert ramses.choose("all") == ("Omega_m", "sigma_8", "A_SN1", "A_SN2", "A_AGN1")
    with pytest.raises(ValueError, match=r"got 'MinWindVell'\. Did you mean 'MinWindVel'\?"):
        space.choose(["MinWindVell"])
    with pytest.raises(ValueError, match="each name once"):
        space.choose(["h", "h"])
    with pytest.raises(ValueError, match="at least one name"):
        space.choose([])


def test_a_suite_has_one_entry_under_both_names():
    assert camels.find_suite("SwiftEAGLE") is camels.find_suite("EAGLE")
    assert camels.find_suite("SwiftEAGLE").name == "EAGLE"


def test_a_suite_of_a_user_is_an_entry_of_a_file(tmp_path, no_own_suites):
    path = tmp_path / "suites.yml"
    path.write_text(
        "tables: {two: {like: CMD, columns: {A_SN1: {range: [0.1, 10.0]}}}}\n"
        "suites: {Mine: {fields: [T], sets: {SB2: {tables: [two]}}}}\n"
    )
    (suite,) = camels.add_suites(path)
    assert camels.find_suite("Mine") is suite
    assert suite.own
    assert suite.sets["SB2"].design.meaning == "Sobol sequence"
    assert suite.sets["SB2"].space["A_SN1"].maximum == pytest.approx(1.0)  # logarithm


def replaced(place, value):
    """The content with one value replaced, by its keys."""

    def change(content, keys):
        if not keys:
            return value
        return {**content, keys[0]: change(content.get(keys[0], {}), keys[1:])}

    return change(OWN, place.split("."))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("suites.Mine.sets.SB2.tables", ["three"], r"SB2\.tables: Expected one of .* got 'three'"),
        ("suites.Mine.fields", ["T", "X"], "field: Expected one of Mgas, .* got 'X'"),
        ("suites.Mine.sets", {}, "Expected at least one set"),
        ("suites.Mine.colour", "red", "colour: Unexpected keyword"),
        ("suites.IllustrisTNG", OWN["suites"]["Mine"], "Expected a new name, got 'IllustrisTNG'"),
        ("suites.SwiftEAGLE", OWN["suites"]["Mine"], "Expected a new name, got 'SwiftEAGLE'"),
        ("suites.My suite", OWN["suites"]["Mine"], "Expected letters, digits"),
        ("tables.two.columns.A.range", [0.0, 1.0], "A: Expected a range of positive low < high"),
        ("tables.two.columns.A.fiducial", 1000.0, "A: Expected a range .* got 0.01 to 100 and 1000"),
        ("tables.two.columns.A.tied_to", "C", "Expected one of Omega_m, A, got 'C'"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_rejected(place, value, message, no_own_suites):
    with pytest.raises(ValueError, match=rf"(?s)mine\.yml: .*{message}|^suite: .*{message}"):
        camels.add_suites(
            camels.parse_schema(replaced(place, value), camels.BUILT_IN, source="mine.yml")
        )


def test_text_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "suites.yml").write_text("suites: {")
    with pytest.raises(ValueError, match=r"suites\.yml: Expected a YAML file of suites"):
        camels.read_schema(tmp_path / "suites.yml")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("all", ("Omega_m", "sigma_8", "Omega_b", "h", "n_s")),
        ("h+Omega_m", ("Omega_m", "h")),
        (["n_s"], ("n_s",)),
    ],
)
def test_only_what_affects_the_maps_is_inferred(wanted, names):
    assert camels.choose_parameters(wanted, "Nbody_IllustrisTNG", "SB28") == names
    with pytest.raises(ValueError, match=r"affect the maps of Nbody_.*, got 'IMFslope'"):
        camels.choose_parameters("IMFslope", "Nbody_IllustrisTNG", "SB28")
