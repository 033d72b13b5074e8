"""Suites: the simulation codes, the fields each has, and the parameters that act in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field

import numpy as np

from multifield.camels.fields import FIELDS
from multifield.camels.parameters import COSMOLOGY, FEEDBACK, PARAMETER_NAMES, PARAMETERS

_ALL = tuple(FIELDS)
_WITHOUT_B = tuple(name for name in _ALL if name != "B")


@dataclass(frozen=True)
class Suite:
    """One simulation code run over the parameters.

    Attributes
    ----------
    name : str
        As in file names.
    fields : tuple of str
        What it maps.
    inferred : tuple of str
        The parameters that act in it. N-body tables have six columns of which two mean anything.
    short_name : str
        ``<sim>`` in the names of databases, weights and results.
    mock : bool
        Made by this project, not by a simulation.
    wider : mapping of str to (float, float)
        Ranges of its latin hypercube that differ from IllustrisTNG's.
    made_by : str
        Version of the physics of a mock suite; maps of another version are refused. Empty where
        there has been one version alone.
    """

    name: str
    fields: tuple[str, ...]
    inferred: tuple[str, ...] = PARAMETER_NAMES
    short_name: str = ""
    mock: bool = False
    wider: Mapping[str, tuple[float, float]] = dataclass_field(default_factory=dict)
    made_by: str = ""

    def __post_init__(self) -> None:
        if not self.short_name:
            object.__setattr__(self, "short_name", self.name)

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The latin hypercube of each parameter in this suite; `scale_theta` never uses it."""
        published = {p.name: (p.minimum, p.maximum) for p in PARAMETERS}
        return published | dict(self.wider)

    @property
    def inferred_columns(self) -> tuple[int, ...]:
        """Columns of the parameter table that act."""
        return tuple(PARAMETER_NAMES.index(name) for name in self.inferred)


_UNIVERSES = "particle mesh 2"  # changed with the pixels of mock universes; until 2026-11-28: none
SUITES = {
    suite.name: suite
    for suite in (
        Suite("IllustrisTNG", _ALL),
        Suite("SIMBA", _WITHOUT_B),
        Suite("Astrid", _WITHOUT_B, wider={"A_AGN2": (0.25, 4.0)}),  # 2.33 once scaled
        Suite("EAGLE", _WITHOUT_B, wider=dict.fromkeys(FEEDBACK, (0.0, np.inf))),  # not documented
        # the released N-body networks are named "Nbody" alone
        Suite("Nbody_IllustrisTNG", ("Mtot",), COSMOLOGY, short_name="Nbody"),
        Suite("Nbody_SIMBA", ("Mtot",), COSMOLOGY),
        Suite("Nbody_Astrid", ("Mtot",), COSMOLOGY),
        Suite("MockNbody", ("Mtot",), COSMOLOGY, mock=True, made_by=_UNIVERSES),
        Suite("MockTNG", _ALL, mock=True, made_by=_UNIVERSES),
        Suite("MockSIMBA", _WITHOUT_B, mock=True, made_by=_UNIVERSES),
        Suite("MockAstrid", _WITHOUT_B, mock=True, made_by=_UNIVERSES),
        Suite(
            "MockGaussian", ("Mtot",), COSMOLOGY, mock=True
        ),  # slope and amplitude by those names
        # Mgas and T carry everything
        Suite("MockTwoFields", ("Mgas", "T", "P", "HI", "ne"), COSMOLOGY, mock=True),
    )
}
"""Every suite by its name, mock suites included."""


def find_suite(name: str) -> Suite:
    """Look up a suite; ValueError names the known ones."""
    if name not in SUITES:
        raise ValueError(f"suite: expected one of {', '.join(SUITES)}; got {name!r}")
    return SUITES[name]


def parse_fields(multifield: str, suite: str) -> tuple[str, ...]:
    """Split a multifield name into its fields, in channel order.

    Parameters
    ----------
    multifield : str
        One field or several joined with ``_``, such as ``Mgas_HI_B``.
    suite : str
        The suite that must have them.

    Returns
    -------
    fields : tuple of str

    Raises
    ------
    ValueError
        If the suite is unknown, does not have a field, or a field comes twice.
    """
    available = find_suite(suite).fields
    names = tuple(multifield.split("_"))
    for name in names:
        if name not in available:
            raise ValueError(
                f"field: suite {suite} has {', '.join(available)}; got {name!r} in {multifield!r}"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"field: expected each field once, got {multifield!r}")
    return names


def scored_parameters(train_suite: str, test_suite: str) -> tuple[str, ...]:
    """Parameters that a network trained on one suite can be scored on in another.

    Across suites the cosmology alone: the astrophysical parameters mean different things in each.
    """
    if train_suite != test_suite:
        return COSMOLOGY
    return find_suite(test_suite).inferred
