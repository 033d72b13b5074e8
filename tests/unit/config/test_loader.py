import pytest

from multifield import camels
from multifield.config.loader import read_parameters
from multifield.config.schema import check_parameters
from tests.helpers.projects import load_catalog, load_parameters


def test_python_and_command_line_have_the_same_values():
    choices = {"parity": True, "tuning": {"search_space": {"lr": {"low": 1e-4}}}}
    assert read_parameters("mock", choices) == load_parameters("mock", **choices)


def test_values_of_an_environment_reach_the_groups_of_base():
    assert load_parameters("base")["selection"]["suite"] == "IllustrisTNG"
    mock = load_parameters("mock")
    assert mock["suite"] == mock["selection"]["suite"] == mock["test_selection"]["suite"]
    assert mock["training"]["epochs"] == mock["robustness"]["epochs"] * 2 == 12


def test_the_command_line_replaces_an_environment():
    assert load_parameters("mock", suite="MockTNG")["test_selection"]["suite"] == "MockTNG"


@pytest.mark.parametrize(
    "runtime", [{"suite": "MockTNG"}, {"selection": {"suite": "MockTNG"}}], ids=["choice", "group"]
)
def test_names_of_files_follow_the_groups(runtime):
    """Both ways to replace a value change the parameters of nodes and the names of files."""
    parameters, catalog = load_parameters("mock", **runtime), load_catalog("mock", **runtime)
    assert parameters["test_selection"]["suite"] == "MockTNG"
    assert catalog["raw_maps"]["suite"] == catalog["test_raw_maps"]["suite"] == "MockTNG"


def test_the_name_of_log_maps_contains_their_preprocessing():
    entry = load_catalog("cmd", preprocessing={"compact": True, "smoothing_width": 2})["log_maps"]
    assert (entry["compact"], entry["smoothing_width"]) == (True, 2)


def test_the_name_of_predictions_contains_that_of_the_maps():
    predictions = load_catalog("mock", maps={"Mgas": "a/of_mine.npy", "T": "b/of_mine.npy"})
    assert "_of_of_mine_" in predictions["predictions"]["filepath"]


@pytest.mark.parametrize(
    ("runtime", "label"),
    [
        ({}, "all_steps_500_500_o3"),
        ({"training": {"steps_up": 9}}, "all_steps_9_500_o3"),
        ({"recipe": "statistics"}, "all_one_cycle_summary_statistics_autoregressive"),
        ({"recipe": "multifield"}, "all_one_cycle_statistics_and_filters_autoregressive"),
        (
            {"recipe": "multifield", "training": {"architecture": "o3_err"}},
            "all_one_cycle_o3_autoregressive",
        ),
        (
            {"training": {"architecture": "summary_statistics"}},
            "all_steps_500_500_summary_statistics",
        ),
    ],
)
def test_names_of_files_contain_architecture_head_and_schedule(runtime, label):
    assert load_catalog("mock", **runtime)["model_folder"]["label"] == label


@pytest.mark.parametrize("recipe", ["multi_field", 1])
def test_an_unknown_recipe_is_rejected(recipe):
    expected = rf"recipe: Expected one of published, multifield, statistics, got {recipe!r}"
    with pytest.raises(ValueError, match=expected):
        read_parameters("base", {"recipe": recipe})


def test_an_unknown_environment_is_rejected():
    with pytest.raises(ValueError, match=r"environment: Expected one of base, .*mock.*'moc'"):
        read_parameters("moc", {})


def test_both_names_of_a_suite_are_one():
    parameters, catalog = (
        load_parameters("cmd", suite="SwiftEAGLE"),
        load_catalog("cmd", suite="SwiftEAGLE"),
    )
    assert parameters["selection"]["suite"] == parameters["test_selection"]["suite"] == "EAGLE"
    assert catalog["theta"]["suite"] == "EAGLE"


def test_suites_of_a_file_can_be_named(tmp_path, monkeypatch):
    monkeypatch.setattr(camels.suites, "SUITES", dict(camels.SUITES))
    path = tmp_path / "suites.yml"
    path.write_text("suites: {Mine: {fields: [T], sets: {LH: {tables: [CMD]}}}}\n")
    runtime = {"own_suites": str(path), "suite": "Mine", "field": "T"}
    assert check_parameters(load_parameters("cmd", **runtime)).selection.suite == "Mine"
    with pytest.raises(ValueError, match="own_suites: Expected a file of suites"):
        load_parameters("cmd", own_suites="nowhere.yml")
