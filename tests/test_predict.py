"""`kedro run --pipelines predict`: parameters of new maps from a model folder with a card."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multifield.camels import PARAMETER_NAMES
from multifield.config.schema import check_parameters
from multifield.core.checksums import sha256
from multifield.datasets import ModelCardDataset
from multifield.evaluation import average_orientations, read_results, simulation_of_rows
from multifield.evaluation.recalibration import fit_sigma_factors
from multifield.maps import maps_of, split_simulations
from multifield.models import ModelFolder
from multifield.prediction import infer_parameters, load_networks, open_new_maps
from tests.helpers.projects import load_parameters, make_project, run_kedro

FIELD, LABEL = "Mgas_T_Mstar", "all_steps_4_4_o3_smoothing_1"
NAMES = {"suite": "MockTNG", "field": FIELD, "label": LABEL}
CHOICES = "suite=MockTNG,field=Mgas_T_Mstar,smoothing_width=1"
HELD_OUT = maps_of(split_simulations(24, n_valid=4, n_test=6).test)


def run(project: Path, pipelines: str, *choices: str) -> str:
    asked = ",".join([CHOICES, *choices])
    done = run_kedro(project, "run", "--env", "test", "--pipelines", pipelines, "--params", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def find_table(project: Path, suffix: str, maps: str = "MockTNG") -> Path:
    """Find the predictions of maps. Their name contains a checksum of the path."""
    pattern = f"predictions_MockTNG_{FIELD}_{LABEL}_of_{maps}_*.{suffix}"
    (table,) = (project / "data/07_model_output").glob(pattern)
    return table


def read_table(path: Path) -> dict[str, np.ndarray]:
    return {name: column.to_numpy() for name, column in pd.read_parquet(path).items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A study with two networks of three fields, evaluated as an ensemble."""
    project = make_project(tmp_path_factory.mktemp("predict") / "project")
    run(project, "ingest,preprocess,tune,evaluate", "evaluation.top_k=2")
    return project


@pytest.fixture(scope="module")
def predicted(project) -> tuple[str, dict[str, np.ndarray]]:
    """Output and files of a run for all maps of the suite with both networks."""
    printed = run(project, "predict", "maps=data/01_raw/MockTNG", "prediction.top_k=2")
    return printed, read_table(find_table(project, "parquet"))


@pytest.fixture(scope="module")
def folder(project) -> ModelFolder:
    return ModelFolder(path=project / "data/06_models", **NAMES)


@pytest.fixture(scope="module")
def card(folder):
    return ModelCardDataset(path=str(folder.path), network="study", **NAMES).load()


@pytest.fixture(scope="module")
def training():
    return check_parameters(load_parameters("test")).training


@pytest.fixture(scope="module")
def maps(project, card):
    return open_new_maps(str(project / "data/01_raw/MockTNG"), card.fields)


def results(project: Path, suffix: str) -> object:
    name = f"results_train_MockTNG_{FIELD}_{LABEL}_test_MockTNG_{FIELD}_{LABEL}_LH{suffix}.txt"
    return average_orientations(read_results(project / "data/07_model_output" / name), 8)


def test_predict_equals_evaluate(project, predicted):
    """Bitwise, except in the last, smaller batch, where convolutions sum in another order."""
    expected = results(project, "_ensemble_2")
    for column, name in enumerate(PARAMETER_NAMES):
        for moment in ("mean", "std"):
            found = predicted[1][f"{name}_{moment}"][HELD_OUT]
            np.testing.assert_allclose(found, getattr(expected, moment)[:, column], rtol=1e-5)


def test_one_row_per_map(predicted):
    _, table = predicted
    assert table["map"].tolist() == list(range(24 * 15))
    statistics = ("mean", "std", "std_recalibrated")
    assert list(table) == [
        "map",
        *[f"{name}_{statistic}" for name in PARAMETER_NAMES for statistic in statistics],
        "distance",
        "p_value",
        *("unlike_training", "tiles", "regridded_from", "floored", "file", "sha256"),
    ]
    assert table["unlike_training"].dtype == bool


