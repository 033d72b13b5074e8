from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter

from multifield.config.training import Hyperparameters
from multifield.config.tuning import PrunerConfig, SearchSpace, TuningConfig
from multifield.models import ModelFolder, load_weights
from multifield.training import (
    EpochLosses,
    NonFiniteLoss,
    TrainingProgress,
    evaluate_loss,
    read_losses,
    task,
)
from multifield.training.checkpoint import attempts_folder
from multifield.tuning import (
    check_fingerprint,
    choose_storage,
    load_study,
    only_driver,
    open_study,
    rank_trials,
    trials_table,
    tune,
)
from tests.unit.training.examples import config, make_data

TRAINING = config(epochs=2)
TUNING = TuningConfig(
    n_trials=4,
    n_startup_trials=2,
    seed=1,
    study_name="wd_dr_hidden_lr_o3",
    search_space=TypeAdapter(SearchSpace).validate_python(
        {
            "lr": {"low": 1e-4, "high": 1e-2},
            "wd": {"low": 1e-8, "high": 1e-1},
            "dr": {"low": 0.0, "high": 0.9},
            "hidden": {"low": 1, "high": 2},
        }
    ),
    enqueue=(),
    pruner=PrunerConfig(name="none", n_startup_trials=1, n_warmup_epochs=0, reduction_factor=3),
    keep_weights=0,
    storage="sqlite",
)
FINGERPRINT = {"suite": "MockNbody", "theta_sha256": "abc", "split.seed": "1"}


def make_folder(path: Path) -> ModelFolder:
    return ModelFolder(path, "MockNbody", "Mtot", "all_steps_4_4_o3")


class Watched(TrainingProgress):
    """Progress that calls a function in each epoch, which may stop the study."""

    def __init__(self, told: Callable[[int, int], object], n_trials: int, epochs: int) -> None:
        super().__init__("trials", n_trials, epochs)
        self._told = told

    def on_epoch(self, name: str, epoch: int, losses: EpochLosses) -> None:
        self._told(int(name), epoch)
        super().on_epoch(name, epoch, losses)


def watch(told: Callable[[int, int], object], n_trials: int = 4) -> Watched:
    return Watched(told, n_trials, TRAINING.epochs)


def run(
    folder: ModelFolder,
    n_trials: int = 4,
    on_epoch: Callable[[int, int], object] | None = None,
    storage: str = "sqlite",
    **arguments: Any,
) -> optuna.Study:
    return tune(
        make_data(),
        folder,
        replace(TUNING, n_trials=n_trials, storage=storage),
        TRAINING,
        progress=on_epoch and watch(on_epoch, n_trials),
        **({"fingerprint": FINGERPRINT} | arguments),
    )


def outcome(study: optuna.Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, t.value, t.params, t.user_attrs) for t in study.trials]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = make_folder(tmp_path_factory.mktemp("finished"))
    run(folder)
    return folder


def test_every_trial_has_weights_and_losses_that_belong_to_it(finished: ModelFolder) -> None:
    study, data = load_study(finished.database), make_data()
    assert finished.trials_with_weights() == (0, 1, 2, 3)
    for trial in study.trials:
        losses = read_losses(finished.losses(trial.number))
        assert trial.value == losses[:, 2].min()
        best = trial.user_attrs["best_epoch"]
        assert (trial.user_attrs["train_loss"], trial.user_attrs["test_loss"]) == tuple(
            losses[best, [1, 3]]
        )
        assert trials_table(study)[trial.number]["best_epoch"] == best + 1  # people count from 1
        digest = trial.user_attrs["weights_sha256"]
        network = load_weights(finished.weights(trial.number), sha256=digest)
        assert network.hidden == trial.params["hidden"]
        # channels_last in training and not here: another order of float32 sums
        assert evaluate_loss(network, data.valid, range(1), data.inferred) == pytest.approx(
            trial.value, abs=1e-3
        )


def test_finished_study_is_not_tuned_again(finished: ModelFolder) -> None:
    before, listing = finished.database.read_bytes(), sorted(finished.path.rglob("*"))
    called = []
    study = run(finished, on_epoch=lambda *_: called.append(1))
    assert len(study.trials) == 4
    assert not called
    assert finished.database.read_bytes() == before
    assert sorted(finished.path.rglob("*")) == listing


def test_more_trials_go_on_as_if_all_were_asked_for_at_once(
    finished: ModelFolder, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path)
    run(folder, n_trials=2)
    assert outcome(run(folder)) == outcome(load_study(finished.database))


