"""Conventions of pipelines and catalog. Each check must reject a wrong example."""

import importlib.util
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

import multifield
from multifield import settings
from multifield.config.loader import ConfigLoader
from multifield.pipeline_registry import register_pipelines
from tests.helpers.projects import ROOT, load_parameters

PIPELINES = register_pipelines()
MAIN = ("ingest", "preprocess", "tune", "evaluate", "report")
PASSED_ON = {
    "tested_networks",
    "test_data",
    "tune_data",
    "train_data",
    "evaluate_data",
    "baselines_data",
    "baseline_results",
    "exact_results",
    "runner_up_validation_results",
    "shifted_predictions",
    "compared_results",
    "compared_runner_ups",
    "compared_shifts",
    "sigma_factors",
    "recalibrated_results",
    "compared_trained_results",
    "describe_data",
    "new_maps",
    "predicted_results",
    "predicting_networks",
    "suites",
    "trained_on_suites",
    *("field_loaders", "field_scores", "finalists", "measured_sets"),
}  # in memory, within one pipeline


@pytest.fixture(scope="module")
def catalog():
    arguments = {k: v for k, v in settings.CONFIG_LOADER_ARGS.items() if k != "default_run_env"}
    loader = ConfigLoader(str(ROOT / "conf"), default_run_env="mock", **arguments)
    return DataCatalog.from_config(loader["catalog"])


def datasets(pipeline: Pipeline) -> set[str]:
    return {name for name in pipeline.datasets() if not name.startswith("param")}


def unknown_datasets(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    """List names that would become accidental MemoryDatasets."""
    return {name for name in datasets(pipeline) if name not in catalog}


def unknown_parameters(pipeline: Pipeline, parameters: dict) -> set[str]:
    used = {name.removeprefix("params:") for name in pipeline.inputs() if "params:" in name}
    return {name for name in used if name not in parameters}


def test_this_is_the_code_under_test():
    assert Path(multifield.__file__).resolve().is_relative_to(ROOT)
    kernels = importlib.util.find_spec("mapkernels")
    assert kernels is not None
    assert kernels.origin is not None
    # an editable install of another clone would run that clone's kernels
    assert Path(kernels.origin).resolve().is_relative_to(ROOT) or "site-packages" in kernels.origin


@pytest.mark.parametrize("name", PIPELINES)
def test_every_dataset_is_in_the_catalog(name, catalog):
    assert not unknown_datasets(PIPELINES[name], catalog)


def test_a_misspelt_dataset_is_found(catalog):
    wrong = Pipeline([node(len, inputs="raw_map", outputs="n", name="wrong")])
    assert unknown_datasets(wrong, catalog) == {"raw_map", "n"}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_is_in_the_configuration(name):
    assert not unknown_parameters(PIPELINES[name], load_parameters("base"))


def test_a_misspelt_parameter_is_found():
    wrong = Pipeline([node(len, inputs="params:trainings", outputs="n", name="wrong")])
    assert unknown_parameters(wrong, load_parameters("base")) == {"trainings"}


def test_every_entry_of_the_catalog_is_used(catalog):
    used = set().union(*(datasets(pipeline) for pipeline in PIPELINES.values()))
    entries = {name for name in catalog if not name.startswith("param")}
    assert entries <= used
    made = {catalog.config_resolver.match_dataset_pattern(name) for name in used - entries}
    assert made == set(catalog.config_resolver.list_patterns()) - {"{default}"}


def test_every_stored_dataset_has_a_layer(catalog):
    for name in datasets(sum(PIPELINES.values(), Pipeline([]))) - PASSED_ON:
        assert catalog[name].metadata["kedro-viz"]["layer"], name


def layers_of(pipeline: Pipeline, catalog: DataCatalog) -> dict[str, set[str]]:
    """List the layers before each layer of Kedro-Viz, where stages are boxes."""

    def layer_of(name: str) -> str | None:
        metadata = getattr(catalog[name], "metadata", None) or {}
        return metadata.get("kedro-viz", {}).get("layer")

    before: dict[str, set[str]] = {}
    for stage in {each.namespace for each in pipeline.nodes}:
        box = pipeline.only_nodes_with_namespaces([stage])
        inputs = {layer_of(name) for name in box.inputs() if not name.startswith("param")}
        for name in box.all_outputs():
            before.setdefault(layer_of(name) or "", set()).update(inputs - {None, layer_of(name)})
    return before


def test_layers_have_an_order(catalog):
    """Kedro-Viz shows no layers if their order has a cycle."""
    before = layers_of(PIPELINES["__default__"], catalog)
    order = [*TopologicalSorter(before).static_order()]
    assert order.index("models") < order.index("test_input") < order.index("reporting")


def test_a_circle_of_layers_is_found(catalog):
    def stage(name: str, *edge: str) -> Pipeline:
        nodes = [node(len, *edge, name="n")]
        return Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False)

    wrong = stage("a", "theta", "split") + stage("b", "split", "test_theta")
    wrong += stage("c", "test_theta", "normalization")
    with pytest.raises(CycleError):
        TopologicalSorter(layers_of(wrong, catalog)).prepare()


def test_the_default_is_the_five_stages():
    nodes = {node.name for node in PIPELINES["__default__"].nodes}
    assert nodes == {node.name for name in MAIN for node in PIPELINES[name].nodes}


@pytest.mark.parametrize(
    "name",
    [*MAIN, "train", "baselines", "describe", "predict", "robustness", "select_fields", "explain"],
)
def test_every_stage_runs_from_what_is_on_disk(name, catalog):
    inputs = {name for name in PIPELINES[name].inputs() if not name.startswith("params:")}
    assert not inputs & PASSED_ON


def test_nodes_are_the_verb_alone():
    names = [node.name for pipeline in PIPELINES.values() for node in pipeline.nodes]
    assert not [name for name in names if name.endswith("_node")]