def test_csv_and_parquet_are_one_table(project, predicted):
    with find_table(project, "csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, values in predicted[1].items():
        texts = [row[name] for row in rows]
        if name in ("file", "sha256"):
            assert texts == values.tolist()
            continue
        parsed = [text == "True" for text in texts] if values.dtype == bool else np.float64(texts)
        np.testing.assert_array_equal(parsed, values)


def test_the_table_names_its_files(project, predicted):
    files = predicted[1]["file"][0].split(";")
    fields = FIELD.split("_")
    assert [Path(file).name.split("_")[1] for file in files] == fields
    assert all(Path(file).parent == project / "data/01_raw/MockTNG" for file in files)
    assert predicted[1]["sha256"][-1].split(";") == [sha256(file)[:12] for file in files]


def test_relative_paths_count_from_the_project(project, predicted):
    inner = project / "conf"
    done = run_kedro(
        inner,
        *("run", "--env", "test", "--pipelines", "predict"),
        *("--params", f"{CHOICES},maps=data/01_raw/MockTNG,prediction.top_k=2"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (inner / "data").exists()


def test_it_ends_with_a_summary(project, predicted):
    printed = " ".join(predicted[0].split())
    assert "trained on mock suite MockTNG, Mgas_T_Mstar maps" in printed
    assert "of 360 maps are out-of-distribution" in printed
    assert str(find_table(project, "csv").relative_to(project)) in printed


def test_sigma_is_recalibrated_on_validation_maps(project, card, predicted):
    best = results(project, "_valid")  # of the best network; evaluate keeps no other's
    found = card.factors(1, 8)
    for name, factor in fit_sigma_factors(best, simulation_of_rows(best, 1)).items():
        assert found[name] == pytest.approx(factor, rel=1e-5)
        ratio = predicted[1][f"{name}_std_recalibrated"] / predicted[1][f"{name}_std"]
        np.testing.assert_allclose(ratio, card.factors(2, 8)[name], rtol=1e-12)


def test_in_distribution_maps_are_not_flagged(card, predicted):
    rate = predicted[1]["unlike_training"][HELD_OUT].mean()
    assert card.novelty.false_alarms == pytest.approx(1 / 61)  # 60 validation maps
    assert rate < 0.15  # six simulations of 16 pixels


def test_maps_are_compared_with_the_training_maps(project, predicted):
    """All maps of the suite are alike, and contain the validation maps."""
    (table,) = (project / "data/07_model_output").glob("compared_*_of_MockTNG_*.csv")
    assert len(pd.read_csv(table)) == 0
    asked = ("maps=data/01_raw/MockTNG", "prediction.training_maps=data/01_raw/MockTNG")
    printed = run(project, "predict", *asked, "prediction.top_k=2")
    found = pd.read_csv(table)
    assert found["smoothing"].tolist() == [0, 1, 2]
    assert (found["p_value"] > 0.05).all()
    assert "new maps against validation maps" in printed
    assert str(table.relative_to(project)) in " ".join(printed.split())


def test_maps_of_another_training_are_refused(project, tmp_path):
    for path in (project / "data/01_raw/MockTNG").glob("Maps_*.npy"):
        np.save(tmp_path / path.name, np.load(path)[::-1])
    asked = f"{CHOICES},maps={tmp_path},prediction.training_maps={tmp_path}"
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "predict", "--params", asked)
    assert done.returncode == 2
    assert "Expected the training maps of the networks" in " ".join(done.stderr.split())


def test_a_copied_folder_needs_nothing_else(project, predicted, tmp_path):
    """Neither training maps nor split, statistics or study are needed."""
    elsewhere = make_project(tmp_path / "elsewhere")
    copy = tmp_path / "networks"
    for part in ("weights", "cards"):
        shutil.copytree(project / "data/06_models" / part, copy / part)
    choices = (f"models_folder={copy}", "prediction.top_k=2")
    sources = [
        next((project / "data/01_raw/MockTNG").glob(f"Maps_{f}_*.npy"))
        for f in ("Mgas", "T", "Mstar")
    ]
    files = [f"maps.{path.name.split('_')[1]}={path}" for path in reversed(sources)]
    run(elsewhere, "predict", *choices, *files)
    (table,) = (elsewhere / "data/07_model_output").glob("predictions_*.csv")
    assert table.read_bytes() == find_table(project, "csv").read_bytes()
    assert {path.name for path in (elsewhere / "data").iterdir()} == {"07_model_output"}


def test_a_card_is_made_for_networks_that_have_none(project, folder):
    """The card is made from the training maps, as for released networks."""
    before = folder.card().read_bytes()
    folder.card().unlink()
    assert "Nothing to describe" not in run(project, "describe")
    assert folder.card().read_bytes() == before


def test_a_card_is_made_again_only_if_something_else_is_asked(project, folder):
    before = folder.card().read_bytes()
    assert f"Nothing to describe: {folder.card().name} is the" in run(project, "describe")
    assert folder.card().read_bytes() == before
    output = run(project, "describe", "card.novelty.level=0.2")
    assert "Nothing to describe" not in output
    assert json.loads(folder.card().read_text())["novelty"]["level"] == 0.2
    folder.card().write_bytes(before)


def test_the_network_of_train_has_a_card_and_intervals(project, folder):
    run(project, "train")
    reports = project / f"data/08_reporting/MockTNG_{FIELD}_single_{LABEL}"
    metrics, intervals = (
        json.loads((reports / name).read_text())
        for name in ("metrics.json", "metrics_intervals.json")
    )
    assert intervals["RMSE"]["A_SN1"]["value"] == metrics["RMSE"]["A_SN1"]
    single = ModelCardDataset(path=str(folder.path), network="single", **NAMES).load()
    assert single.networks[0].trial == "single"
    assert len(load_networks(single, folder, 1)) == 1


def test_the_card_records_the_training(project, card):
    assert (card.box, card.pixel_size) == (25, 25 / 16)
    manifest = json.loads(
        (project / f"data/01_raw/MockTNG/manifest_{FIELD}_MockTNG_LH.json").read_text()
    )
    for channel in card.channels:
        assert channel.raw_sha256 == manifest["files"][channel.field]["sha256"]
    assert card.split == split_simulations(24, n_valid=4, n_test=6)
    assert card.training["training.epochs"] == "2"
    assert [network.valid_loss for network in card.networks] == sorted(
        network.valid_loss for network in card.networks
    )
    assert card.versions["multifield"]


def test_without_a_network_it_says_what_to_run(tmp_path):
    empty = make_project(tmp_path / "project")
    done = run_kedro(empty, "run", "--env", "test", "--pipeline", "predict", "--params", CHOICES)
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    assert f"card_MockTNG_{FIELD}_{LABEL}.json" in output
    assert "`multifield run --pipelines ingest,preprocess,tune` first" in output
    assert "`multifield run --pipelines ingest,preprocess,describe`" in output


def test_maps_of_another_box_are_refused(project, predicted):
    choices = f"{CHOICES},maps=data/01_raw/MockTNG,maps_box=50"
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "predict", "--params", choices)
    assert done.returncode == 2
    output = " ".join((done.stdout + done.stderr).split())
    assert "Expected maps of at most 1.562 Mpc/h per pixel" in output
    assert "got 3.125 (16 pixels and 50 Mpc/h)" in output


# ---- the library with the same networks ----


@pytest.mark.parametrize("n_maps", [1, 7, 32, 33])
def test_any_number_of_maps(n_maps, maps, card, folder, training, predicted):
    networks = load_networks(card, folder, 2)
    some = {field: each[20 : 20 + n_maps] for field, each in maps.items()}
    results, records = infer_parameters(some, card, networks, orientations=8, training=training)
    assert [record["map"] for record in records] == list(range(n_maps))
    assert len(results) == 8 * n_maps
    for name in ("Omega_m_mean", "A_AGN2_std", "distance"):
        found = [record[name] for record in records]
        np.testing.assert_allclose(found, predicted[1][name][20 : 20 + n_maps], rtol=1e-5)


def test_blocks_do_not_matter(maps, card, folder, training, predicted, monkeypatch):
    monkeypatch.setattr("multifield.prediction.predict.BLOCK_BYTES", 1)  # one batch per block
    results, records = infer_parameters(
        maps, card, load_networks(card, folder, 2), orientations=8, training=training
    )
    _, mean, _ = average_orientations(results, 8).of("Omega_m")
    np.testing.assert_array_equal(mean, predicted[1]["Omega_m_mean"])
    for name in ("Omega_m_mean", "A_AGN2_std", "p_value"):
        np.testing.assert_array_equal([record[name] for record in records], predicted[1][name])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, r"map 8, .*pixel \(3, 5\): Expected a finite value >= 0, got nan"),
        (-1.0, r"map 8, .*pixel \(3, 5\): Expected a finite value >= 0, got -1"),
    ],
)
def test_a_bad_pixel_is_named_before_anything_is_inferred(
    value, message, maps, card, folder, training, monkeypatch
):
    monkeypatch.setattr("multifield.prediction.predict.predict_loader", None)
    wrong = {field: np.array(each[:20]) for field, each in maps.items()}
    wrong["T"][8, 3, 5] = value
    with pytest.raises(ValueError, match="T: " + message):
        infer_parameters(
            wrong, card, load_networks(card, folder, 1), orientations=1, training=training
        )


