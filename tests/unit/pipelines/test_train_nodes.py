from pathlib import Path

from multifield.models import ModelFolder, O3Err
from multifield.pipelines.train import nodes
from tests.unit.training.examples import HERE, HYPERPARAMETERS, config, make_data

FOLDER = ("MockNbody", "Mtot", "all_steps_4_4_o3")


def test_the_checkpoint_is_kept_until_the_network_is_stored(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path, *FOLDER)
    _, losses = nodes.train_network(make_data(), HYPERPARAMETERS, config(epochs=1), HERE, folder)
    assert folder.checkpoint("single").is_file()
    nodes.remove_checkpoint(folder, O3Err(1, 0.2, 1, 16), losses)
    assert not folder.checkpoint("single").exists()
