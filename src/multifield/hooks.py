"""Kedro hooks. They check and report; they change nothing."""

import itertools
import logging
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.utils import is_kedro_project
from pydantic_core import to_jsonable_python

import multifield
from multifield.config.schema import check_parameters
from multifield.core.console import print_table
from multifield.datasets import ModelCardDataset
from multifield.models.registry import BUILT_IN, import_architecture
from multifield.pipelines.records import to_records

logger = logging.getLogger(__name__)

STAGES = ("ingest", "preprocess", "tune", "evaluate", "report")
PREDICTIONS = ("predictions_csv", "predictions")
METRICS = {"metrics": "", "metrics_recalibrated": "recalibrated.", "trained_metrics": ""}
LONGEST = 6000  # [characters] MLflow's limit for a parameter
NEED_NOT_EXIST = {  # folders that a pipeline creates, and an optional comparison of the baselines
    *("model_folder", "suite_folders", "robustness_networks", "scorer_folder", "finalist_folder"),
    "network_results",
}


class CheckParameters:
    """Stops a run with unknown or wrong parameters."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters, and import an architecture of the user."""
        check_code(Path(context.project_path))
        parameters = check_parameters(context.config_loader["parameters"])
        if parameters.training.architecture not in BUILT_IN:  # PyTorch is imported then
            import_architecture(parameters.training.architecture)


def check_code(project: Path) -> None:
    """Check that a clone is run with its own code.

    A Python environment has one editable installation, which it runs in every folder.

    Parameters
    ----------
    project : Path
        Folder of the run.

    Raises
    ------
    RuntimeError
        If the folder contains other code of the package than the running one.
    """
    own, used = project / "src" / "multifield", Path(multifield.__file__).parent
    if own.is_dir() and own.resolve() != used.resolve():
        raise RuntimeError(
            f"This project has its code in {own}, but the environment runs {used}. Activate the "
            "environment of this clone, or install it with `pip install -e .`."
        )


