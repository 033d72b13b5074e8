"""The values of conf are the same with and without Kedro."""

import pytest

from multifield.config.values import read_values
from tests.helpers.projects import ROOT, load_parameters

ENVIRONMENTS = sorted(path.parent.name for path in (ROOT / "conf").glob("*/globals.yml"))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"recipe": "multifield", "epochs": 3, "training": {"loss": "moments"}},
        {"parity": True, "test_suite": "SIMBA", "tuning": {"search_space": {"lr": {"low": 1e-4}}}},
    ],
)
def test_values_are_those_of_kedro(environment, choices):
    assert read_values(environment, choices) == load_parameters(environment, **choices)


def test_an_unknown_environment_is_refused():
    with pytest.raises(ValueError, match=r"environment: Expected one of base, .*mock.*'moc'"):
        read_values("moc", {})