def test_a_trial_goes_on_from_its_checkpoint_which_is_removed_when_it_is_told(
    finished: ModelFolder, tmp_path: Path
) -> None:
    def stop(trial: int, epoch: int) -> None:
        if (trial, epoch) == (1, 1):
            raise ConnectionError

    folder, epochs = make_folder(tmp_path), []
    with pytest.raises(ConnectionError):
        run(folder, on_epoch=stop)
    left = sorted(path for path in folder.checkpoint(0).parent.rglob("*"))
    assert left == [folder.checkpoint(1), attempts_folder(folder.checkpoint(1))]
    study = run(folder, on_epoch=lambda trial, epoch: epochs.append((trial, epoch)))
    assert epochs[:2] == [(1, 1), (2, 0)]
    assert outcome(study) == outcome(load_study(finished.database))
    assert not list(folder.checkpoint(0).parent.iterdir())


def test_the_checkpoint_of_a_finished_trial_is_removed_at_the_next_start(
    finished: ModelFolder,
) -> None:
    leftover = finished.checkpoint(3)
    leftover.parent.mkdir(exist_ok=True)
    leftover.touch()
    run(finished)
    assert not leftover.exists()


def test_an_error_propagates_and_its_trial_is_repeated(
    finished: ModelFolder, tmp_path: Path
) -> None:
    def fail(trial: int, epoch: int) -> None:
        if (trial, epoch) == (2, 1):
            raise OSError("disk full")

    folder = make_folder(tmp_path)
    with pytest.raises(OSError, match="disk full"):
        run(folder, on_epoch=fail)
    assert [trial.state for trial in load_study(folder.database).trials] == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.WAITING,
        TrialState.WAITING,
    ]
    assert folder.trials_with_weights() == (0, 1)
    assert outcome(run(folder)) == outcome(load_study(finished.database))


