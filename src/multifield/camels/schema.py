"""Files of suites: their fields, sets and parameter tables, checked when they are read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from multifield.camels.fields import BOX_SIZE, FIELDS, MAP_SIZE, N_AXES, N_SLABS
from multifield.camels.parameters import Parameter, ParameterSpace, scaled_by
from multifield.core.strict_types import Flag, Integer, Real, Text

STRICT = ConfigDict(extra="forbid")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
N_FAULTS = 3  # faults in one message
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is six times as fast

Infers = Literal["all", "cosmology"]
"""Parameters that affect the maps of a suite."""


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class Design:
    """How the simulations of a set are chosen.

    Attributes
    ----------
    meaning : str
        Description in words.
    rows : {"spread", "fiducial", "one_at_a_time", "extreme", "any"}
        Common property of the rows of its parameter table: values in the documented ranges; the
        fiducial values; the fiducial values but one; the fiducial cosmology; nothing.
    """

    meaning: Text
    rows: Literal["spread", "fiducial", "one_at_a_time", "extreme", "any"]


@dataclass(frozen=True)
class SimulationSet:
    """One set of simulations of a suite, such as a latin hypercube.

    Attributes
    ----------
    name : str
        Name in file names.
    design : Design
        How its simulations are chosen.
    tables : tuple of ParameterSpace
        Possible parameter tables. The first one is the default.
    infers : {"all", "cosmology"}
        Parameters that affect its maps. Tables of N-body suites have columns without effect.
    n_simulations : int or None
        Number of simulations. None if it varies between releases.
    box : float
        Side of a simulation and of a map [Mpc/h].
    map_size : int
        Side of a published map [pixels].
    fixed : mapping of str to float
        Values of all rows that are not the fiducial ones.
    drawn : {"linear"} or None
        ``linear`` if all parameters are drawn uniformly. None if they are drawn as the tables say.
    """

    name: str
    design: Design
    tables: tuple[ParameterSpace, ...]
    infers: Infers = "all"
    n_simulations: int | None = None
    box: float = BOX_SIZE
    map_size: int = MAP_SIZE
    fixed: Mapping[str, float] = field(default_factory=dict)
    drawn: Literal["linear"] | None = None

    @property
    def space(self) -> ParameterSpace:
        """Parameters of the default table."""
        return self.tables[0]

    @property
    def space_as_drawn(self) -> ParameterSpace:
        """Parameters of the default table, learned as the set draws those that affect its maps."""
        drawn = self.space.learn_as_drawn()
        affected = drawn.only(self.inferred) != self.space.only(self.inferred)
        return drawn if affected and self.drawn is None else self.space

    def table_like(self, space: ParameterSpace) -> ParameterSpace:
        """Return the table with which a network is tested that was trained with another one.

        Parameters
        ----------
        space : ParameterSpace
            Parameters of the training.

        Returns
        -------
        table : ParameterSpace
            The same table if the set can have it, else the default one.
        """
        return next((table for table in self.tables if table.names == space.names), self.space)

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the parameters of the default table that affect its maps."""
        return self.space.choose(self.infers)

    @property
    def maps_per_simulation(self) -> int:
        """Number of maps per simulation: one per axis and slab of 5 Mpc/h."""
        return N_AXES * round(N_SLABS * self.box / BOX_SIZE)

    @property
    def fiducial(self) -> dict[str, float]:
        """Fiducial values of all its tables, by parameter."""
        found = {each.name: each.fiducial for table in self.tables for each in table}
        return found | dict(self.fixed)


