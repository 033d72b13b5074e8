from dataclasses import replace

import numpy as np
import pytest

from multifield.camels.selection import Selection
from multifield.config.ingest import DownloadConfig, MockConfig, SourceConfig
from multifield.data.map_files import save_maps
from multifield.ingest.sources import open_source, open_test_source
from multifield.maps.memory import open_maps

HOME = Selection(suite="MockNbody", sim_set="LH", field="Mtot")
CONFIG = SourceConfig(
    kind="mock",
    folder=".",
    partial=False,
    download=DownloadConfig(
        enabled=False,
        base_url="http://127.0.0.1:9",
        n_parallel=1,
        n_retries=1,
        timeout=1.0,
        backoff=0.1,
    ),
    mock=MockConfig(n_simulations=3, map_size=16, lattice=16, refine=1, seed=1, n_threads=1),
)


@pytest.fixture
def raw_maps(tmp_path, rng):
    path = tmp_path / "Maps_Mtot_MockNbody_LH_z=0.00.npy"
    save_maps(path, rng.uniform(1, 2, (45, 16, 16)).astype(np.float32))
    np.savetxt(tmp_path / "params_LH_MockNbody.txt", np.ones((3, 6)))
    return {"Mtot": open_maps(path)}


def test_what_was_trained_on_is_not_made_again(raw_maps, tmp_path):
    maps, theta = open_test_source(HOME, HOME, CONFIG, raw_maps)
    assert maps == {"Mtot": tmp_path / "Maps_Mtot_MockNbody_LH_z=0.00.npy"}
    assert theta == tmp_path / "params_LH_MockNbody.txt"


def test_another_suite_is_made(raw_maps):
    other = Selection(suite="MockTNG", sim_set="LH", field="Mtot")
    stream, theta = open_test_source(HOME, other, CONFIG, raw_maps)
    assert stream.shapes == {"Mtot": (45, 16, 16)}
    assert theta.shape == (3, 6)


def test_a_real_suite_is_refused_among_mocks(raw_maps):
    other = Selection(suite="SIMBA", sim_set="LH", field="Mcdm")
    with pytest.raises(ValueError, match="SIMBA is not available from source 'mock'"):
        open_test_source(HOME, other, CONFIG, raw_maps)


def test_a_misspelt_folder_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        "multifield.ingest.sources.download_missing", lambda _, folder, __: asked.append(folder)
    )
    selection = Selection(suite="SIMBA", sim_set="EX", field="Mtot")
    download = replace(CONFIG.download, enabled=True)
    config = replace(CONFIG, kind="folder", download=download, folder=str(tmp_path / "misspelt"))
    with pytest.raises(FileNotFoundError, match=r"source\.folder: .*misspelt does not exist"):
        open_source(selection, config)
    assert asked == []
    assert not (tmp_path / "misspelt").exists()
    for folder in (tmp_path, "data/01_raw"):  # the default need not exist
        with pytest.raises(FileNotFoundError, match="Expected"):  # nothing was downloaded
            open_source(selection, replace(config, folder=str(folder)))
    assert len(asked) == 2


def test_a_table_of_another_suite_is_refused_before_anything_is_linked(tmp_path):
    save_maps(tmp_path / "Maps_T_EAGLE_LH_z=0.00.npy", np.ones((15, 16, 16), np.float32))
    (tmp_path / "params_LH_SwiftEAGLE.txt").write_text("0.3 0.8 1 1 1 3.9\n")
    found = replace(CONFIG, kind="folder", folder=str(tmp_path), partial=True)
    with pytest.raises(ValueError, match=r"SwiftEAGLE\.txt: row 0, A_AGN2: .* 0\.5 to 2, got 3\.9"):
        open_source(Selection(suite="SwiftEAGLE", sim_set="LH", field="T"), found)
    (tmp_path / "params_LH_SwiftEAGLE.txt").write_text("0.3 0.8 1 1 1 1.9\n")
    maps, theta = open_source(Selection(suite="EAGLE", sim_set="LH", field="T"), found)
    assert maps == {"T": tmp_path / "Maps_T_EAGLE_LH_z=0.00.npy"}
    assert theta == tmp_path / "params_LH_SwiftEAGLE.txt"
