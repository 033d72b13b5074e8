"""Networks of a field selection, on maps with a known answer."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
import pytest
from pydantic import TypeAdapter

from multifield.config.evaluation import EvaluationConfig
from multifield.config.studies import SelectFieldsConfig
from multifield.data.field_sets import FieldSet
from multifield.mock.two_fields import CARRIERS, least_errors
from multifield.models import ModelFolder
from multifield.studies import field_selection
from multifield.studies.field_selection import (
    FieldScores,
    SetInformation,
    choose_goals,
    compare_sets,
    find_smallest,
    measure_finalists,
    name_smallest,
    propose_finalists,
    score_sets,
    train_finalists,
    train_scorer,
)
from tests.helpers.projects import load_parameters
from tests.unit.studies.field_selection.examples import (
    FIELDS,
    HYPERPARAMETERS,
    MAP_SIZE,
    N_HELD_OUT,
    SELECT_FIELDS,
    TRAINING,
    MockLoaders,
    make_folder,
    make_loaders,
)
from tests.unit.training.examples import HERE, config
from tests.unit.tuning.test_driver import TUNING

EVALUATION = TypeAdapter(EvaluationConfig).validate_python(
    load_parameters("test")["evaluation"] | {"orientations": 2}
)


class Run(NamedTuple):
    """Intermediate results of a selection."""

    scores: FieldScores
    finalists: list[FieldSet]
    information: dict[FieldSet, SetInformation]
    folders: dict[str, ModelFolder]


def score(
    path: Path, loaders: MockLoaders, config: SelectFieldsConfig
) -> tuple[FieldScores, ModelFolder]:
    """Train a scorer and let it score."""
    folder = make_folder(path, "scorer")
    study = train_scorer(loaders, folder, TRAINING, TUNING, config, HERE)
    return score_sets(study, folder, loaders, TRAINING, config), folder


def score_soon(path: Path) -> tuple[FieldScores, ModelFolder]:
    """Train one epoch on few maps of two fields, without a useful result."""
    scorer = replace(SELECT_FIELDS.scorer, epochs=1)
    return score(path, make_loaders(CARRIERS, 36), replace(SELECT_FIELDS, scorer=scorer))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path, loaders = tmp_path_factory.mktemp("selection"), make_loaders()
    scores, scorer = score(path, loaders, SELECT_FIELDS)
    goals = choose_goals(scores.inferred)
    finalists = propose_finalists(scores.sets, goals, SELECT_FIELDS.fractions, SELECT_FIELDS.search)
    folder = make_folder(path, "finalists")
    study = train_finalists(
        finalists,
        loaders,
        folder,
        TRAINING,
        TUNING,
        SELECT_FIELDS,
        HYPERPARAMETERS,
        HERE,
    )
    information = measure_finalists(
        study, folder, finalists, loaders, TRAINING, EVALUATION, SELECT_FIELDS
    )
    return Run(scores, finalists, information, {"scorer": scorer, "finalists": folder})


@pytest.mark.slow
def test_the_two_fields_that_carry_everything_are_found(run: Run) -> None:
    measured = compare_sets(run.information, EVALUATION.bootstrap)
    found = find_smallest(
        measured,
        SELECT_FIELDS.fractions,
        "MockTwoFields",
        EVALUATION.bootstrap,
        run.scores,
        N_HELD_OUT,
    )
    expected = "_".join(CARRIERS)
    assert name_smallest(found) == {("cosmology", 0.7): expected, ("cosmology", 0.8): expected}


@pytest.mark.slow
def test_one_network_ranks_the_two_fields_first_of_all_pairs(run: Run) -> None:
    pairs = [each for each in run.scores.sets if len(each.fields) == 2]
    assert len(pairs) == 6
    assert max(pairs, key=lambda each: each.information["cosmology"]).fields == CARRIERS


@pytest.mark.slow
def test_noise_gives_the_prior(run: Run) -> None:
    noise = next(each for each in run.scores.sets if each.fields == ("HI",))
    # a Gaussian as wide as the uniform prior has -0.35 nats for two parameters; this network has
    # -0.67, because its uninformative widths vary from map to map
    assert -1.0 < noise.information["cosmology"] < 0.0


@pytest.mark.slow
def test_no_set_has_more_information_than_its_pixels(run: Run) -> None:
    """Compare with a uniform prior of width w and the Cramer-Rao bounds."""
    errors = least_errors(MAP_SIZE)
    width = 0.4  # both parameters
    most = sum(np.log(width / error / np.sqrt(2 * np.pi * np.e)) for error in errors.values())
    for fields, each in run.information.items():
        rows = each.test["cosmology"]
        by_simulation = rows.reshape(-1, 15).mean(axis=1)
        error = by_simulation.std() / np.sqrt(len(by_simulation))
        assert rows.mean() < most + 3 * error, fields


@pytest.mark.slow
def test_each_network_is_of_its_own_set(run: Run) -> None:
    """A pair that lacks a carrier has no information about the carrier's parameter."""
    pairs = [fields for fields in run.finalists if len(fields) == 2]
    assert len(pairs) == 2
    means = {fields: run.information[fields].test["cosmology"].mean() for fields in pairs}
    other = next(fields for fields in pairs if fields != CARRIERS)
    assert len(set(other) & set(CARRIERS)) == 1
    assert means[CARRIERS] > means[other] + 1.0


# ---- again, and after other settings ----


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FieldScores]:
    path = tmp_path_factory.mktemp("short")
    return path, score_soon(path)[0]


def test_a_scorer_that_is_interrupted_goes_on_bit_for_bit(
    short: tuple[Path, FieldScores], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("multifield.training.live_table.TrainingProgress.on_epoch", stop)
        with pytest.raises(ConnectionError):
            score_soon(tmp_path)
    again, folder = score_soon(tmp_path)
    assert again == short[1]
    whole = make_folder(short[0], "scorer").weights(0)
    assert folder.weights(0).read_bytes() == whole.read_bytes()


def test_a_set_whose_networks_all_failed_is_named(tmp_path: Path) -> None:
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    with pytest.raises(
        ValueError, match="Expected a complete trial of Mgas_T among trials 0, got none"
    ):
        measure_finalists(
            study,
            make_folder(tmp_path, "finalists"),
            [("Mgas", "T")],
            make_loaders(),
            config(),
            EVALUATION,
            SELECT_FIELDS,
        )


def test_one_field_alone_cannot_be_selected_from(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, "scorer")
    with pytest.raises(
        ValueError, match=r"Expected two or more fields, got Mgas\. Join them with _"
    ):
        field_selection.train_scorer(
            make_loaders(FIELDS[:1]),
            folder,
            TRAINING,
            TUNING,
            SELECT_FIELDS,
            HERE,
        )