@dataclass(frozen=True)
class Suite:
    """Simulations of one code with varied parameters.

    Attributes
    ----------
    name : str
        Name in file names.
    fields : tuple of str
        Names of its fields.
    sets : mapping of str to SimulationSet
        Its sets of simulations.
    short_name : str
        Name in the file names of databases, weights and results.
    mock : bool
        Whether this project makes the maps, instead of a simulation.
    made_by : str
        Version of the physics of a mock suite. Maps of another version are rejected. Empty if there
        is only one version.
    aliases : tuple of str
        Other names in files.
    own : bool
        Whether it is a suite of the user.
    """

    name: str
    fields: tuple[str, ...]
    sets: Mapping[str, SimulationSet]
    short_name: str = ""
    mock: bool = False
    made_by: str = ""
    aliases: tuple[str, ...] = ()
    own: bool = False

    def __post_init__(self) -> None:
        """Use the name as short name, unless there is one."""
        if not self.short_name:
            object.__setattr__(self, "short_name", self.name)

    @property
    def inferred(self) -> tuple[str, ...]:
        """Names of the parameters of its first set that affect its maps."""
        return next(iter(self.sets.values())).inferred

    @property
    def inferred_columns(self) -> tuple[int, ...]:
        """Columns of the parameters of its first set that affect its maps."""
        return next(iter(self.sets.values())).space.columns(self.inferred)


@dataclass(frozen=True)
class Schema:
    """Content of a file of suites.

    Attributes
    ----------
    designs : mapping of str to Design
        Designs, by the beginnings of the names of sets.
    tables : mapping of str to ParameterSpace
        Parameter tables.
    suites : mapping of str to Suite
        Suites.
    """

    designs: Mapping[str, Design] = field(default_factory=dict)
    tables: Mapping[str, ParameterSpace] = field(default_factory=dict)
    suites: Mapping[str, Suite] = field(default_factory=dict)


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Table:
    columns: dict[Text, dict[str, Any]]
    like: Text | None = None
    scaled_by: Text | None = None


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Set:
    tables: tuple[Text, ...] = Field(min_length=1)
    n_simulations: Integer | None = Field(default=None, ge=1)
    box: Real = Field(default=BOX_SIZE, gt=0)
    map_size: Integer = Field(default=MAP_SIZE, ge=1)
    fixed: dict[Text, Real] = Field(default_factory=dict)
    drawn: Literal["linear"] | None = None


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _Suite:
    fields: tuple[Text, ...] = Field(min_length=1)
    sets: dict[Text, _Set] = Field(default_factory=dict)
    twin_of: Text | None = None
    infers: Infers = "all"
    short_name: str = ""
    mock: Flag = False
    made_by: str = ""
    aliases: tuple[Text, ...] = ()


@checked_dataclass(frozen=True, kw_only=True, config=STRICT)
class _File:
    suites: dict[Text, _Suite]
    tables: dict[Text, _Table] = Field(default_factory=dict)
    designs: dict[Text, Design] = Field(default_factory=dict)


