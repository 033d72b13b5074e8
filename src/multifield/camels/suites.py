"""Suites: simulation codes with their fields and parameters."""

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
    """Simulations of one code with varied parameters.

    Attributes
    ----------
    name : str
        Name in file names.
    fields : tuple of str
        Names of its fields.
    inferred : tuple of str
        Names of the parameters that affect its maps. Tables of N-body suites have four columns
        without effect.
    short_name : str
        Name in the file names of databases, weights and results.
    mock : bool
        Whether this project makes the maps, instead of a simulation.
    wider : mapping of str to (float, float)
        Ranges of its latin hypercube that differ from IllustrisTNG's.
    made_by : str
        Version of the physics of a mock suite. Maps of another version are rejected. Empty if there
        is only one version.
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
        """Ranges of its latin hypercube by parameter. `scale_theta` does not use them."""
        published = {p.name: (p.minimum, p.maximum) for p in PARAMETERS}
        return published | dict(self.wider)

    @property
    def inferred_columns(self) -> tuple[int, ...]:
        """Columns of the parameter table that affect the maps."""
        return tuple(PARAMETER_NAMES.index(name) for name in self.inferred)


_UNIVERSES = "particle mesh 2"  # to be changed with the pixels of mock universes
SUITES = {
    suite.name: suite
    for suite in (
        Suite("IllustrisTNG", _ALL),
        Suite("SIMBA", _WITHOUT_B),
        Suite("Astrid", _WITHOUT_B, wider={"A_AGN2": (0.25, 4.0)}),  # 2.33 once scaled
        Suite("EAGLE", _WITHOUT_B, wider=dict.fromkeys(FEEDBACK, (0.0, np.inf))),  # undocumented
        # as in the file names of the released N-body networks
        Suite("Nbody_IllustrisTNG", ("Mtot",), COSMOLOGY, short_name="Nbody"),
        Suite("Nbody_SIMBA", ("Mtot",), COSMOLOGY),
        Suite("Nbody_Astrid", ("Mtot",), COSMOLOGY),
        Suite("MockNbody", ("Mtot",), COSMOLOGY, mock=True, made_by=_UNIVERSES),
        Suite("MockTNG", _ALL, mock=True, made_by=_UNIVERSES),
        Suite("MockSIMBA", _WITHOUT_B, mock=True, made_by=_UNIVERSES),
        Suite("MockAstrid", _WITHOUT_B, mock=True, made_by=_UNIVERSES),
        # its two parameters are slope and amplitude of the power spectrum
        Suite("MockGaussian", ("Mtot",), COSMOLOGY, mock=True),
        # Mgas and T contain all information
        Suite("MockTwoFields", ("Mgas", "T", "P", "HI", "ne"), COSMOLOGY, mock=True),
    )
}
"""Every suite by its name, mock suites included."""


def find_suite(name: str) -> Suite:
    """Look up a suite.

    Parameters
    ----------
    name : str
        Name of the suite.

    Returns
    -------
    suite : Suite
        The suite.

    Raises
    ------
    ValueError
        If there is no suite of this name.
    """
    if name not in SUITES:
        raise ValueError(f"suite: Expected one of {', '.join(SUITES)}, got {name!r}.")
    return SUITES[name]


def parse_fields(multifield: str, suite: str) -> tuple[str, ...]:
    """Split a multifield name into its fields, in channel order.

    Parameters
    ----------
    multifield : str
        Field, or fields joined with ``_``, such as ``Mgas_HI_B``.
    suite : str
        Suite of the fields.

    Returns
    -------
    fields : tuple of str
        Names of the fields.

    Raises
    ------
    ValueError
        If the suite is unknown or lacks a field, or a field is repeated.
    """
    available = find_suite(suite).fields
    names = tuple(multifield.split("_"))
    for name in names:
        if name not in available:
            raise ValueError(
                f"field: Expected fields of suite {suite} ({', '.join(available)}), got {name!r} in "
                f"{multifield!r}."
            )
    if len(set(names)) < len(names):
        raise ValueError(f"field: Expected each field once, got {multifield!r}.")
    return names


def scored_parameters(train_suite: str, test_suite: str) -> tuple[str, ...]:
    """Return the parameters that a network is scored on.

    Across suites these are the cosmological ones: astrophysical parameters have another meaning in
    each suite.

    Parameters
    ----------
    train_suite, test_suite : str
        Suites of the training and of the test maps.

    Returns
    -------
    names : tuple of str
        Names of the parameters.
    """
    if train_suite != test_suite:
        return COSMOLOGY
    return find_suite(test_suite).inferred