def test_a_zero_where_the_logarithm_is_taken_is_refused(maps, card, folder, training):
    """A zero in T is refused. Mstar may have zeros, since its transform is log10(1 + x)."""
    networks = load_networks(card, folder, 1)
    wrong = {field: np.array(each[:3]) for field, each in maps.items()}
    wrong["Mstar"][1] = 0
    results, _ = infer_parameters(wrong, card, networks, orientations=1, training=training)
    assert len(results) == 3
    wrong["T"][1] = 0
    with pytest.raises(
        ValueError, match=r"T: map 1, .*Expected a finite value > 0 after smoothing"
    ):
        infer_parameters(wrong, card, networks, orientations=1, training=training)


def test_more_networks_than_the_card_has_are_refused(card, folder):
    with pytest.raises(ValueError, match=r"prediction\.top_k: Expected 1 to 2, .* got 3"):
        load_networks(card, folder, 3)


def test_weights_of_another_training_are_refused(card, folder, tmp_path):
    shutil.copytree(folder.path / "weights", tmp_path / "weights")
    other = dataclasses.replace(folder, path=tmp_path)
    best, second = (other.weights(network.trial) for network in card.networks)
    shutil.copy(second, best)
    with pytest.raises(ValueError, match="changed or replaced after its training"):
        load_networks(card, other, 1)