class CheckInputs:
    """Stops a run with missing inputs, and names the stages that make them."""

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Check inputs and runner before the first node."""
        if "ParallelRunner" in str(run_params["runner"]):
            raise ValueError(NO_PARALLEL_RUNNER)
        needed = pipeline.inputs() - NEED_NOT_EXIST
        missing = {
            name
            for name in needed
            if not name.startswith(("params:", "parameters")) and not catalog[name].exists()
        }
        if unstored := {name for name in missing if isinstance(catalog[name], MemoryDataset)}:
            raise ValueError(_explain_unstored(unstored, pipeline))
        if missing:
            raise FileNotFoundError(_explain_missing(missing, catalog))


def _explain_unstored(unstored: set[str], pipeline: Pipeline) -> str:
    stages = sorted({node.name.partition(".")[0] for node in pipeline.nodes})
    outputs = ",".join(sorted(pipeline.outputs()))
    return (
        f"{', '.join(sorted(unstored))}: Kept in memory only, so a run cannot begin with the nodes "
        f"that need it. In place of --nodes or --from-nodes, use\n"
        f"`multifield run --pipelines {','.join(stages)} --to-outputs={outputs}`\n"
        "with the same parameters."
    )


def _explain_missing(missing: set[str], catalog: CatalogProtocol[Any, Any]) -> str:
    first = min(missing)
    stages = [
        name
        for name, stage in pipelines.items()
        if name in STAGES and missing & stage.all_outputs()
    ]
    advice = f"Run `multifield run --pipelines {','.join(stages)}` first, with the same parameters."
    if "prediction_card" in missing:
        advice = CARD_ADVICE
    if "study" in missing:
        advice += " For released networks, set --params models_folder=<their folder>."
    names, file = ", ".join(sorted(missing)), _file_of(catalog, first)
    return f"Missing inputs from earlier stages: {names} (no {first} at {file}).\n{advice}"


NO_PARALLEL_RUNNER = (
    "ParallelRunner cannot run this project: its nodes share maps and networks in one process. "
    "Use the default runner or --runner ThreadRunner. To train in parallel, use --params workers=4."
)
CARD_ADVICE = (
    "Run `multifield run --pipelines ingest,preprocess,tune` first (`train` instead of `tune` for "
    "network=single), with the same parameters, or set --params models_folder=<folder of networks>. "
    "For networks without a card, such as released ones, make one from their training maps: "
    "`multifield run --pipelines ingest,preprocess,describe`."
)


class ShowProgress:
    """Logs one line per node, instead of Kedro's three, which ``logging.yml`` turns off."""

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Count the nodes."""
        self._n_nodes = len(pipeline.nodes)
        self._started = itertools.count(1)  # next() is atomic: nodes may run in threads

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the name of the node."""
        logger.info("[%d/%d] %s", next(self._started), self._n_nodes, node.name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Log how many nodes ``--only-missing-outputs`` skipped."""
        n_run = next(self._started) - 1
        if run_params["only_missing_outputs"] and n_run < self._n_nodes:
            logger.info(
                "Skipped %d of %d nodes: their outputs exist.", self._n_nodes - n_run, self._n_nodes
            )


class PrintSummary:
    """Prints metrics or parameters at the end of a run, and the next steps."""

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Print the metrics of the run."""
        outputs = pipeline.all_outputs()
        if outputs & {"metrics", "report"}:
            page = "All results on one page" if "report" in outputs else NO_REPORT
            self._print_metrics(catalog, "", "test_selection", _point(catalog, "report", page))
        if "trained_metrics" in outputs:
            where = _point(catalog, "trained_metrics", "Metrics; the folder has figures")
            self._print_metrics(catalog, "trained_", "selection", where)
        if "predictions" in outputs:
            from multifield.reporting.console_summary import prediction_table

            files = [_path_of(catalog, name) for name in PREDICTIONS]
            records = to_records(catalog.load("predictions"))
            card = catalog.load("prediction_card")
            false_alarms = card.novelty.false_alarms
            table = prediction_table(
                records, card.suite, card.field, card.inferred, false_alarms, card.space
            )
            print_table(table, files)
        if "compared_scales" in outputs:
            from multifield.reporting.console_summary import scales_table

            if scales := to_records(catalog.load("compared_scales")):
                print_table(scales_table(scales), [_path_of(catalog, "compared_scales")])
        if "smallest_field_sets" in outputs:
            from multifield.studies.field_selection import selection_table

            where = _point(catalog, "field_sets", "All sets; the folder has a figure")
            steps = (where, "Meaning of the numbers:\n    docs/how-to/select-fields.md")
            print_table(selection_table(catalog.load("smallest_field_sets")), steps)
        if "robustness_methods" in outputs:
            from multifield.studies.robustness import methods_table

            text = "Each network on each suite; the folder has figures"
            where = _point(catalog, "robustness_scores", text)
            steps = (where, "Meaning of the numbers:\n    docs/how-to/robustness.md")
            records = to_records(catalog.load("robustness_methods"))
            held_back = catalog.load("params:robustness").held_back
            print_table(methods_table(records, held_back), steps)

    @staticmethod
    def _print_metrics(
        catalog: CatalogProtocol[Any, Any], prefix: str, tested: str, where: str
    ) -> None:
        from multifield.reporting.console_summary import summary_table

        selection = catalog.load("params:selection")
        table = summary_table(
            catalog.load(f"{prefix}metrics"),
            selection.suite,
            selection.field,
            catalog.load(f"params:{tested}"),
            catalog.load(f"{prefix}metrics_intervals"),
            selection.simulations.space,
        )
        print_table(table, (where, _how_to_see_pipelines()), heading="Next:")


class TrackRun:
    """Logs parameters, metrics, figures and cards in MLflow if kedro-mlflow started a run."""

    @hook_impl(tryfirst=True)  # kedro-mlflow ends the run
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Log parameters and outputs of the run."""
        mlflow = sys.modules.get("mlflow")  # imported by kedro-mlflow
        if mlflow is None or mlflow.active_run() is None:
            return
        parameters = to_jsonable_python(catalog.load("parameters"), exclude={"recipes"})
        texts = {name: str(value)[:LONGEST] for name, value in _flatten(parameters)}
        mlflow.log_params(texts)
        for name in sorted(pipeline.all_outputs()):
            dataset = catalog[name]
            if name in METRICS:
                prefix = METRICS[name]
                values = dict(_flatten(catalog.load(name)))
                # MLflow refuses the + that joins the names of parameters
                names = {key: f"{prefix}{key}".replace("+", "-") for key in values}
                mlflow.log_metrics({names[key]: value for key, value in values.items()})
            if _is_reported(dataset):
                mlflow.log_artifact(_path_of(catalog, name))


def _is_reported(dataset: Any) -> bool:
    layer = ((dataset.metadata or {}).get("kedro-viz") or {}).get("layer")
    return dataset.exists() and (layer == "reporting" or isinstance(dataset, ModelCardDataset))


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its dotted name."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _file_of(catalog: CatalogProtocol[Any, Any], name: str) -> str:
    """Return the file of a dataset: of several files the first, or their folder."""
    about = catalog[name]._describe()
    return str(
        about.get("filepath") or next(iter(about.get("paths", {}).values()), about.get("path"))
    )


def _path_of(catalog: CatalogProtocol[Any, Any], name: str) -> str:
    """Return the file of a dataset, relative to the working folder if it is inside."""
    path = Path(_file_of(catalog, name))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _point(catalog: CatalogProtocol[Any, Any], name: str, text: str) -> str:
    return f"{text}:\n    {_path_of(catalog, name)}"


def _how_to_see_pipelines() -> str:
    """Return the commands that show the pipelines, with what is still to install."""
    folder, commands = Path.cwd(), ["kedro viz run"]
    if not is_kedro_project(folder):
        commands.insert(0, "multifield init")
    if find_spec("kedro_viz") is None:
        is_clone = (folder / "src" / "multifield").is_dir()
        package = "-e '.[viz]'" if is_clone else "'multifield[viz]'"
        commands.insert(0, f"pip install {package}")
    return f"Pipelines and figures in a browser:\n    {' && '.join(commands)}"


NO_REPORT = "Made by `multifield run --pipelines report` with the same parameters"
