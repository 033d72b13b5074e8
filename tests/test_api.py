"""The Python API at the scale of tests, and its agreement with the pipelines."""

import ast
import inspect
import json
import re
import textwrap
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import multifield as mf
from multifield import camels
from multifield.api.settings import OF_SUITES, OF_TRAINING, OF_TUNING
from multifield.training import read_losses
from multifield.tuning import load_study, rank_trials
from tests.helpers.projects import ROOT, make_project, run_kedro, run_python

TINY = {"environment": "test"}
IMPORTS = """
import sys
import time

start = time.perf_counter()
import multifield as mf

assert time.perf_counter() - start < 0.3
assert not {"torch", "optuna", "matplotlib"} & sys.modules.keys()
suite = mf.load_suite("MockNbody", "Mtot", environment="test")
network = mf.train(suite, epochs=1)
posterior = network.infer(suite.test)
posterior.score(), posterior.plot(), repr(suite), repr(network), repr(posterior)
network.save("net")
mf.load_network("net").infer("data/01_raw/MockNbody/Maps_Mtot_MockNbody_LH_z=0.00.npy").plot()
study = mf.tune(suite, n_trials=1, epochs=1)
study.plot(), repr(study), study.load_network()
used = {name for name in sys.modules if name.startswith("kedro")}
assert used <= {"kedro", "kedro.utils"} | {name for name in used if "kedro.config" in name}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "data"


@pytest.fixture(scope="module")
def suite(data) -> mf.Suite:
    return mf.load_suite("MockNbody", "Mtot", data=data, **TINY)


@pytest.fixture(scope="module")
def network(suite) -> mf.FittedNetwork:
    return mf.train(suite)


@pytest.fixture(scope="module")
def study(suite) -> mf.Study:
    return mf.tune(suite)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("pipelines") / "project")
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "ingest,preprocess,train,tune")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


# ---- agreement with the pipelines ----


def test_import_is_fast_and_uses_only_the_loader_of_kedro(tmp_path):
    done = run_python(tmp_path, "-W", "error", "-c", IMPORTS, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_network_is_identical_to_that_of_the_pipeline(project, suite, network):
    name = "weights_MockNbody_Mtot_single_all_steps_4_4_o3.pt"
    expected = torch.load(project / "data/06_models/weights" / name, weights_only=True)
    found = torch.load(suite.data / "06_models/weights" / name, weights_only=True)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[tensor], expected[tensor]) for tensor in expected)
    losses = (
        project / "data/06_models/losses" / name.replace("weights", "losses").replace("pt", "txt")
    )
    np.testing.assert_array_equal(network.losses, read_losses(losses))


def test_scores_are_identical_to_those_of_the_pipeline(project, suite, network):
    (path,) = (project / "data/08_reporting").rglob("metrics.json")
    metrics = json.loads(path.read_text())
    scores = network.infer(suite.test).score()
    information = metrics.pop("log_prob")
    assert list(information) == ["Omega_m+sigma_8"]  # not of one parameter
    assert scores.loc["log_prob"].tolist() == 2 * list(information.values())
    for metric, values in metrics.items():
        assert scores.loc[metric].dropna().to_dict() == values


def test_a_study_is_identical_to_that_of_the_pipeline(project, suite, study):
    (database,) = (project / "data/06_models/databases").glob("*.db")
    expected = {
        trial.number: (trial.params, trial.value) for trial in rank_trials(load_study(database))
    }
    found = {trial.number: (trial.params, trial.value) for trial in rank_trials(study.optuna)}
    assert found == expected
    assert (suite.data / "06_models/databases" / database.name).is_file()


def test_files_are_identical_to_those_of_the_pipelines(project, suite, network, study):
    for folder in ("01_raw", "05_model_input", "06_models"):
        names = {
            str(path.relative_to(root))
            for root in (project / "data", suite.data)
            for path in (root / folder).rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        for name in names:
            assert (project / "data" / name).is_file(), name
            assert (suite.data / name).is_file(), name
            if folder != "06_models" and name.endswith((".npy", ".txt")):
                assert (suite.data / name).read_bytes() == (project / "data" / name).read_bytes()
    for each in ("split", "normalization"):
        (path,) = (suite.data / "05_model_input").rglob(f"{each}_*.json")
        written = json.loads((project / "data" / path.relative_to(suite.data)).read_text())
        assert json.loads(path.read_text()) == written


def test_files_of_the_pipelines_are_reused(project):
    data = project / "data"
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*.npy")}
    suite = mf.load_suite("MockNbody", "Mtot", data=data, **TINY)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*.npy")} == before
    cards = data / "06_models" / "cards"
    with pytest.raises(ValueError, match=r"Expected one card, got card_.*Use the path"):
        mf.load_network(data / "06_models")
    network = mf.load_network(cards / "card_MockNbody_Mtot_all_steps_4_4_o3.json", n_networks=2)
    assert len(network.infer(suite.test)) == len(suite.test)


# ---- objects ----


def test_parts_share_no_simulation(suite):
    parts = (suite.train, suite.valid, suite.test)
    assert sorted(n for part in parts for n in part.simulations) == list(range(24))
    assert [len(part) for part in parts] == [15 * 14, 15 * 4, 15 * 6]
    np.testing.assert_array_equal(suite.test.theta[::15], suite.theta[list(suite.test.simulations)])
    assert "24 simulations: train 14, valid 4, test 6" in repr(suite)
    assert "mock" in repr(suite)
    assert repr(suite.test) == "90 test maps of MockNbody: Mtot"


def test_a_posterior_has_one_row_per_map(suite, network):
    posterior = network.infer(suite.test)
    assert posterior.parameters == ("Omega_m", "sigma_8")
    assert posterior.mean.shape == posterior.std.shape == posterior.truth.shape == (90, 2)
    np.testing.assert_array_equal(posterior.truth, suite.test.theta[:, :2])
    table = posterior.table()
    np.testing.assert_array_equal(table["Omega_m_mean"], posterior.mean[:, 0])
    np.testing.assert_array_equal(table["sigma_8_true"], posterior.truth[:, 1])
    recalibrated = posterior.recalibrated()
    np.testing.assert_array_equal(recalibrated.std, posterior.std_recalibrated)
    assert "90 maps" in repr(posterior)


def test_maps_of_a_suite_and_of_an_array_have_the_same_posterior(suite, network, tmp_path):
    known = network.infer(suite.test, orientations=2)
    maps = np.array(suite.maps["Mtot"][suite.test.index])
    np.save(tmp_path / "maps.npy", maps)
    for given in (maps, {"Mtot": maps}, tmp_path / "maps.npy", {"Mtot": tmp_path / "maps.npy"}):
        unknown = network.infer(given, orientations=2)
        np.testing.assert_array_equal(unknown.mean, known.mean)
        np.testing.assert_array_equal(unknown.std, known.std)
        np.testing.assert_array_equal(unknown.log_prob(known.truth), known.log_prob(known.truth))
    assert unknown.truth is None
    assert [len(ax.containers) for ax in unknown.plot().axes] == [1, 1]  # error bars
    assert len(network.infer(maps[0])) == 1
    with pytest.raises(ValueError, match="truth: Expected known parameters"):
        unknown.score()


def test_a_joint_network_infers_inside_the_prior(suite, tmp_path):
    network = mf.train(suite, recipe="statistics", epochs=1, models_folder=str(tmp_path / "models"))
    network.save(tmp_path / "net")
    posterior = mf.load_network(tmp_path / "net").infer(suite.test, orientations=2)
    sigma_8 = posterior.sample(200, seed=1)[:, :, 1]
    assert 0.6 <= sigma_8.min() <= sigma_8.max() <= 1
    assert np.isneginf(posterior.log_prob(np.array([0.3, 1.1]))).all()
    expected, _ = posterior.joint.moments()
    np.testing.assert_allclose(posterior.mean, expected, rtol=1e-10)
    of_simulations = posterior.of_simulations(15)
    assert len(of_simulations) == len(posterior) // 15
    assert (of_simulations.std[:, 1] < posterior.std.reshape(-1, 15, 2)[:, :, 1].max(axis=1)).all()


def test_scores_per_map_use_the_combined_orientations(suite, network):
    posterior = network.infer(suite.test)
    rmse = np.sqrt(np.mean((posterior.mean - posterior.truth) ** 2, axis=0))
    np.testing.assert_allclose(posterior.score("map").loc["RMSE"], rmse, rtol=1e-12)


def test_a_saved_network_can_be_loaded(suite, network, tmp_path):
    network.save(tmp_path / "net")
    loaded = mf.load_network(tmp_path / "net", n_threads=1)
    assert repr(loaded) == repr(network)
    np.testing.assert_array_equal(loaded.losses, network.losses)
    expected, found = network.infer(suite.test), loaded.infer(suite.test)
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.std_recalibrated, expected.std_recalibrated)


def test_the_pipeline_predicts_with_a_saved_network(project, suite, network):
    network.save(project / "net")
    path = "data/01_raw/MockNbody/Maps_Mtot_MockNbody_LH_z=0.00.npy"
    asked = f"maps={path},network=single,models_folder=net"
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "predict", "--params", asked)
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = (project / "data/07_model_output").rglob("predictions*.csv")
    expected = pd.read_csv(table, index_col="map")
    posterior = network.infer(project / path)
    assert set(expected.pop("file")) == {str((project / path).resolve())}
    assert expected.pop("sha256").str.len().eq(12).all()
    pd.testing.assert_frame_equal(posterior.table(), expected, rtol=1e-12)
    (table,) = (project / "data/07_model_output").rglob("draws_*_of_Maps_*.parquet")
    draws = posterior.draws(1000, seed=1)
    pd.testing.assert_frame_equal(pd.read_parquet(table), draws.to_table(), rtol=1e-6)


def test_a_network_infers_from_another_suite(network, data):
    other = mf.load_suite("MockTNG", "Mtot", data=data, **TINY)
    posterior = network.infer(other.test)
    assert list(posterior.score()) == list(camels.COSMOLOGY)
    posterior.plot()
    posterior.plot_corner(0, beside={"MockNbody": posterior[1]}, n=200)


def test_any_trial_of_a_study_infers(suite, study):
    assert study.trials["value"][study.best] == min(study.trials["value"])
    assert "best trial" in repr(study)
    for number in range(2):
        network = study.load_network(number)
        assert network.card.networks[0].trial == number
        assert network.card.networks[0].valid_loss == study.trials["value"][number]
    both = study.load_network(n_networks=2)
    assert len(both.infer(suite.test)) == len(suite.test)
    with pytest.raises(ValueError, match=r"trial: Expected one with a network \(0, 1\), got 7"):
        study.load_network(7)


# ---- maps of a user ----


@pytest.mark.parametrize("columns", [2, 6])
def test_maps_of_a_user(columns, suite, data, tmp_path):
    theta = suite.theta[:, :columns] + 1e-9  # more digits than CMD's tables
    own = mf.load_suite(
        "MyUniverse",
        "Mtot",
        maps=np.array(suite.maps["Mtot"]),
        theta=theta,
        data=data,
        n_test=6,
        n_valid=4,
    )
    assert own.inferred == camels.PARAMETER_NAMES[:columns]
    np.testing.assert_array_equal(own.theta[:, :columns], theta)
    network = mf.train(own, epochs=1, hidden=2, batch_size=32, device="cpu", n_threads=1)
    network.save(tmp_path / "net")
    script = "import multifield as mf; print(mf.load_network('net'))"
    done = run_python(tmp_path, "-W", "error", "-c", script)
    assert "trained on MyUniverse: Mtot" in done.stdout, done.stderr


def test_maps_of_a_registered_suite(tmp_path):
    """Three parameters, one drawn in the logarithm, and a box with 30 maps per simulation."""
    path = tmp_path / "suites.yml"
    path.write_text(
        "tables: {three: {columns: {"
        "Omega_m: {range: [0.1, 0.5], fiducial: 0.3, cosmology: true}, "
        "A: {range: [0.01, 100.0], fiducial: 1.0, drawn: log}, "
        "B: {range: [-1.0, 1.0], fiducial: 0.0}}}}\n"
        "suites: {MyBox: {fields: [T], sets: {SB3: {tables: [three], box: 50.0}}}}\n"
    )
    camels.add_suites(path)
    rng = np.random.default_rng(1)
    space = camels.find_space("MyBox", "SB3")
    theta = space.physical(space.unscale(rng.random((8, 3))))
    maps = np.exp(rng.normal(size=(240, 16, 16))).astype(np.float32)
    arguments = {"theta": theta, "sim_set": "SB3", "data": tmp_path / "data"}
    own = mf.load_suite("MyBox", "T", maps=maps, **arguments, n_valid=2, n_test=2)
    assert own.inferred == ("Omega_m", "A", "B")
    assert own.maps_per_simulation == 30
    np.testing.assert_allclose(own.theta[:, 1], np.log10(theta[:, 1]))
    network = mf.train(own, epochs=1, hidden=2, batch_size=32, device="cpu", n_threads=1)
    network.save(tmp_path / "net")
    posterior = mf.load_network(tmp_path / "net").infer(own.test)
    assert posterior.mean.shape == (60, 3)
    with pytest.raises(ValueError, match=r"in 3 columns \(Omega_m, A, B\), got shape \(8, 2\)"):
        mf.load_suite("MyBox", "T", maps=maps, **{**arguments, "theta": theta[:, :2]})
    with pytest.raises(ValueError, match=r"shape \(240, L, L\), 30 maps per simulation"):
        mf.load_suite("MyBox", "T", maps=maps[:120], **arguments)


def test_files_of_a_user_are_linked(suite, data, tmp_path):
    np.save(tmp_path / "maps.npy", suite.maps["Mtot"])
    np.savetxt(tmp_path / "theta.txt", suite.theta)
    own = mf.load_suite(
        "Linked", "Mtot", maps=tmp_path / "maps.npy", theta=tmp_path / "theta.txt", data=data
    )
    (path,) = (data / "01_raw" / "Linked").glob("*.npy")
    assert path.resolve() == tmp_path / "maps.npy"
    assert len(own.theta) == 24
    assert (len(own.split.valid), len(own.split.test)) == (1, 1)  # the published share


def test_published_files_are_found_and_linked(suite, tmp_path):
    folder = tmp_path / "Nbody_SIMBA"
    folder.mkdir()
    np.save(folder / "Maps_Mtot_Nbody_SIMBA_LH_z=0.00.npy", suite.maps["Mtot"])
    np.savetxt(folder / "params_LH_Nbody_SIMBA.txt", suite.theta, fmt="%.5f")
    data = tmp_path / "data"
    arguments = {"folder": tmp_path, "data": data}
    with pytest.raises(ValueError, match="Expected 1000 simulations, got 24"):
        mf.load_suite("Nbody_SIMBA", "Mtot", **arguments)
    published = mf.load_suite("Nbody_SIMBA", ["Mtot"], partial=True, **arguments)
    assert "mock" not in repr(published)
    assert (data / "01_raw/Nbody_SIMBA/Maps_Mtot_Nbody_SIMBA_LH_z=0.00.npy").is_symlink()


@pytest.mark.parametrize(
    ("maps", "theta", "message"),
    [
        (np.ones((15, 16, 16), np.float32), None, "maps, theta: Expected both or none"),
        (np.ones((15, 16, 16)), np.ones((1, 2)), r"Expected float32, got float64.*astype"),
        (np.ones((14, 16, 16), np.float32), np.ones((1, 2)), r"Expected shape \(15, L, L\)"),
        (
            np.ones((15, 16, 16), np.float32),
            np.ones((1, 3)),
            "Expected finite numbers.* in 6 columns",
        ),
        (
            {"T": np.ones((15, 16, 16), np.float32)},
            np.ones((1, 2)),
            "Expected fields Mtot, got T",
        ),
    ],
)
def test_wrong_maps_of_a_user_are_rejected(maps, theta, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message):
        mf.load_suite("Bad", "Mtot", maps=maps, theta=theta, data=tmp_path)


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("SIMBA", "Mtot", "SIMBA., a suite of CMD or a mock"),
        ("a/b", "Mtot", "Expected letters, digits, - and _, got 'a/b'"),
        ("Mine", "Dust", "Expected one of Mgas, .*, got 'Dust'"),
    ],
)
def test_wrong_names_of_a_suite_are_rejected(name, field, message, tmp_path):
    maps, theta = np.ones((15, 16, 16), np.float32), np.ones((1, 2))
    with pytest.raises(ValueError, match=message):
        mf.load_suite(name, field, maps=maps, theta=theta, data=tmp_path)


# ---- errors ----


@pytest.mark.parametrize(
    ("error", "message", "settings"),
    [
        (TypeError, "^epoch: Unknown setting. Did you mean 'epochs'[?]$", {"epoch": 3}),
        (TypeError, "^xyz: Unknown setting. Settings: architecture, ", {"xyz": 3}),
        (
            ValueError,
            "^epochs: Expected a value greater than or equal to 1, got 0.$",
            {"epochs": 0},
        ),
        (ValueError, "^lr: .*, got -1\n?", {"lr": -1}),
        (ValueError, "^recipe: Expected one of published, .*, got 'x'.$", {"recipe": "x"}),
    ],
)
def test_a_wrong_setting_is_named(error, message, settings, suite):
    with pytest.raises(error, match=message):
        mf.train(suite, **settings)


@pytest.mark.parametrize(
    ("message", "arguments", "settings"),
    [
        ("^suite: Expected one of IllustrisTNG", ("MockNbod", "Mtot"), {}),
        (r"^field: Expected fields of suite MockNbody \(Mtot\), got .T.", ("MockNbody", "T"), {}),
        ("^map_size: Expected a power of two", ("MockNbody", "Mtot"), {"map_size": 17}),
        ("^environment: Expected one of base", ("MockNbody", "Mtot"), {"environment": "x"}),
        (
            "^suite: MockNbody is not available from source 'folder'",
            ("MockNbody", "Mtot"),
            {"environment": "base"},
        ),
    ],
)
def test_an_unknown_suite_is_rejected(message, arguments, settings, tmp_path):
    with pytest.raises(ValueError, match=message):
        mf.load_suite(*arguments, data=tmp_path, **settings)


def test_a_missing_published_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Maps_T_IllustrisTNG_LH_z=0.00.npy"):
        mf.load_suite("IllustrisTNG", "T", folder=tmp_path, data=tmp_path)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((3, 8, 8), np.float32), r"Expected maps of 16 pixels .*got 8 pixels"),
        (np.ones((3, 16, 16)), "Expected float32, got float64"),
        ({"T": np.ones((3, 16, 16), np.float32)}, "Expected fields Mtot, got T"),
        ("nothing.npy", "nothing.npy"),
    ],
)
def test_wrong_maps_for_a_network_are_rejected(maps, message, network):
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        network.infer(maps)


def test_a_test_on_training_simulations_is_rejected(network, data):
    other = mf.load_suite("MockNbody", "Mtot", data=data, split_seed=2, **TINY)
    with pytest.raises(ValueError, match=r"simulations of MockNbody that were.*split_seed=1"):
        network.infer(other.test)


def test_all_maps_of_another_suite_are_tested(network, suite, data):
    other = mf.load_suite("MockTNG", "Mtot", data=data, **TINY)
    assert repr(other.all) == "360 maps of MockTNG: Mtot"
    assert len(network.infer(other.all, orientations=1)) == 360
    with pytest.raises(ValueError, match="14 simulations of MockNbody that were"):
        network.infer(suite.all)


def test_maps_with_another_smoothing_are_rejected(network, data):
    other = mf.load_suite("MockNbody", "Mtot", data=data, smoothing_width=1, **TINY)
    with pytest.raises(ValueError, match=r"Expected smoothing_width 0.0, .* got 1.0"):
        network.infer(other.test)


def test_a_folder_without_a_card_is_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="Expected the card of a network"):
        mf.load_network(tmp_path)


# ---- help ----


def test_help_has_a_quick_start():
    assert "mf.load_suite(" in mf.__doc__
    for name in mf.__all__:
        assert getattr(mf, name).__doc__, name
    for package in ("maps", "training", "tuning", "evaluation", "prediction", "studies"):
        assert f"\n- `{package}`: " in mf.__doc__


def test_the_examples_of_readme_and_help_use_existing_names():
    readme = (ROOT / "README.md").read_text().partition("```python\n")[2]
    examples = re.findall(r"(?m)(?<=::\n)\n((?:    .*\n|\n)+)", f"{mf.__doc__}")
    places = {"load_suite": OF_SUITES, "train": OF_TRAINING, "tune": OF_TUNING}
    called = []
    for example in (readme.partition("```")[0], *map(textwrap.dedent, examples)):
        for call in ast.walk(ast.parse(example)):
            if isinstance(call, ast.Call) and re.fullmatch(r"mf\.\w+", ast.unparse(call.func)):
                function = getattr(mf, call.func.attr)
                known = {*inspect.signature(function).parameters, *places.get(call.func.attr, ())}
                assert {keyword.arg for keyword in call.keywords} <= known, ast.unparse(call)
                called.append(call.func.attr)
    assert set(called) == {"load_suite", "train", "tune", "load_network"}
    assert len(called) == 3 + 6  # README, help


def test_progress_bars_of_a_cell_are_redrawn_in_place(monkeypatch):
    from multifield.core.notebook_bars import NotebookBars

    shown, places = [], []

    class Place:
        def update(self, content, raw):
            shown.append(content["text/plain"])

    def display(*_, **__):
        places.append(Place())
        return places[-1]

    cell = SimpleNamespace(execution_count=7)
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: cell)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(NotebookBars, "PERIOD", 0.0)
    for cell.execution_count in (7, 7, 8):
        with NotebookBars("{task.description} {task.completed:.0f}/{task.total:.0f}") as bars:
            task = bars.add_task("maps", total=3)
            bars.advance(task, 2)
            bars.update(task, completed=3)
    assert shown == ["maps 2/3", "maps 3/3", "maps 3/3"] * 3
    assert len(places) == 2
