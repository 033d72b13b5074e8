"""Parameters of the simulations, their ranges, and the scaling to [0, 1]."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, overload

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from multifield.core.arrays import Thetas
from multifield.core.strict_types import Flag, Real, Text

Drawn = Literal["linear", "log"]
"""Whether a parameter is drawn uniformly, or uniformly in its logarithm."""


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Parameter:
    """One column of a parameter table.

    Attributes
    ----------
    name : str
        Name in tables and files.
    range : (float, float)
        Documented range, in physical units.
    fiducial : float
        Value of the fiducial model, in physical units.
    drawn : {"linear", "log"}
        How the simulations of a set like LH or SB draw it.
    scale : {"linear", "log"}
        Coordinate in which it is learned: its value, or the logarithm to base 10 of its value.
    bounds : (float, float)
        Values that are scaled to 0 and 1, in physical units. By default its range.
    unit : str
        Unit. Empty for pure numbers and for units of the simulation code.
    description : str
        Meaning in words.
    label : str
        Name in figures, LaTeX. By default the name.
    cosmology : bool
        Whether it is a cosmological parameter, with the same meaning in every suite.
    aliases : tuple of str
        Other names in the headers of tables.
    tied_to : str
        Name of the parameter that determines it. Empty if it varies on its own.
    """

    name: Text
    range: tuple[Real, Real]
    fiducial: Real
    drawn: Drawn = "linear"
    scale: Drawn | None = None
    bounds: tuple[Real, Real] | None = None
    unit: str = ""
    description: str = ""
    label: str = ""
    cosmology: Flag = False
    aliases: tuple[Text, ...] = Field(default=())
    tied_to: str = ""

    def __post_init__(self) -> None:
        """Check the range, and fill in what follows from other values."""
        (low, high), logarithmic = self.range, "log" in (self.drawn, self.scale)
        if not low < high or not low <= self.fiducial <= high or (logarithmic and low <= 0):
            rule = "positive low < high" if logarithmic else "low < high"
            raise ValueError(
                f"{self.name}: Expected a range of {rule} that contains the fiducial value, got "
                f"{low:g} to {high:g} and {self.fiducial:g}."
            )
        object.__setattr__(self, "scale", self.scale or self.drawn)
        object.__setattr__(self, "bounds", self.bounds or self.range)
        object.__setattr__(self, "label", self.label or self.name)

    @property
    def minimum(self) -> float:
        """Coordinate that is scaled to 0."""
        return self._coordinate(0)

    @property
    def maximum(self) -> float:
        """Coordinate that is scaled to 1."""
        return self._coordinate(1)

    @property
    def axis_label(self) -> str:
        """Name of its coordinate in figures, LaTeX."""
        return rf"$\log_{{10}}$ {self.label}" if self.scale == "log" else self.label

    def _coordinate(self, end: int) -> float:
        assert self.bounds is not None
        value = self.bounds[end]
        return float(np.log10(value)) if self.scale == "log" else value


@dataclass(frozen=True)
class ParameterSpace:
    """Parameters of a table in the order of its columns, with their coordinates.

    A coordinate is the value of a parameter or, if its scale is logarithmic, the logarithm to base
    10. Networks, results and metrics use coordinates. Parameter tables have physical values.

    Attributes
    ----------
    name : str
        Name of the table.
    parameters : tuple of Parameter
        Columns of the table.
    learned : ParameterSpace or None
        The same parameters in the coordinates in which networks learn them, if these are not the
        coordinates of results; see `learn_as_drawn`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    learned: "ParameterSpace | None" = None

    def __post_init__(self) -> None:
        """Leave out `learned` if it has the same coordinates."""
        if self.learned is not None and self.learned.parameters == self.parameters:
            object.__setattr__(self, "learned", None)

    def __len__(self) -> int:
        """Return the number of parameters."""
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        """Iterate over the parameters."""
        return iter(self.parameters)

    @overload
    def __getitem__(self, key: int) -> Parameter: ...
    @overload
    def __getitem__(self, key: str) -> Parameter: ...
    def __getitem__(self, key: int | str) -> Parameter:
        """Return a parameter by its column or its name."""
        return self.parameters[self.index(key) if isinstance(key, str) else key]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def cosmology(self) -> tuple[str, ...]:
        """Names of the cosmological parameters."""
        return tuple(parameter.name for parameter in self.parameters if parameter.cosmology)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that no other one determines."""
        return tuple(parameter.name for parameter in self.parameters if not parameter.tied_to)

    def index(self, name: str) -> int:
        """Return the column of a parameter.

        Parameters
        ----------
        name : str
            Name of the parameter.

        Returns
        -------
        column : int
            Index of its column.

        Raises
        ------
        ValueError
            If there is no such parameter. The message suggests a similar name.
        """
        if name not in self.names:
            similar = difflib.get_close_matches(name, self.names, n=1)
            hint = f" Did you mean {similar[0]!r}?" if similar else ""
            raise ValueError(
                f"parameters: Expected one of {', '.join(self.names)}, got {name!r}.{hint}"
            )
        return self.names.index(name)

    def columns(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the columns of several parameters.

        Parameters
        ----------
        names : sequence of str
            Names of the parameters.

        Returns
        -------
        columns : tuple of int
            Index of the column of each.

        Raises
        ------
        ValueError
            If there is no such parameter, or a name is repeated.
        """
        if len(set(names)) < len(names):
            raise ValueError(f"parameters: Expected each name once, got {', '.join(names)}.")
        return tuple(self.index(name) for name in names)

    def only(self, names: Sequence[str]) -> "ParameterSpace":
        """Return a space of some of the parameters.

        Parameters
        ----------
        names : sequence of str
            Names of the parameters, in the order of the new columns.

        Returns
        -------
        space : ParameterSpace
            Space of these parameters.
        """
        learned = None if self.learned is None else self.learned.only(names)
        return ParameterSpace(self.name, tuple(self[name] for name in names), learned)

    @property
    def published(self) -> "ParameterSpace":
        """The same parameters, learned in the coordinates of results."""
        return replace(self, learned=None)

    def learn_as_drawn(self) -> "ParameterSpace":
        """Learn the parameters in the coordinates in which they are drawn.

        The prior of a joint head is uniform in what the network learns. It is right only if
        parameters that are drawn uniformly in the logarithm are learned in the logarithm.

        Returns
        -------
        space : ParameterSpace
            Space with the same coordinates of results. Parameters that are drawn in the logarithm
            are learned in the logarithm, over their documented range.
        """
        drawn = tuple(
            replace(each, scale="log", bounds=each.range) if each.drawn == "log" else each
            for each in self.parameters
        )
        return replace(self, learned=ParameterSpace(self.name, drawn))

    def choose(self, wanted: str | Sequence[str]) -> tuple[str, ...]:
        """Return the names of chosen parameters, in the order of the columns.

        Parameters
        ----------
        wanted : {"all", "cosmology"} or sequence of str
            Group or names of the parameters, in a sequence or joined with ``+``.

        Returns
        -------
        names : tuple of str
            Names of the parameters.

        Raises
        ------
        ValueError
            If there is no such parameter, or none is chosen.
        """
        if wanted == "all":
            return self.free
        if wanted == "cosmology":
            return self.cosmology
        names = wanted.split("+") if isinstance(wanted, str) else list(wanted)
        if not names:
            raise ValueError("parameters: Expected at least one name, got none.")
        return tuple(self.names[column] for column in sorted(self.columns(names)))

    def coordinates(self, theta: Thetas) -> Thetas:
        """Convert physical values to coordinates.

        Parameters
        ----------
        theta : (..., P) float
            Parameters in physical units.

        Returns
        -------
        coordinates : (..., P) float
            Values of linear parameters, logarithms to base 10 of the others. NaN where a logarithm
            does not exist.
        """
        logarithmic = self._logarithmic
        if not logarithmic.any():
            return theta
        coordinates = np.array(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            coordinates[..., logarithmic] = np.log10(theta[..., logarithmic])
        coordinates[~np.isfinite(coordinates)] = np.nan
        return coordinates

    def physical(self, coordinates: Thetas) -> Thetas:
        """Invert `coordinates`.

        Parameters
        ----------
        coordinates : (..., P) float
            Coordinates of the parameters.

        Returns
        -------
        theta : (..., P) float
            Parameters in physical units.
        """
        logarithmic = self._logarithmic
        if not logarithmic.any():
            return coordinates
        theta = np.array(coordinates)
        theta[..., logarithmic] = 10.0 ** coordinates[..., logarithmic]
        return theta

    def to_learned(self, coordinates: Thetas) -> Thetas:
        """Convert coordinates of results to those that networks learn.

        Parameters
        ----------
        coordinates : (..., P) float
            Coordinates of the parameters.

        Returns
        -------
        learned : (..., P) float
            The same parameters in `learned`, if that is given. Minus infinity where a logarithm
            does not exist.
        """
        if self.learned is None:
            return coordinates
        learned = self.learned.coordinates(self.physical(coordinates))
        return np.where(np.isnan(learned) & ~np.isnan(coordinates), -np.inf, learned)

    def scale(self, coordinates: Thetas) -> Thetas:
        """Scale parameters to [0, 1], linearly in what networks learn, without clipping.

        Parameters
        ----------
        coordinates : (..., P) float
            Coordinates of the parameters.

        Returns
        -------
        scaled : (..., P) float
            Scaled parameters.
        """
        minimum, width = self.learned_range
        scaled: Thetas = (self.to_learned(coordinates) - minimum) / width
        return scaled

    def unscale(self, scaled: Thetas) -> Thetas:
        """Invert `scale`.

        Parameters
        ----------
        scaled : (..., P) float
            Scaled parameters.

        Returns
        -------
        coordinates : (..., P) float
            Coordinates of the parameters.
        """
        minimum, width = self.learned_range
        coordinates: Thetas = minimum + scaled * width
        if self.learned is None:
            return coordinates
        return self.coordinates(self.learned.physical(coordinates))

    def unscale_std(self, scaled_std: Thetas) -> Thetas:
        """Convert standard deviations of scaled parameters to those of what networks learn.

        Parameters
        ----------
        scaled_std : (..., P) float
            Standard deviations of scaled parameters.

        Returns
        -------
        std : (..., P) float
            Standard deviations.
        """
        std: Thetas = scaled_std * self.learned_range[1]
        return std

    @cached_property
    def learned_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Minima and widths of what networks learn, (P,) each: scaled to 0, and to a width of 1."""
        chosen = (self.learned or self).parameters
        minimum = np.array([parameter.minimum for parameter in chosen])
        return minimum, np.array([parameter.maximum for parameter in chosen]) - minimum

    @cached_property
    def _logarithmic(self) -> np.ndarray:
        return np.array([parameter.scale == "log" for parameter in self.parameters])


def scaled_by(parameter: Parameter, other: Parameter) -> Parameter:
    """Return a parameter that is learned linearly by the range of another one.

    Parameters
    ----------
    parameter, other : Parameter
        Parameter, and the one with the range.

    Returns
    -------
    parameter : Parameter
        Parameter with other bounds.
    """
    return replace(parameter, scale="linear", bounds=other.range)