def read_schema(path: Path, known: Schema | None = None) -> Schema:
    """Read a file of suites.

    Parameters
    ----------
    path : Path
        YAML file.
    known : Schema, optional
        Tables, designs and suites that the file may refer to.

    Returns
    -------
    schema : Schema
        Content of the file.

    Raises
    ------
    ValueError
        If the file is not YAML, has unknown keys, or refers to something that does not exist.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: Expected a YAML file of suites, got {reason}.") from None
    return parse_schema(content, known, source=str(path))


def parse_schema(content: object, known: Schema | None = None, *, source: str = "") -> Schema:
    """Check the content of a file of suites.

    Parameters
    ----------
    content : object
        Content of the file.
    known : Schema, optional
        Tables, designs and suites that the content may refer to.
    source : str, optional
        Name of the file, for messages.

    Returns
    -------
    schema : Schema
        The same, typed.

    Raises
    ------
    ValueError
        If there are unknown keys, or references to something that does not exist.
    """
    known = known or Schema()
    prefix = f"{source}: " if source else ""
    try:
        entry = TypeAdapter(_File).validate_python(content)
        designs = {**known.designs, **entry.designs}
        tables = _make_tables(entry.tables, known.tables)
        suites: dict[str, Suite] = {}
        for name in entry.suites:
            suites[name] = _make_suite(name, entry, {**known.suites, **suites}, tables, designs)
    except ValidationError as error:
        raise ValueError(f"{prefix}{_summarize(error)}") from None
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None
    return Schema(designs, tables, suites)


def _make_tables(
    entries: Mapping[str, _Table], known: Mapping[str, ParameterSpace]
) -> dict[str, ParameterSpace]:
    tables = dict(known)
    for name, entry in entries.items():
        columns: dict[str, dict[str, Any]] = {}
        if entry.like is not None:
            like = _find(f"tables.{name}.like", entry.like, tables)
            columns = {each.name: _documented(each) for each in like}
        for column, values in entry.columns.items():
            columns[column] = columns.get(column, {}) | values
        adapter = TypeAdapter(Parameter)
        parameters = [adapter.validate_python({"name": c} | v) for c, v in columns.items()]
        if entry.scaled_by is not None:
            ranges = {each.name: each for each in parameters}
            if entry.scaled_by != name:
                other = _find(f"tables.{name}.scaled_by", entry.scaled_by, tables)
                ranges = {each.name: each for each in other}
            parameters = [scaled_by(each, ranges[each.name]) for each in parameters]
        tables[name] = ParameterSpace(name, tuple(parameters))
        for each in parameters:
            if each.tied_to:
                tables[name].index(each.tied_to)
    return tables


def _documented(parameter: Parameter) -> dict[str, Any]:
    """Return what a file says of a parameter, without its bounds, which other tables do not share."""
    left_out = ("name", "scale", "bounds")
    return {key: value for key, value in vars(parameter).items() if key not in left_out}


def _make_suite(
    name: str,
    file: _File,
    suites: Mapping[str, Suite],
    tables: Mapping[str, ParameterSpace],
    designs: Mapping[str, Design],
) -> Suite:
    entry, place = file.suites[name], f"suites.{name}"
    if not NAME.fullmatch(name):
        raise ValueError(f"suite: Expected letters, digits, - and _, got {name!r}.")
    for each in entry.fields:
        if each not in FIELDS:
            raise ValueError(f"field: Expected one of {', '.join(FIELDS)}, got {each!r}.")
    sets = {}
    if entry.twin_of is not None:
        twin: Suite = _find(f"{place}.twin_of", entry.twin_of, suites)
        sets = {each: replace(found, infers=entry.infers) for each, found in twin.sets.items()}
    for each, given in entry.sets.items():
        spaces = tuple(_find(f"{place}.sets.{each}.tables", t, tables) for t in given.tables)
        sets[each] = SimulationSet(
            name=each,
            design=_design_of(each, designs),
            tables=spaces,
            infers=entry.infers,
            n_simulations=given.n_simulations,
            box=given.box,
            map_size=given.map_size,
            fixed=given.fixed,
            drawn=given.drawn,
        )
    if not sets:
        raise ValueError(f"{place}.sets: Expected at least one set, got none.")
    return Suite(
        name=name,
        fields=entry.fields,
        sets=sets,
        short_name=entry.short_name,
        mock=entry.mock,
        made_by=entry.made_by,
        aliases=entry.aliases,
    )


def _design_of(sim_set: str, designs: Mapping[str, Design]) -> Design:
    """Return the design whose name the name of a set begins with."""
    fitting = [name for name in designs if sim_set.startswith(name)]
    return designs[max(fitting, key=len)] if fitting else designs["own"]


def _find(place: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValueError(f"{place}: Expected one of {', '.join(known)}, got {name!r}.")
    return known[name]


def _summarize(error: ValidationError) -> str:
    """Return the first faults of a file, one line each."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        ": ".join(
            part
            for part in (
                ".".join(map(str, fault["loc"])),
                fault["msg"].removeprefix("Value error, "),
            )
            if part
        )
        for fault in faults[:N_FAULTS]
    ]
    more = [f"and {len(faults) - N_FAULTS} more"] if len(faults) > N_FAULTS else []
    return "\n  ".join(["Expected valid suites, got:", *lines, *more])
