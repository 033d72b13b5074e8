import pytest

from multifield.training.fingerprint import fingerprint
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
