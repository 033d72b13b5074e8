import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from multifield.hooks import CheckProcesses
from multifield.pipelines import ingest, train, tune
from multifield.processes import count_processes, end_unless_first, is_first


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_one_process_is_the_first_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch)
    assert count_processes() == 1
    assert is_first()
    end_unless_first()


@pytest.mark.parametrize(("rank", "first"), [("0", True), ("1", False)])
def test_of_several_the_first_has_results(
    rank: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(
        monkeypatch, WORLD_SIZE="2", RANK=rank, MASTER_ADDR="localhost", MASTER_PORT="1"
    )
    assert is_first() is first
    if first:
        end_unless_first()
    else:
        with pytest.raises(SystemExit, match="0"):
            end_unless_first()


def test_half_an_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, WORLD_SIZE="2", RANK="0")
    with pytest.raises(ValueError, match="MASTER_ADDR, MASTER_PORT"):
        count_processes()


def check_run(pipeline: Pipeline, *names: str, only_missing: bool = False) -> None:
    asked = {"pipeline_names": list(names), "only_missing_outputs": only_missing}
    CheckProcesses().before_pipeline_run(asked, pipeline, DataCatalog())


def test_several_processes_run_nothing_but_a_whole_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trains, tunes = train.create_pipeline(), tune.create_pipeline()
    both = ingest.create_pipeline() + trains
    figures = trains.to_outputs("figure_trained_losses") - trains.to_outputs("trained_losses")
    set_environment(monkeypatch)
    check_run(both, "ingest", "train")
    others = {"RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    set_environment(monkeypatch, WORLD_SIZE="2", **others)
    check_run(trains, "train")
    check_run(tunes, "tune")
    for pipeline, names, only_missing in (
        (both, ["ingest", "train"], False),
        (trains + tunes, [], False),  # __default__
        (figures, ["train"], False),
        (trains, ["train"], True),
    ):
        with pytest.raises(ValueError, match="the whole of train or of tune"):
            check_run(pipeline, *names, only_missing=only_missing)
