import subprocess
import sys

import pytest

from multifield.training.causes import fingerprint
from tests.unit.training.examples import config, make_data


@pytest.mark.parametrize("change", [{"resident": "always"}, {"flips": False}, {"epochs": 9}])
def test_what_changes_results_is_a_cause(change):
    data = make_data()
    assert fingerprint(data, config(**change)) != fingerprint(data, config())


@pytest.mark.parametrize(
    "change",
    [
        {"loader_threads": 7},
        {"prefetch": 7},
        {"n_threads": 7},
        {"seed": 7},
        {"checkpoint_every": 7},
    ],
)
def test_what_does_not_is_none(change):
    data = make_data()
    assert fingerprint(data, config(**change)) == fingerprint(data, config())


def test_pipelines_do_not_import_torch():
    """`kedro registry list` is a second faster without it."""
    code = "import sys; import multifield.pipelines.tune.nodes; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
