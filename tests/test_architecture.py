"""An architecture and a recipe of a user's own, from maps to a report and to predictions."""

import json
import shutil

import pytest

from multifield.models import load_weights
from tests.helpers.projects import ROOT, make_project, run_kedro

LABEL = "all_one_cycle_ConvNeXt"
CHOICES = "recipe=mine"
RECIPE = """
recipes:
  mine:
    architecture: convnext:ConvNeXt
    head: diagonal
    loss: nll
    judged_by: nll
    schedule: one_cycle
    betas: [0.9, 0.999]
    max_gradient_norm: 1.0
    weight_averaging: 0.9
    shifts: true
    hyperparameters: { lr: 1.0e-3, wd: 1.0e-2, dr: 0.0, hidden: 2 }
    search_space:
      lr: { low: 1.0e-4, high: 1.0e-2 }
      wd: { low: 1.0e-4, high: 1.0e-1 }
      dr: { low: 0.0, high: 0.1 }
      hidden: { low: 2, high: 3 }
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a module and a recipe more, after a run on two workers."""
    project = make_project(tmp_path_factory.mktemp("architecture") / "project")
    shutil.copy(ROOT / "docs/examples/convnext.py", project)
    with (project / "conf/test/parameters.yml").open("a") as file:
        file.write(RECIPE)
    done = run_kedro(project, "run", "--env", "test", "--params", f"{CHOICES},workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_files_cards_and_weights_name_it(project):
    models = project / "data/06_models"
    assert (models / f"databases/MockNbody_ConvNeXt_Mtot_{LABEL}.db").is_file()
    card = json.loads((models / f"cards/card_MockNbody_Mtot_{LABEL}.json").read_text())
    assert card["architecture"] == "convnext:ConvNeXt"
    weights = models / f"weights/weights_MockNbody_Mtot_0_{LABEL}.pt"
    with pytest.raises(ValueError, match=r"Name it: load_weights\("):
        load_weights(weights)
    assert (project / f"data/08_reporting/MockNbody_Mtot_{LABEL}/report.html").is_file()


def test_it_is_trained_alone_and_infers_from_new_maps(project):
    done = run_kedro(
        project, "run", "--env", "test", "--pipelines", "train", "--params", f"{CHOICES},epochs=1"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    asked = f"{CHOICES},network=single,maps=data/01_raw/MockNbody"
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "predict", "--params", asked)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_card_that_names_another_module_imports_nothing(project):
    """The card may come from anybody."""
    path = project / f"data/06_models/cards/card_MockNbody_Mtot_{LABEL}.json"
    text = path.read_text()
    (project / "evil.py").write_text("open('imported', 'w').close()")
    path.write_text(text.replace("convnext:ConvNeXt", "evil:ConvNeXt"))
    asked = f"{CHOICES},maps=data/01_raw/MockNbody"
    done = run_kedro(project, "run", "--env", "test", "--pipelines", "predict", "--params", asked)
    path.write_text(text)
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    assert "architecture: 'evil:ConvNeXt' is unknown" in output
    assert not (project / "imported").exists()


def test_a_class_that_does_not_fit_stops_the_run_at_once(project):
    asked = f"{CHOICES},training.architecture=convnext:Block"
    done = run_kedro(project, "run", "--env", "test", "--params", asked)
    assert done.returncode != 0
    output = " ".join((done.stdout + done.stderr).split())
    assert "Expected a subclass of multifield.models.Network" in output
    assert "Running node" not in output
