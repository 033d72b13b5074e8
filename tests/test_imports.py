"""Which packages may import which library; `lint-imports` checks the layers."""

import grimp
import pytest

GRAPH = grimp.build_graph("multifield", "mapkernels", include_external_packages=True)
KEDRO_SIDE = ("__main__", "cli", "hooks", "pipeline_registry", "settings", "datasets", "pipelines")
OWNERS = {
    "getdist": ("evaluation.draws", "reporting.figures", "api.posterior"),
    "kedro": (*KEDRO_SIDE, "config.loader"),
    "kedro_datasets": KEDRO_SIDE,
    "mapkernels": ("maps",),
    "matplotlib": ("reporting.figures", "studies", "datasets.figures", "datasets.previews", "api"),
    "optuna": ("tuning", "datasets.models"),  # datasets name its types
}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_by_its_owners_alone(library):
    importers = GRAPH.find_modules_that_directly_import(library)
    allowed = tuple(f"multifield.{owner}" for owner in OWNERS[library])
    strangers = {
        name
        for name in importers
        if name.startswith("multifield")
        and not f"{name}.".startswith(tuple(f"{a}." for a in allowed))
    }
    assert not strangers
    assert importers  # a library that nothing imports has no owner
