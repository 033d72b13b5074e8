"""Log lines of nodes, and the check of the code."""

import logging
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from kedro.framework.hooks import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset

from multifield.hooks import CheckInputs, ShowProgress, _how_to_see_pipelines, check_code
from tests.helpers.projects import ROOT

PIPELINE = Pipeline(
    [
        node(lambda: 1, None, "one", name="make"),
        node(lambda one: one + 1, "one", "two", name="add"),
    ]
)


def run(folder: Path, *, only_missing: bool) -> None:
    """Run two nodes as a session does."""
    hooks = _create_hook_manager()
    hooks.register(ShowProgress())
    params = {"only_missing_outputs": only_missing}
    files = {name: JSONDataset(filepath=str(folder / name)) for name in ("one", "two")}
    catalog = DataCatalog(files)
    hooks.hook.before_pipeline_run(run_params=params, pipeline=PIPELINE, catalog=catalog)
    SequentialRunner().run(PIPELINE, catalog, hooks, only_missing_outputs=only_missing)
    hooks.hook.after_pipeline_run(
        run_params=params, run_result={}, pipeline=PIPELINE, catalog=catalog
    )


def test_each_node_has_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    levels = yaml.safe_load((ROOT / "conf/logging.yml").read_text())["loggers"]
    for name, settings in levels.items():
        caplog.set_level(settings["level"], name)
    run(tmp_path, only_missing=False)
    assert caplog.messages == ["[1/2] make", "[2/2] add"]


def test_skipped_nodes_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "multifield")
    run(tmp_path, only_missing=False)
    (tmp_path / "two").unlink()
    caplog.clear()
    run(tmp_path, only_missing=True)
    assert caplog.messages == ["[1/2] add", "Skipped 1 of 2 nodes: their outputs exist."]


def test_the_code_of_another_clone_is_rejected(tmp_path: Path) -> None:
    check_code(ROOT)
    check_code(tmp_path)  # a folder without code
    (tmp_path / "src" / "multifield").mkdir(parents=True)
    with pytest.raises(RuntimeError, match=rf"{tmp_path}.*but the environment runs .*multifield"):
        check_code(tmp_path)


def test_nodes_after_data_in_memory_are_reached_by_outputs(tmp_path: Path) -> None:
    stage = Pipeline(
        [node(lambda data: data, "data", "metrics"), node(lambda data: data, "data", "levels")],
        namespace="evaluate",
        inputs={"data"},
        outputs={"metrics", "levels"},
    )
    catalog = DataCatalog({"data": MemoryDataset()})
    with pytest.raises(ValueError, match="data: Kept in memory only") as caught:
        CheckInputs().before_pipeline_run(
            run_params={"runner": ""}, pipeline=stage, catalog=catalog
        )
    advice = "`multifield run --pipelines evaluate --to-outputs=levels,metrics`"
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    ("is_clone", "installed", "command"),
    [
        (True, True, "kedro viz run"),
        (True, False, "pip install -e '.[viz]' && kedro viz run"),
        (False, True, "multifield init && kedro viz run"),
        (False, False, "pip install 'multifield[viz]' && multifield init && kedro viz run"),
    ],
)
def test_the_next_step_works_where_the_run_was(
    is_clone: bool,
    installed: bool,
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_clone:
        (tmp_path / "src" / "multifield").mkdir(parents=True)
        (tmp_path / "pyproject.toml").write_text('[tool.kedro]\npackage_name = "multifield"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("multifield.hooks.find_spec", lambda _: True if installed else None)
    step = _how_to_see_pipelines()
    assert step.splitlines()[1].strip() == command
    assert all(len(line) < 78 for line in step.splitlines())


def test_previews_of_missing_files_do_not_fill_the_screen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = import_module("kedro_viz.models.flowchart.node_metadata").logger
    levels = yaml.safe_load((ROOT / "conf/logging.yml").read_text())["loggers"]
    caplog.set_level(levels[logger.name]["level"], logger.name)
    logger.warning("'theta' could not be previewed")
    assert caplog.messages == []