def test_hyperparameters_of_an_interrupted_draw_are_completed_alike(
    finished: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(trial: optuna.Trial, space: SearchSpace) -> None:
        trial.suggest_float("lr", space.lr.low, space.lr.high, log=True)
        raise KeyboardInterrupt

    folder = make_folder(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("multifield.tuning.driver.suggest", cut_short)
        with pytest.raises(KeyboardInterrupt):
            run(folder, n_trials=1)
    assert outcome(run(folder, n_trials=1)) == outcome(load_study(finished.database))[:1]


def test_weights_come_before_their_trial_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError("no space")

    folder = make_folder(tmp_path)
    monkeypatch.setattr("multifield.training.task.save_weights", no_space)
    with pytest.raises(OSError, match="no space"):
        run(folder, n_trials=1)
    assert [trial.state for trial in load_study(folder.database).trials] == [TrialState.WAITING]


def test_a_non_finite_loss_fails_the_trial_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = task.train_network

    def diverge_once(*arguments: Any, **options: Any) -> Any:
        if folder.trials_with_weights() == (0,) and not folder.losses("seen").exists():
            folder.losses("seen").touch()
            options["checkpoint"].touch()
            raise NonFiniteLoss("loss: got nan in step 3")
        return train(*arguments, **options)

    folder = make_folder(tmp_path)
    monkeypatch.setattr(task, "train_network", diverge_once)
    study = run(folder, n_trials=3)
    complete, fail = TrialState.COMPLETE, TrialState.FAIL
    assert [trial.state for trial in study.trials] == [complete, fail, complete]
    assert study.trials[1].user_attrs["error"] == "loss: got nan in step 3"
    assert not folder.checkpoint(1).exists()
    assert {trial.number for trial in rank_trials(study)} == {0, 2}
    assert folder.trials_with_weights() == (0, 2)


def test_another_fingerprint_is_refused_with_each_difference(finished: ModelFolder) -> None:
    before = finished.database.read_bytes()
    other = {"suite": "MockNbody", "theta_sha256": "xyz", "split.n_valid": "5"}
    with pytest.raises(ValueError, match="Tuned with other settings") as caught:
        run(finished, n_trials=9, fingerprint=other)
    message = str(caught.value)
    assert "theta_sha256: study abc, this run xyz" in message
    assert "split.seed: study 1, this run nothing" in message
    assert "split.n_valid: study nothing, this run 5" in message
    assert "suite:" not in message
    assert "Set another models_folder, or move the database away" in message
    assert finished.database.read_bytes() == before


def test_a_second_driver_is_refused(finished: ModelFolder) -> None:
    with (
        only_driver(finished.database, "other run"),
        pytest.raises(
            RuntimeError, match=r"Another run is training these networks.*workers=<number>"
        ),
    ):
        run(finished)


def test_a_study_at_another_url_is_the_same_study(finished: ModelFolder, tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    url = f"sqlite:///{tmp_path}/studies.db"
    storage = choose_storage(url, folder)
    assert not storage.exists()
    assert outcome(run(folder, storage=url)) == outcome(load_study(finished.database))
    assert storage.exists()
    assert not folder.database.exists()
    assert outcome(load_study(storage)) == outcome(load_study(finished.database))
    other = replace(storage, path=storage.path.with_stem("other"))
    assert not other.exists()
    with pytest.raises(ValueError, match="Expected one study, got 0"):
        load_study(other)


def test_a_url_that_does_not_answer_is_named(finished: ModelFolder) -> None:
    with pytest.raises(ConnectionError, match=r"sqlite:////nowhere/studies\.db: unable to open"):
        run(finished, storage="sqlite:////nowhere/studies.db")


def test_another_search_space_is_refused(finished: ModelFolder) -> None:
    wider = replace(
        TUNING,
        search_space=replace(TUNING.search_space, dr=replace(TUNING.search_space.dr, high=0.5)),
    )
    with pytest.raises(ValueError, match=r"tuning\.search_space\.dr\.high: study"):
        tune(make_data(), finished, wider, TRAINING, fingerprint=FINGERPRINT)


def test_the_fingerprint_of_a_loaded_study_can_be_checked(finished: ModelFolder) -> None:
    study = load_study(finished.database)
    check_fingerprint(study, FINGERPRINT)
    with pytest.raises(ValueError, match="suite: study MockNbody, this run MockTNG"):
        check_fingerprint(study, FINGERPRINT | {"suite": "MockTNG"})


def test_a_released_study_is_not_added_to(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    open_study(folder.database, TUNING).add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(ValueError, match="does not record what its trials depend on"):
        run(folder)


# ---- what a study is told besides ----

KNOWN = Hyperparameters(lr=2e-3, wd=1e-3, dr=0.25, hidden=1)


def test_enqueued_trials_come_first_and_the_others_are_drawn_as_ever(
    finished: ModelFolder, tmp_path: Path
) -> None:
    study = tune(
        make_data(),
        make_folder(tmp_path),
        replace(TUNING, n_trials=2, enqueue=(KNOWN,)),
        TRAINING,
        fingerprint=FINGERPRINT,
    )
    assert study.trials[0].params == vars(KNOWN)
    assert study.trials[1].params == load_study(finished.database).trials[1].params


def test_an_enqueued_trial_outside_the_search_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"enqueue\[0\]\.hidden: .* 1 to 2, got 3"):
        replace(TUNING, enqueue=(replace(KNOWN, hidden=3),))


def test_weights_of_the_best_alone_are_kept(finished: ModelFolder, tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    study = tune(
        make_data(),
        folder,
        replace(TUNING, keep_weights=2),
        TRAINING,
        fingerprint=FINGERPRINT,
    )
    assert folder.trials_with_weights() == tuple(sorted(t.number for t in rank_trials(study)[:2]))
    assert outcome(study) == outcome(load_study(finished.database))
    assert all(folder.losses(trial.number).is_file() for trial in study.trials)


def test_a_pruned_trial_counts_and_has_its_losses_though_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(trial: int, epoch: int) -> None:
        if (trial, epoch) == (1, 1):
            raise ConnectionError

    monkeypatch.setattr(  # trial 1 lags behind from its second epoch on
        optuna.pruners.MedianPruner,
        "prune",
        lambda _, study, trial: trial.number == 1 and trial.last_step >= 1,
    )
    pruned = replace(TUNING, n_trials=3, pruner=replace(TUNING.pruner, name="median"))
    folder, training = make_folder(tmp_path), replace(TRAINING, epochs=3)
    given = (make_data(), folder, pruned, training)
    with pytest.raises(ConnectionError):
        tune(*given, fingerprint=FINGERPRINT, progress=watch(stop))
    study = tune(*given, fingerprint=FINGERPRINT)
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    losses = read_losses(folder.losses(1))
    assert losses[:, 0].tolist() == [0, 1]
    assert losses[1, 2] == study.trials[1].value
    assert folder.trials_with_weights() == (0, 2)


def test_a_trial_that_has_all_its_epochs_is_never_pruned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        optuna.pruners.MedianPruner,
        "prune",
        lambda _, study, trial: trial.last_step == TRAINING.epochs - 1,
    )
    median = replace(TUNING, n_trials=1, pruner=replace(TUNING.pruner, name="median"))
    study = tune(make_data(), make_folder(tmp_path), median, TRAINING, fingerprint=FINGERPRINT)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]


@pytest.mark.parametrize("name", ["median", "hyperband"])
def test_a_pruner_that_could_stop_nothing_is_refused(tmp_path: Path, name: str) -> None:
    late = replace(TUNING, pruner=replace(TUNING.pruner, name=name, n_warmup_epochs=2))
    with pytest.raises(ValueError, match=r"n_warmup_epochs: Expected fewer than the 2 epochs"):
        tune(make_data(), make_folder(tmp_path), late, TRAINING, fingerprint=FINGERPRINT)
    assert not list(tmp_path.rglob("*.db"))


def test_a_study_that_has_trials_enough_is_not_cut(finished: ModelFolder) -> None:
    assert len(run(finished, n_trials=2).trials) == 4
