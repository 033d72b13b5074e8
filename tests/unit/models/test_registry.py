"""Architectures of this project, of installed packages and of users."""

import pickle
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from multifield.models import (
    O3Err,
    find_architecture,
    import_architecture,
    load_weights,
    register_architecture,
    registry,
    save_weights,
)
from multifield.models.network import check_fits
from multifield.training import TrainingTask, run_task
from tests.helpers.projects import ROOT, run_python
from tests.unit.training.examples import HYPERPARAMETERS, config, make_data

EXAMPLE = ROOT / "docs/examples/convnext.py"
NAME = "convnext:ConvNeXt"
SIZES = {"hidden": 2, "dropout": 0.0, "channels": 1, "map_size": 16}
BROKEN = """
import torch
from multifield.models import Network

class NoNetwork: ...

class NoInfer(Network):
    def encode(self, x): return x

class NoSizes(Network):
    def __init__(self, width): ...
    def encode(self, x): return x
    def infer(self, features): return features

class WrongShape(Network):
    def encode(self, x): return x.flatten(1)
    def infer(self, features): return features[:, :6]

class NegativeStd(Network):
    def encode(self, x): return x.flatten(1)
    def infer(self, features): return torch.full((len(features), 12), -1.0)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with a user's modules, not imported yet."""
    (tmp_path / "convnext.py").write_text(EXAMPLE.read_text())
    (tmp_path / "broken.py").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(registry, "_known", {})
    for module in ("convnext", "broken"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    yield tmp_path
    for module in ("convnext", "broken"):
        sys.modules.pop(module, None)


def test_a_class_is_found_in_the_working_folder():
    kind = import_architecture(NAME)
    network = kind(**SIZES)
    assert network(torch.zeros(3, 1, 16, 16)).shape == (3, 12)
    assert find_architecture(NAME) is find_architecture("convnext") is kind


def test_a_name_alone_imports_nothing():
    with pytest.raises(ValueError, match=r"is unknown.*training\.architecture=convnext:Conv"):
        find_architecture(NAME)
    assert registry.check_architecture(NAME) == NAME
    assert "convnext" not in sys.modules


def test_an_installed_package_declares_a_short_name(monkeypatch, folder):
    sys.path.append(str(folder))
    entry = EntryPoint("theirs", NAME, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    assert registry.check_architecture("theirs") == "theirs"
    assert find_architecture("theirs").__name__ == "ConvNeXt"


@pytest.mark.parametrize("name", ["o3_err", "convnext"])
def test_a_name_is_of_one_architecture(name):
    import_architecture(NAME)
    with pytest.raises(ValueError, match="is the name of another architecture"):
        register_architecture(name)(O3Err)


def test_a_name_is_part_of_file_names():
    with pytest.raises(ValueError, match=r"Expected a name such as my_network, got 'a/b'\."):
        register_architecture("a/b")(O3Err)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere:Net", "cannot be imported: No module named 'nowhere'.*working folder"),
        ("broken:Nothing", "cannot be imported: .*Nothing"),
        ("broken:NoNetwork", "Expected a subclass of multifield.models.Network"),
        ("broken:NoInfer", "does not define infer"),
        ("broken:NoSizes", "cannot be built: .*must take hidden, dropout, channels, map_size"),
        ("unheard", "'unheard' is unknown"),
    ],
)
def test_a_class_that_does_not_fit_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        import_architecture(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WrongShape", r"to return \(2, 12\) float32 for two maps, .* got \(2, 6\) torch.float32"),
        ("NegativeStd", "got negative ones from"),
    ],
)
def test_what_it_infers_is_checked_before_training(name, message):
    network = import_architecture(f"broken:{name}")(**SIZES)
    with pytest.raises(ValueError, match=message):
        check_fits(network, name)


def test_weights_are_read_by_who_names_the_architecture(folder):
    network = import_architecture(NAME)(**SIZES).eval()
    save_weights("net.pt", network.state_dict())
    with pytest.raises(
        ValueError, match=r"user's own architecture. Name it: load_weights\(path, arch"
    ):
        load_weights("net.pt")
    loaded = load_weights("net.pt", architecture=NAME, hidden=2, channels=1, map_size=16)
    maps = torch.randn(2, 1, 16, 16)
    assert loaded(maps).equal(network(maps))
    with pytest.raises(ValueError, match="hidden 3"):
        load_weights("net.pt", architecture=NAME, hidden=3)
    with pytest.raises(ValueError, match=r"Not weights of broken:WrongShape\. Unexpected tensor"):
        load_weights("net.pt", architecture="broken:WrongShape")
    save_weights("o3.pt", O3Err(**SIZES).state_dict())
    with pytest.raises(ValueError, match=r"Expected weights of convnext:ConvNeXt, got .* o3_err"):
        load_weights("o3.pt", architecture=NAME)


def test_another_process_knows_what_a_decorator_named_here(folder):
    """Unpickle in a worker of Dask."""
    import_architecture(NAME)
    task = TrainingTask(
        name="trial 0",
        data=make_data(folder=folder / "maps"),
        hyperparameters=HYPERPARAMETERS,
        config=config(epochs=1, architecture="convnext"),
        seed=7,
        checkpoint=Path("c.pt").absolute(),
    )
    task.prepare()
    Path("task.pickle").write_bytes(pickle.dumps(task))
    script = (
        "import pickle, pathlib; from multifield.training import run_task;"
        "print(run_task(pickle.loads(pathlib.Path('task.pickle').read_bytes())).losses.tolist())"
    )
    done = run_python(folder, "-c", script, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(eval(done.stdout), run_task(task).losses, rtol=1e-5)
