"""What the CAMELS Multifield Dataset is: suites, fields, sets, parameters, units and file names.

Written once, here. Two traps:

* the columns of a parameter table are **SN1, AGN1, SN2, AGN2** (prose elsewhere lists SN1, SN2, AGN1, AGN2);
* map *i* belongs to simulation ``i // 15``, so fifteen siblings share one parameter vector and
  **a split by map leaks**.

References
----------
CMD documentation, data.rst (its units; Table 1 of arXiv:2109.10915 has wrong ones for ne and P).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import Literal

import numpy as np

from multifield.core.arrays import Theta

HUBBLE = 0.67  # reduced Hubble constant h in all of CMD; data.rst
BOX_SIZE = 25.0  # [Mpc/h], side of a simulation and of a map; data.rst
N_SLABS = 5  # slabs of BOX_SIZE / 5 = 5 Mpc/h along each axis; data.rst
N_AXES = 3
MAPS_PER_SIMULATION = N_AXES * N_SLABS  # map = 15 * simulation + axis * 5 + slab
MAP_SIZE = 256  # [pixels], side of a published map; data.rst
REDSHIFT_LABEL = "z=0.00"
CRITICAL_DENSITY = 2.77536627e11  # [(M_sun/h)/(Mpc/h)^3] today; 3 (100 km/s/Mpc)^2 / (8 pi G)

Transform = Literal["log10", "log10(1+x)"]


@dataclass(frozen=True)
class Parameter:
    """One column of a parameter table, with the bounds that scale it to [0, 1].

    The bounds are the latin hypercube's of IllustrisTNG; the benchmark scales every suite by them and
    never clips, so values outside (EX, 1P, Astrid's A_AGN2) scale outside [0, 1].
    """

    name: str
    minimum: float
    maximum: float
    label: str  # for figures


PARAMETERS = (
    Parameter("Omega_m", 0.1, 0.5, r"$\Omega_\mathrm{m}$"),
    Parameter("sigma_8", 0.6, 1.0, r"$\sigma_8$"),
    Parameter("A_SN1", 0.25, 4.0, r"$A_\mathrm{SN1}$"),
    Parameter("A_AGN1", 0.25, 4.0, r"$A_\mathrm{AGN1}$"),
    Parameter("A_SN2", 0.5, 2.0, r"$A_\mathrm{SN2}$"),
    Parameter("A_AGN2", 0.5, 2.0, r"$A_\mathrm{AGN2}$"),
)
PARAMETER_NAMES = tuple(parameter.name for parameter in PARAMETERS)
COSMOLOGY = PARAMETER_NAMES[:2]
_FEEDBACK = PARAMETER_NAMES[2:]


@dataclass(frozen=True)
class Field:
    """One physical quantity that is mapped."""

    name: str
    unit: str
    quantity: str
    transform: Transform = "log10"


_SURFACE_DENSITY = "(M_sun/h)/(Mpc/h)^2"
FIELDS = {
    field.name: field
    for field in (
        Field("Mgas", _SURFACE_DENSITY, "gas surface density"),
        Field("Vgas", "km/s", "gas velocity"),
        Field("T", "K", "gas temperature"),
        Field("P", "h^2 M_sun (km/s)^2/kpc^3", "gas pressure"),
        Field("Z", "dimensionless", "gas metallicity"),
        Field("HI", _SURFACE_DENSITY, "neutral hydrogen surface density"),
        Field("ne", "h^2 cm^-3 (Mpc/h)", "electron column density"),
        Field("B", "Gauss", "magnetic field strength"),
        Field("MgFe", "dimensionless", "magnesium over iron"),
        Field("Mcdm", _SURFACE_DENSITY, "cold dark matter surface density"),
        Field("Vcdm", "km/s", "cold dark matter velocity"),
        Field("Mstar", _SURFACE_DENSITY, "stellar surface density", transform="log10(1+x)"),
        Field("Mtot", _SURFACE_DENSITY, "total matter surface density"),
    )
}
"""The 13 fields in CMD's order. Mstar alone has true zeros, hence its transform."""

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
        Suite("EAGLE", _WITHOUT_B, wider=dict.fromkeys(_FEEDBACK, (0.0, np.inf))),  # not documented
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


@dataclass(frozen=True)
class SimulationSet:
    """One way in which the simulations of a suite differ from each other.

    Attributes
    ----------
    name : str
        As in file names.
    meaning : str
    n_simulations : int or None
        None where the number differs from release to release.
    n_columns : tuple of int
        How many columns its parameter table may have. Of six all are CMD's; of 28, which are in the units
        of IllustrisTNG's own code, the first two.
    suites : tuple of str
        That have it.
    """

    name: str
    meaning: str
    n_simulations: int | None
    n_columns: tuple[int, ...]
    suites: tuple[str, ...]


_PUBLISHED = tuple(name for name, suite in SUITES.items() if not suite.mock)
_OF_ILLUSTRIS = ("IllustrisTNG", "Nbody_IllustrisTNG")
_SIX, _EXTENDED = len(PARAMETERS), 28
SETS = {
    sim_set.name: sim_set
    for sim_set in (
        SimulationSet("LH", "latin hypercube", 1000, (_SIX,), tuple(SUITES)),
        SimulationSet("CV", "cosmic variance: one model, 27 seeds", 27, (_SIX,), _PUBLISHED),
        # 66 simulations of six parameters at first; 28 parameters and other numbers since
        SimulationSet("1P", "one parameter at a time", None, (_SIX, _EXTENDED), _PUBLISHED),
        SimulationSet("EX", "extreme or no feedback", 4, (_SIX,), _PUBLISHED),
        SimulationSet("BE", "butterfly effect: one model, one seed", 27, (_SIX,), _OF_ILLUSTRIS),
        SimulationSet("SB28", "Sobol sequence", 2048, (_EXTENDED,), _OF_ILLUSTRIS),
        SimulationSet("own", "simulations of a user's own", None, (_SIX,), ()),  # see `add_suite`
    )
}
"""The sets of CMD. A mock suite has LH alone, of any number of simulations."""


def find_suite(name: str) -> Suite:
    """Look up a suite; ValueError names the known ones."""
    if name not in SUITES:
        raise ValueError(f"suite: expected one of {', '.join(SUITES)}; got {name!r}")
    return SUITES[name]


def add_suite(name: str, fields: tuple[str, ...], inferred: tuple[str, ...]) -> Suite:
    """Make a suite of a user's own known in this process, with the set ``own``.

    Parameters
    ----------
    name : str
        Name for files and messages: letters, digits, ``-`` and ``_``.
    fields : tuple of str
        Names of its fields, of `FIELDS`.
    inferred : tuple of str
        Names of the parameters that act in it.

    Returns
    -------
    suite : Suite
        The suite; one of the user's of the same name is replaced.

    Raises
    ------
    ValueError
        If the name is CMD's or a mock suite's, cannot be a file's, or a field is unknown.
    """
    own = SETS["own"]
    if name in SUITES and name not in own.suites:
        raise ValueError(f"suite: {name} is a suite of CMD or a mock one. Choose another name.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"suite: Expected letters, digits, - and _, got {name!r}.")
    for field in fields:
        if field not in FIELDS:
            raise ValueError(f"field: Expected some of {', '.join(FIELDS)}, got {field!r}.")
    SUITES[name] = Suite(name, fields, inferred)
    SETS["own"] = replace(own, suites=(*(s for s in own.suites if s != name), name))
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


def find_set(sim_set: str, suite: str) -> SimulationSet:
    """Look up a set of a suite; ValueError names those that the suite has."""
    find_suite(suite)
    available = [name for name, entry in SETS.items() if suite in entry.suites]
    if sim_set not in available:
        raise ValueError(f"sim_set: suite {suite} has {', '.join(available)}; got {sim_set!r}")
    return SETS[sim_set]


def check_n_simulations(n: int, suite: str, sim_set: str, *, partial: bool = False) -> None:
    """Require the number of simulations that a set has.

    Parameters
    ----------
    n : int
        Rows of its parameter table.
    suite, sim_set : str
    partial : bool, optional
        Whether there may be fewer: somebody's own cut of the files.

    Raises
    ------
    ValueError
        Naming the suite, the set, the number it has and `n`.
    """
    expected = find_set(sim_set, suite).n_simulations
    if find_suite(suite).mock or expected is None or n == expected or (partial and n < expected):
        return
    hint = "; for a part of the set give --params source.partial=true" if n < expected else ""
    raise ValueError(f"{suite} {sim_set}: expected {expected} simulations, got {n}{hint}")


def check_map_size(map_size: int, suite: str, *, partial: bool = False) -> None:
    """Require the size that published maps have.

    Parameters
    ----------
    map_size : int
        Pixels per side.
    suite : str
        Suite of the maps; mock suites have any size.
    partial : bool, optional
        Whether the files may be somebody's own cut.

    Raises
    ------
    ValueError
        Naming the suite, the size it has and `map_size`.
    """
    if not find_suite(suite).mock and not partial and map_size != MAP_SIZE:
        raise ValueError(
            f"{suite}: expected maps of {MAP_SIZE} pixels per side, as published, got {map_size}. For "
            "files that you made smaller give --params source.partial=true"
        )


def check_ranges(theta: Theta, suite: str, sim_set: str) -> None:
    """Require the parameters of a latin hypercube to lie in it; other sets leave it on purpose.

    A table whose columns are in another order, or of another suite, is found by it.

    Parameters
    ----------
    theta : (S, 6) float64
        Physical units.
    suite, sim_set : str

    Raises
    ------
    ValueError
        Naming the row, the parameter, its range and the value.
    """
    if sim_set != "LH":
        return
    entry = find_suite(suite)
    for name in entry.inferred:
        column, (low, high) = PARAMETER_NAMES.index(name), entry.ranges[name]
        outside = ~((theta[:, column] >= low) & (theta[:, column] <= high))
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{suite} {sim_set}: row {row}, {name}: expected a value from {low:g} to {high:g}, "
                f"got {theta[row, column]:g}; the columns are {', '.join(PARAMETER_NAMES)}"
            )


def scored_parameters(train_suite: str, test_suite: str) -> tuple[str, ...]:
    """Parameters that a network trained on one suite can be scored on in another.

    Across suites the cosmology alone: the astrophysical parameters mean different things in each.
    """
    if train_suite != test_suite:
        return COSMOLOGY
    return find_suite(test_suite).inferred


# ---- parameters in [0, 1] ----


def _bounds() -> tuple[np.ndarray, np.ndarray]:
    minimum = np.array([parameter.minimum for parameter in PARAMETERS])
    maximum = np.array([parameter.maximum for parameter in PARAMETERS])
    return minimum, maximum


def scale_theta(theta: Theta) -> Theta:
    """Scale the six parameters linearly to [0, 1] by the bounds; never clipped."""
    minimum, maximum = _bounds()
    scaled: Theta = (theta - minimum) / (maximum - minimum)
    return scaled


def unscale_theta(scaled: Theta) -> Theta:
    """Invert `scale_theta`."""
    minimum, maximum = _bounds()
    theta: Theta = minimum + scaled * (maximum - minimum)
    return theta


def unscale_theta_std(scaled_std: Theta) -> Theta:
    """Give standard deviations that are in [0, 1] units in physical units."""
    minimum, maximum = _bounds()
    std: Theta = scaled_std * (maximum - minimum)
    return std


# ---- file names ----


def maps_names(field: str, suite: str, sim_set: str) -> tuple[str, ...]:
    """File names that hold a field, the published one first, then older spellings."""
    stems = ("Maps", "Images")
    redshifts = (REDSHIFT_LABEL, "z=0.0")
    return tuple(
        f"{stem}_{field}_{suite}_{sim_set}_{redshift}.npy"
        for redshift in redshifts
        for stem in stems
    )


def theta_names(suite: str, sim_set: str) -> tuple[str, ...]:
    """File names of a parameter table, the published one first, then the older spelling (LH)."""
    published = f"params_{sim_set}_{suite}.txt"
    return (published, f"params_{suite}.txt") if sim_set == "LH" else (published,)


def smoothing_suffix(smoothing_width: float | int) -> str:
    """``_smoothing_<width>`` [pixels], or nothing for maps as they are."""
    return f"_smoothing_{smoothing_width:g}" if smoothing_width else ""


def monopole_suffix(remove_monopole: bool) -> str:
    """``_no_monopole`` where each log map's own mean was subtracted, or nothing."""
    return "_no_monopole" if remove_monopole else ""


LABEL_WORDS = {"o3_err": "o3"}
"""What the names of files call an architecture, if not by its name. The benchmark's files say ``o3``."""

_LABEL = re.compile(
    r"all_(?:one_cycle|steps_\d+_\d+)_(\w+?)(?:_smoothing_[\d.e+-]+)?(?:_no_monopole)?"
    r"(?:_field_(?:scorer|finalists))?"
)


def recipe_label(
    steps_up: int,
    steps_down: int,
    smoothing_width: float | int,
    remove_monopole: bool = False,
    architecture: str = "o3_err",
    schedule: str = "cyclic",
) -> str:
    """Give the part of a name that says how a network was trained: ``all_steps_500_500_o3``.

    Parameters
    ----------
    steps_up, steps_down : int
        Of the cyclic learning rate [batches].
    smoothing_width : float
        Of the maps [pixels].
    remove_monopole : bool, optional
        Whether each log map's own mean was subtracted.
    architecture, schedule : str, optional
        Names; the benchmark's have the benchmark's words. Of ``module:Class`` the class is taken.
    """
    # an architecture that is unknown is refused with the parameters
    word = LABEL_WORDS.get(architecture, architecture.rpartition(":")[2])
    suffix = smoothing_suffix(smoothing_width) + monopole_suffix(remove_monopole)
    steps = "one_cycle" if schedule == "one_cycle" else f"steps_{steps_up}_{steps_down}"
    return f"all_{steps}_{word}{suffix}"


def word_of_label(label: str) -> str:
    """Give what a label of `recipe_label` calls the architecture; the benchmark's ``o3`` if nothing else."""
    match = _LABEL.fullmatch(label.removeprefix("single_"))
    return match[1] if match else LABEL_WORDS["o3_err"]


def run_name(suite: str, field: str, label: str) -> str:
    """Name what was trained or tested, as the benchmark's files do: ``Nbody_Mtot_all_steps_500_500_o3``.

    Parameters
    ----------
    suite : str
        Suite, of which the short name is taken.
    field : str
        Field, or fields joined with ``_``.
    label : str
        From `recipe_label`.

    Returns
    -------
    name : str
    """
    return f"{find_suite(suite).short_name}_{field}_{label}"


def log_maps_name(
    field: str,
    suite: str,
    sim_set: str,
    smoothing_width: float | int,
    remove_monopole: bool,
    compact: bool = False,
) -> str:
    """File name of preprocessed maps (our own; the benchmark keeps none).

    Parameters
    ----------
    field, suite, sim_set : str
    smoothing_width : float
        [pixels]
    remove_monopole : bool
        Whether each log map's own mean was subtracted.
    compact : bool, optional
        Whether they are kept in 16 bits, which adds ``_float16``.
    """
    suffix = smoothing_suffix(smoothing_width) + monopole_suffix(remove_monopole)
    suffix += "_float16" if compact else ""
    return f"log_Maps_{field}_{suite}_{sim_set}_{REDSHIFT_LABEL}{suffix}.npy"
