"""Join a study: open it, make sure that it is the one meant, and that it has all its trials."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna import Study
from optuna.trial import TrialState

from multifield.atomic import atomic_path
from multifield.models import ModelFolder
from multifield.training import TrainingConfig
from multifield.tuning.claims import Claims
from multifield.tuning.config import TuningConfig
from multifield.tuning.storage import (
    MARKS,
    StudyServer,
    StudyStorage,
    close_connections,
)
from multifield.tuning.study import FINGERPRINT, check_attribute, open_study

SETTINGS = "tuning"  # user attribute of a study: how its trials were drawn
FOLDER = "folder"  # user attribute of a study on a server: the folder that its workers share
NO_SETTINGS = ("n_trials", "keep_weights", "workers")  # may differ from run to run


def join_study(
    storage: StudyStorage,
    folder: ModelFolder,
    tuning: TuningConfig,
    training: TrainingConfig,
    fingerprint: Mapping[str, Any],
    claims: Claims,
) -> Study:
    """Open the study that is to be worked on, complete with its trials; one worker at a time adds them.

    Raises
    ------
    ValueError
        If the study was made with another fingerprint or other settings, a server's study belongs to
        another folder, or the folder has a study that is kept in another way.
    """
    _check_alone(folder, storage)
    attributes = {FINGERPRINT: fingerprint, SETTINGS: _settings(tuning)}

    def prepare(study: Study) -> None:
        _check_attributes(study, attributes, storage)
        _check_folder(study, folder, storage)
        _add_trials(study, tuning)

    # most of a crowd find all there, and need not stand in a queue; files may be half made
    if isinstance(storage, StudyServer) and storage.exists():
        with closed(open_study(storage, tuning, training.epochs)) as study:
            if len(study.get_trials(deepcopy=False)) >= tuning.n_trials:
                prepare(study)
                return study
    with (
        claims.wait_for("study"),  # workers that start together would all add the trials
        closed(open_study(storage, tuning, training.epochs)) as study,
    ):
        prepare(study)
        return study


def _add_trials(study: Study, tuning: TuningConfig) -> None:
    """Add the trials that are missing, to wait for a worker."""
    for number in range(len(study.get_trials(deepcopy=False)), tuning.n_trials):
        fixed = asdict(tuning.enqueue[number]) if number < len(tuning.enqueue) else {}
        attributes = {"fixed_params": fixed} if fixed else {}  # as Optuna's enqueue_trial does
        study.add_trial(
            optuna.trial.create_trial(state=TrialState.WAITING, system_attrs=attributes)
        )


def _settings(tuning: TuningConfig) -> dict[str, Any]:
    settings = {
        f"tuning.{name}": value for name, value in asdict(tuning).items() if name not in NO_SETTINGS
    }
    # studies begun before these settings were there go on as long as they are off
    if not tuning.enqueue:
        del settings["tuning.enqueue"]
    if tuning.pruner.name == "none":
        del settings["tuning.pruner"]
    return settings


def _check_attributes(
    study: Study, attributes: Mapping[str, Mapping[str, Any]], storage: StudyStorage
) -> None:
    """Store attributes in a new study, compare them in an old one."""
    is_new = not study.get_trials(deepcopy=False)
    for name, value in attributes.items():
        if name not in study.user_attrs and is_new:
            study.set_user_attr(name, dict(value))
        elif name not in study.user_attrs:
            raise ValueError(
                f"{storage}: its trials do not say what they depend on, so none can "
                "be added. Give another models_folder, or move the database away to tune anew"
            )
        else:
            check_attribute(study, name, value, storage)


def _check_alone(folder: ModelFolder, storage: StudyStorage) -> None:
    """Refuse a second study, kept in another way, whose weights would have the names of the first one's."""
    own = _mark_of(storage, folder)
    for suffix in MARKS.values():
        other = folder.database.with_suffix(suffix)
        if other != own and other.exists():
            raise ValueError(
                f"{storage}: expected no other study in {folder.path}, whose weights would have the same "
                f"names, got {other.name}. Go on with that (--params storage=...), give another "
                "models_folder, or move it and its weights away to tune anew"
            )


def _mark_of(storage: StudyStorage, folder: ModelFolder) -> Path:
    """Give the file in the folder that says where its study is kept."""
    kind = next(kind for kind in MARKS if isinstance(storage, kind))
    return folder.database.with_suffix(MARKS[kind])


def _check_folder(study: Study, folder: ModelFolder, storage: StudyStorage) -> None:
    """Let a study on a server have one folder, which knows it too: claims and weights are there."""
    if not isinstance(storage, StudyServer):
        return  # its file is in the folder
    mark = _mark_of(storage, folder)
    if FOLDER not in study.user_attrs:
        key = uuid.uuid4().hex
        with atomic_path(mark) as partial_mark:
            partial_mark.write_text(json.dumps({"study": study.study_name, FOLDER: key}))
        study.set_user_attr(FOLDER, key)
    elif not mark.is_file() or json.loads(mark.read_text())[FOLDER] != study.user_attrs[FOLDER]:
        raise ValueError(
            f"{folder.path}: expected the folder that the other workers of {storage} share, which has "
            f"its {mark.name}. Share that one, or use another database on the server"
        )


@contextmanager
def closed(study: Study) -> Iterator[Study]:
    """Let go of a server's connections in the end."""
    try:
        yield study
    finally:
        close_connections(study._storage)
