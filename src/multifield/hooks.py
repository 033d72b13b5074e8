"""Kedro hooks. They observe and refuse; they change nothing."""

import itertools
import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from multifield.last_words import print_table
from multifield.parameters import check_globals, check_parameters, check_recipe

logger = logging.getLogger(__name__)

STAGES = ("ingest", "preprocess", "tune", "evaluate")
PREDICTIONS = ("predictions_csv", "predictions")
NEED_NOT_EXIST = {
    "model_folder",  # a study makes it
    "suite_folders",  # which robustness fills
    "robustness_networks",  # and this too
    *("scorer_folder", "finalist_folder"),  # of select_fields
    "network_results",  # which baselines are compared with, if there are any
}


class CheckParameters:
    """Stops a run whose parameters are not all known and in range."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check globals and the parameters of every pipeline, from YAML and from ``--params``."""
        loader = context.config_loader
        check_recipe(loader["globals"], loader.runtime_params or {})
        parameters = check_parameters(loader["parameters"])
        check_globals(loader["globals"], parameters, loader.runtime_params or {})


class CheckInputs:
    """Stops a run that needs what no earlier run has left, and says which stages make it."""

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Look for every input before the first node runs."""
        needed = pipeline.inputs() - NEED_NOT_EXIST
        missing = {
            name
            for name in needed
            if not name.startswith(("params:", "parameters")) and not catalog[name].exists()
        }
        if missing:
            raise FileNotFoundError(_explain_missing(missing, catalog))


def _explain_missing(missing: set[str], catalog: CatalogProtocol[Any, Any]) -> str:
    lines = [f"  {name}: {catalog[name]}" for name in sorted(missing)]
    stages = [
        name
        for name, stage in pipelines.items()
        if name in STAGES and missing & stage.all_outputs()
    ]
    advice = f"run `multifield run --pipelines {','.join(stages)}` first, with the same parameters"
    if "prediction_card" in missing:
        advice = CARD_ADVICE
    if "study" in missing:
        advice += "; or name the folder of released networks with --params models_folder=..."
    return "\n".join(["expected what earlier stages leave, found none of", *lines, advice])


CARD_ADVICE = (
    "run `multifield run --pipelines ingest,preprocess,tune` first (`train` instead of "
    "`tune` for network=single), with the same parameters; or name the folder of networks with "
    "--params models_folder=... . Networks without a card, such as released ones, get it from the maps they "
    "were trained on: `multifield run --pipelines ingest,preprocess,describe`"
)


class ShowProgress:
    """Logs one line per node, in the place of Kedro's three, which ``logging.yml`` turns off."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Count the nodes."""
        self._n_nodes = len(pipeline.nodes)
        self._started = itertools.count(1)  # next() is atomic: nodes may run in threads

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Name the node that begins."""
        logger.info("[%d/%d] %s", next(self._started), self._n_nodes, node.name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Say how many nodes ``--only-missing-outputs`` left out."""
        n_run = next(self._started) - 1
        if run_params["only_missing_outputs"] and n_run < self._n_nodes:
            logger.info(
                "Skipped %d of %d nodes, whose outputs exist.", self._n_nodes - n_run, self._n_nodes
            )


class PrintSummary:
    """Ends a run with what it found, metrics or parameters, and what to look at next."""

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Print the metrics of the run."""
        from multifield.evaluation.summary import summary_table

        for name in ("metrics", "trained_metrics"):
            if name in pipeline.all_outputs():
                selection = catalog.load("params:selection")
                tested = "test_selection" if name == "metrics" else "selection"
                table = summary_table(
                    catalog.load(name),
                    selection.suite,
                    selection.field,
                    catalog.load(f"params:{tested}"),
                    catalog.load(f"{name}_intervals"),
                )
                print_table(table, NEXT_STEPS[name], heading="Next:")
        if "predictions" in pipeline.outputs():
            from multifield.inference import prediction_table

            files = [str(catalog[name]._describe()["filepath"]) for name in PREDICTIONS]
            card = catalog.load("prediction_card")
            print_table(prediction_table(catalog.load("predictions"), card), files)
        if (name := "smallest_field_sets") in pipeline.all_outputs():
            from multifield.challenges.field_selection import selection_table

            print_table(selection_table(catalog.load(name)), NEXT_STEPS[name])
        if (name := "robustness_methods") in pipeline.all_outputs():
            from multifield.challenges.robustness import methods_table

            held_back = catalog.load("params:robustness").held_back
            print_table(methods_table(catalog.load(name), held_back), NEXT_STEPS[name])


_ALWAYS = (
    "kedro viz run               the pipeline in a browser, figures included (pip install 'multifield[viz]';",
    "                            after `multifield init` in a folder without pyproject.toml)",
)
NEXT_STEPS = {
    "metrics": (
        "data/08_reporting/          report.html has it all on one page; figures and metrics.json",
        *_ALWAYS,
    ),
    "smallest_field_sets": (
        "data/08_reporting/field_selection/   all sets in field_sets.csv, and a figure",
        "docs/field-selection.md              what the numbers mean",
    ),
    "robustness_methods": (
        "data/08_reporting/robustness/   each network on each suite in scores.csv, and two figures",
        "docs/robustness.md              what the numbers mean",
    ),
    "trained_metrics": ("data/08_reporting/single/   figures and metrics.json", *_ALWAYS),
}
