"""Every dataset gives back what it was given, and never leaves half of it."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError, Version
from kedro.validation.exceptions import DataValidationError
from kedro_datasets._typing import ImagePreview
from matplotlib.figure import Figure
from PIL import Image

from multifield import datasets
from multifield.config.draws import DrawsConfig
from multifield.data import Preprocessing
from multifield.data.map_files import save_maps
from multifield.datasets.figures import FigureDataset
from multifield.datasets.previews import PANEL, encode_png
from multifield.evaluation import Draws, Results
from multifield.evaluation.draws import GETDIST_FILES, select_files
from multifield.maps import Split
from multifield.models import O3Err
from multifield.models.model_folder import ModelFolder
from multifield.pipelines.records import to_frame, to_records
from tests.helpers.preprocessing import PLAIN
from tests.helpers.projects import load_catalog

MODEL = {"suite": "MockNbody", "field": "Mtot", "label": "all_steps_500_500_o3"}
TRAINED = "MockNbody_Mtot_all_steps_500_500_o3"
TESTED = {
    "test_suite": "SIMBA",
    "test_field": "Mcdm",
    "test_label": "some_label",
    "sim_set": "CV",
}
PREPROCESSING = replace(PLAIN, smoothing_width=2)


def log_maps_dataset(folder):
    return datasets.LogMapsDataset(
        path=str(folder),
        suite="MockNbody",
        sim_set="LH",
        field="Mtot",
        smoothing_width=2,
        remove_monopole=False,
    )


RAW = {"suite": "SIMBA", "sim_set": "LH", "field": "T_HI"}


class Stream:
    """Two fields, one block."""

    def __init__(self, maps: np.ndarray) -> None:
        self.maps = maps
        self.shapes = {"T": maps.shape, "HI": maps.shape}
        self.origin = {"sum": str(maps.sum())}

    def of_fields(self, fields: tuple[str, ...]) -> "Stream":
        return self

    def __iter__(self):
        yield {"T": self.maps, "HI": 2 * self.maps}


@pytest.fixture
def raw(tmp_path):
    return datasets.RawMapsDataset(path=str(tmp_path / "01_raw"), **RAW)


def test_raw_maps_from_a_stream(raw, lognormal_maps):
    assert not raw.exists()
    raw.save(Stream(lognormal_maps))
    assert raw.exists()
    loaded = raw.load()
    assert list(loaded) == ["T", "HI"]
    np.testing.assert_array_equal(loaded["HI"], 2 * lognormal_maps)
    assert raw.preview()


def test_published_files_are_linked_not_copied(raw, tmp_path, lognormal_maps):
    published = tmp_path / "published"
    published.mkdir()
    paths = {field: published / f"Images_{field}_SIMBA_LH_z=0.0.npy" for field in ("T", "HI")}
    for path in paths.values():
        save_maps(path, lognormal_maps)
    raw.save(paths)
    link = tmp_path / "01_raw/SIMBA/Maps_T_SIMBA_LH_z=0.00.npy"
    assert link.resolve() == paths["T"].resolve()
    raw.save(paths)  # again: the same links
    np.testing.assert_array_equal(raw.load()["T"], lognormal_maps)


def test_a_file_in_the_way_of_a_link_survives(raw, tmp_path, lognormal_maps):
    raw.save(Stream(lognormal_maps))
    other = tmp_path / "other.npy"
    save_maps(other, lognormal_maps + 1)
    with pytest.raises(DatasetError, match="Expected a link or no file, got a file"):
        raw.save({"T": other, "HI": other})
    np.testing.assert_array_equal(raw.load()["T"], lognormal_maps)


def test_published_files_already_in_place_stay(raw, tmp_path, lognormal_maps):
    raw.save(Stream(lognormal_maps))
    places = {f: tmp_path / f"01_raw/SIMBA/Maps_{f}_SIMBA_LH_z=0.00.npy" for f in ("T", "HI")}
    raw.save(places)
    assert not places["T"].is_symlink()


def test_log_maps(tmp_path, lognormal_maps):
    dataset = datasets.LogMapsDataset(
        path=str(tmp_path), **RAW, smoothing_width=2, remove_monopole=False
    )
    assert not dataset.exists()
    dataset.save({f: Preprocessing(lognormal_maps, f, PREPROCESSING, "abc") for f in ("T", "HI")})
    assert dataset.exists()
    assert dataset.load()["T"].provenance["smoothing_width"] == "2"
    assert (tmp_path / "SIMBA/log_Maps_HI_SIMBA_LH_z=0.00_smoothing_2.npy").is_file()
    assert dataset.preview()


def compact_dataset(folder, *, compact=True):
    return datasets.LogMapsDataset(
        path=str(folder), **RAW, smoothing_width=2, remove_monopole=False, compact=compact
    )


def compact_maps(lognormal_maps):
    config = replace(PREPROCESSING, compact=True)
    return {f: Preprocessing(lognormal_maps, f, config, "abc") for f in ("T", "HI")}


def test_log_maps_in_16_bits_have_files_of_their_own(tmp_path, lognormal_maps):
    dataset, plain = compact_dataset(tmp_path), compact_dataset(tmp_path, compact=False)
    dataset.save(compact_maps(lognormal_maps))
    assert dataset.exists()
    assert not plain.exists()
    name = "SIMBA/log_Maps_HI_SIMBA_LH_z=0.00_smoothing_2_float16.npy"
    assert (tmp_path / name).stat().st_size == lognormal_maps.nbytes // 2 + 128
    loaded = dataset.load()
    assert loaded["T"].maps.dtype == np.float16
    dataset.save(loaded)  # those of these very files stay


def test_log_maps_in_16_bits_are_drawn_as_log_maps(tmp_path, lognormal_maps, monkeypatch):
    drawn = []

    def preview_maps(maps, suite, *, logarithmic):
        drawn.append(maps)
        return ImagePreview("")

    monkeypatch.setattr("multifield.datasets.maps.preview_maps", preview_maps)
    dataset = compact_dataset(tmp_path)
    dataset.save(compact_maps(lognormal_maps))
    dataset.preview()
    entry = dataset.load()["T"]
    np.testing.assert_array_equal(drawn[0]["T"], entry.read(slice(1)))
    assert drawn[0]["T"].dtype == np.float32


def test_log_maps_of_another_type_than_the_file_says_are_refused(tmp_path, lognormal_maps):
    with pytest.raises(DatasetError, match=r"Expected log maps with compact False.*got.* True"):
        compact_dataset(tmp_path, compact=False).save(compact_maps(lognormal_maps))
    assert not (tmp_path / "SIMBA").exists()


def test_theta(tmp_path, rng):
    dataset = datasets.ThetaDataset(path=str(tmp_path), suite="SIMBA", sim_set="LH")
    theta = np.round(rng.uniform([0.1, 0.6, 0.25, 0.25, 0.5, 0.5], [0.5, 1, 4, 4, 2, 2], (3, 6)), 5)
    dataset.save(theta)
    np.testing.assert_array_equal(dataset.load(), theta)
    assert dataset.preview()["columns"][:2] == ["Omega_m", "sigma_8"]


def typed(path: Path, model: str) -> datasets.TypedJSONDataset:
    return datasets.TypedJSONDataset(filepath=str(path), model=model)


def test_typed_json(tmp_path):
    dataset = typed(tmp_path / "split.json", "multifield.maps.splits.Split")
    split = Split(seed=1, train=(2, 0), valid=(1,), test=(3,))
    dataset.save(split)
    assert dataset.load() == split
    (tmp_path / "split.json").write_text('{"seed": 1, "train": [0], "valid": [1], "tset": [2]}')
    with pytest.raises(DatasetError, match=r"(?s)split\.json.*tset"):
        dataset.load()


def test_typed_json_is_versioned_and_saved_wherever_fsspec_can():
    dataset = datasets.TypedJSONDataset(
        filepath="memory:///data/split.json",
        model="multifield.maps.splits.Split",
        version=Version(None, "1"),
    )
    split = Split(seed=1, train=(2, 0), valid=(1,), test=(3,))
    dataset.save(split)
    assert dataset.exists()
    assert dataset.load() == split
    assert "seed" in dataset.preview()


def test_weights_and_losses(tmp_path):
    network = O3Err(hidden=1, dropout=0.0, channels=1, map_size=16)
    weights = datasets.WeightsDataset(path=str(tmp_path), **MODEL, trial="single")
    weights.save(network.state_dict())
    assert (tmp_path / "weights/weights_MockNbody_Mtot_single_all_steps_500_500_o3.pt").is_file()
    for name, tensor in weights.load().state_dict().items():
        assert tensor.equal(network.state_dict()[name])
    losses = datasets.LossesDataset(path=str(tmp_path), **MODEL, trial="single")
    table = np.array([[0.0, -1.0, -2.0, -3.0]])
    losses.save(table)
    np.testing.assert_array_equal(losses.load(), table)


def test_a_model_folder_is_only_saved_to_itself(tmp_path):
    dataset = datasets.ModelFolderDataset(path=str(tmp_path), **MODEL)
    dataset.save(dataset.load())
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="Expected networks in"):
        dataset.save(ModelFolder(path=tmp_path / "elsewhere", **MODEL))


def test_results(tmp_path, rng):
    dataset = datasets.ResultsDataset(path=str(tmp_path), **MODEL, **TESTED)
    results = Results(*rng.uniform(0.1, 1, (3, 4, 6)))
    dataset.save(results)
    np.testing.assert_array_equal(dataset.load().mean, results.mean)
    names = [path.name for path in tmp_path.iterdir()]
    assert names == [f"results_train_{TRAINED}_test_SIMBA_Mcdm_some_label_CV.txt"]


def test_results_that_are_not_the_published_ones_say_so(tmp_path):
    dataset = datasets.ResultsDataset(path=str(tmp_path), **MODEL, **TESTED, suffix="_valid")
    dataset.save(Results(*np.full((3, 4, 6), 0.5)))
    names = [path.name for path in tmp_path.iterdir()]
    assert names == [f"results_train_{TRAINED}_test_SIMBA_Mcdm_some_label_CV_valid.txt"]


def test_results_of_trials_replace_those_of_an_earlier_run(tmp_path, rng):
    dataset = datasets.TrialResultsDataset(path=str(tmp_path), **MODEL, **TESTED)
    results = {trial: Results(*rng.uniform(0.1, 1, (3, 4, 6))) for trial in (3, 12)}
    dataset.save(results)
    assert sorted(dataset.load()) == [3, 12]
    dataset.save({12: results[3]})
    loaded = dataset.load()
    assert list(loaded) == [12]
    np.testing.assert_array_equal(loaded[12].mean, results[3].mean)


def test_results_of_an_ensemble_are_named_by_its_size(tmp_path, rng):
    dataset = datasets.EnsembleResultsDataset(path=str(tmp_path), **MODEL, **TESTED)
    dataset.save({3: Results(*rng.uniform(0.1, 1, (3, 4, 6)))})
    names = [path.name for path in tmp_path.iterdir()]
    assert names == [f"results_train_{TRAINED}_test_SIMBA_Mcdm_some_label_CV_ensemble_3.txt"]
    assert list(dataset.load()) == [3]


def test_no_results_of_trials_are_no_file(tmp_path):
    dataset = datasets.TrialResultsDataset(path=str(tmp_path), **MODEL, **TESTED)
    dataset.save({})
    assert not dataset.exists()
    assert not list(tmp_path.iterdir())


def test_log_maps_that_are_there_are_not_written_again(tmp_path, lognormal_maps):
    dataset = log_maps_dataset(tmp_path)
    dataset.save({"Mtot": Preprocessing(lognormal_maps, "Mtot", PREPROCESSING, "abc")})
    loaded = dataset.load()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("log_*")}
    dataset.save(loaded)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("log_*")} == before
    with pytest.raises(DatasetError, match="Expected the log maps of this file"):
        log_maps_dataset(tmp_path / "other").save(loaded)


def test_a_figure_is_png_and_pdf(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(Figure())
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    assert dataset.load() == (tmp_path / "figure.png").read_bytes()
    assert dataset.preview()


def test_figures_are_saved_wherever_fsspec_can():
    dataset = FigureDataset(filepath="memory:///reports/figure.png", version=Version(None, "1"))
    dataset.save(Figure())
    assert dataset.load().startswith(b"\x89PNG")
    assert dataset._fs.exists("/reports/figure.png/1/figure.pdf")


@pytest.mark.parametrize("size", [(40, 90), (90, 40)])
def test_a_preview_is_framed_and_not_stretched(size):
    picture = Image.new("RGB", size, "navy")
    png = io.BytesIO()
    picture.save(png, format="png")
    framed = Image.open(io.BytesIO(base64.b64decode(encode_png(png.getvalue()))))
    assert framed.width / framed.height == pytest.approx(PANEL, rel=0.02)  # of whole pixels
    x, y = (framed.width - size[0]) // 2, (framed.height - size[1]) // 2
    inside = framed.crop((x, y, x + size[0], y + size[1]))
    assert inside.getcolors() == [(size[0] * size[1], (0, 0, 128))]
    assert framed.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    "dataset",
    [
        datasets.SuiteFoldersDataset(raw="data/01_raw", log_maps="data/05_model_input"),
        datasets.NetworkFolderDataset(path="data/06_models/robustness"),
    ],
)
def test_folders_can_be_read_and_not_saved(dataset):
    with pytest.raises(DatasetError, match="got a save"):
        dataset.save(dataset.load())


def test_metrics_that_json_cannot_hold_are_refused_and_named(tmp_path):
    entry = {
        "type": "json.JSONDataset",
        "filepath": str(tmp_path / "metrics.json"),
        "validator": load_catalog("base")["metrics"]["validator"],
    }
    catalog = DataCatalog.from_config({"metrics": entry})
    with pytest.raises(DataValidationError, match="RMSE of Omega_m: Expected a finite number"):
        catalog.save("metrics", {"RMSE": {"Omega_m": float("nan")}})
    assert not (tmp_path / "metrics.json").exists()


def test_tables_keep_whole_numbers_and_gaps(tmp_path):
    records = [{"trial": 3, "value": None, "name": "a"}, {"trial": None, "value": 0.1, "name": "b"}]
    path = tmp_path / "table.csv"
    catalog = DataCatalog.from_config({"t": {"type": "pandas.CSVDataset", "filepath": str(path)}})
    catalog.save("t", to_frame(records))
    assert path.read_text() == "trial,value,name\n3,,a\n,0.1,b\n"
    assert to_records(catalog.load("t")) == records


# ---- draws ----


def test_files_of_draws_replace_those_of_an_earlier_run(tmp_path, rng):
    draws = Draws(rng.uniform(0.6, 1, (3, 50, 1)), np.zeros((3, 50)), ("sigma_8",), np.ones((3, 1)))
    both = DrawsConfig(n=50, seed=1, netcdf=True, getdist=(0, 2))
    one = DrawsConfig(n=50, seed=1, netcdf=False, getdist=(2,))
    dataset = datasets.DrawsFilesDataset(filepath=str(tmp_path / "draws"))
    (tmp_path / "draws.parquet").touch()  # of another dataset
    dataset.save(select_files(draws, both))
    chain = [f"draws_map_2{ending}" for ending in GETDIST_FILES]
    names = {path.name for path in tmp_path.iterdir()}
    assert names > {"draws.nc", "draws_map_0.txt", *chain}
    dataset.save(select_files(draws, one))
    assert {path.name for path in tmp_path.iterdir()} == {"draws.parquet", *chain}
    with pytest.raises(DatasetError, match="Expected only saves"):
        dataset.load()


def test_a_chain_of_a_map_that_does_not_exist_is_refused(rng):
    draws = Draws(rng.uniform(0.6, 1, (3, 50, 1)), np.zeros((3, 50)), ("sigma_8",), np.ones((3, 1)))
    config = DrawsConfig(n=50, seed=1, netcdf=False, getdist=(3,))
    with pytest.raises(ValueError, match=r"draws\.getdist: Expected maps from 0 to 2, got 3"):
        select_files(draws, config)


def test_a_wrong_file_is_described_in_few_lines(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text('{"wrong": 1, "%s": 2, "third": 3, "fourth": 4}' % ("x" * 900))
    with pytest.raises(DatasetError) as caught:
        typed(path, "multifield.maps.Split").load()
    message = str(caught.value.__cause__)
    assert message.startswith(f"{path}: Expected a valid Split, got other content:\n")
    assert len(message.splitlines()) == 5
    assert message.splitlines()[-1].strip().endswith("more")
    assert max(map(len, message.splitlines()[1:])) < 330
