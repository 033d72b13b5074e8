"""Kedro hooks. They observe and refuse; they change nothing."""

from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from multifield.parameters import check_globals, check_parameters


class CheckParameters:
    """Stops a run whose parameters are not all known and in range."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check globals and the parameters of every pipeline, from YAML and from ``--params``."""
        loader = context.config_loader
        parameters = check_parameters(loader["parameters"])
        check_globals(loader["globals"], parameters, loader.runtime_params or {})


class PrintSummary:
    """Ends a run that evaluated a network with its metrics and what to look at next."""

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Print the metrics of the run."""
        from multifield.evaluation.summary import print_summary

        for name in ("metrics", "trained_metrics"):
            if name in pipeline.outputs():
                selection = catalog.load("params:selection")
                metrics = catalog.load(name)
                print_summary(metrics, NEXT_STEPS, selection.suite, selection.field)


NEXT_STEPS = [
    "data/08_reporting/          figures and metrics.json",
    "kedro viz run               the pipeline in a browser, figures included (pip install -e '.[viz]')",
    "notebooks/                  look at maps; read a study, load a network, predict",
]
