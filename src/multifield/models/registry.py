"""Which architectures there are. PyTorch is imported only when one is looked up.

A name is one of three: a short name of this project, such as ``o3_err``; a short name of an installed
package, which declares the class as an entry point of the group `GROUP`; or ``module:Class``. Code is
imported for a name only if it is installed or if the user named it in this run. A card or a file of
weights never causes an import.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multifield.models.network import Network

GROUP = "multifield.architectures"
BUILT_IN = {
    "o3_err": "multifield.models.o3_err:O3Err",
    "band_powers": "multifield.models.band_powers:BandPowers",
    "summary_statistics": "multifield.models.summary_statistics:SummaryStatistics",
}
ARGUMENTS = ("hidden", "dropout", "channels", "map_size", "n_parameters")
METHODS = ("encode", "infer")
_PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_known: dict[str, "type[Network]"] = {}  # under every name that was looked up or registered

Class = TypeVar("Class", bound="type[Network]")


def register_architecture(name: str) -> Callable[[Class], Class]:
    """Give a class of networks a short name, as a decorator.

    Parameters
    ----------
    name : str
        Short name for ``training.architecture`` and for the names of files, such as ``convnext``.

    Returns
    -------
    decorator : callable
        Takes the class and gives it back.

    Raises
    ------
    ValueError
        If the name is not an identifier, or is another architecture's.
    """

    def decorate(kind: Class) -> Class:
        if not name.isidentifier():
            raise ValueError(f"architecture: Expected a name like my_network, got {name!r}.")
        taken = name in BUILT_IN or (name in _known and _place_of(_known[name]) != _place_of(kind))
        if taken:
            raise ValueError(f"architecture: {name!r} is the name of another architecture.")
        _known[name] = _known[_place_of(kind)] = kind
        return kind

    return decorate


def check_architecture(name: str) -> str:
    """Require a name that can be looked up; nothing is imported.

    Parameters
    ----------
    name : str
        As in the configuration.

    Returns
    -------
    name : str

    Raises
    ------
    ValueError
        With the names that there are.
    """
    if not (name in BUILT_IN or name in _known or name in _installed() or _PLACE.fullmatch(name)):
        names = ", ".join([*BUILT_IN, *_installed()])
        raise ValueError(f"Expected {names} or a class of yours as module:Class, got {name!r}.")
    return name


def find_architecture(name: str) -> "type[Network]":
    """Look up a class that is part of this project, installed, or imported already.

    Parameters
    ----------
    name : str
        Of the architecture, from a card for instance.

    Returns
    -------
    kind : type of Network

    Raises
    ------
    ValueError
        If the class is a user's own and was neither imported nor named in this run.
    """
    if name not in _known:
        if name in BUILT_IN:
            _known[name] = _load(name, EntryPoint(name, BUILT_IN[name], GROUP))
        elif name in _installed():
            _known[name] = _load(name, _installed()[name])
        else:
            raise ValueError(
                f"The architecture {name!r} is not known here. Code that only a file names is not "
                f"imported. Import the module yourself, or set --params training.architecture={name}."
            )
    return _known[name]


def import_architecture(name: str) -> "type[Network]":
    """Look up a class that the user named; its module may be in the working folder or installed.

    Parameters
    ----------
    name : str
        As in the configuration of this run.

    Returns
    -------
    kind : type of Network

    Raises
    ------
    ValueError
        If there is no such class, or it is not a `Network`.
    """
    if name not in _known and _PLACE.fullmatch(name):
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)
        _known[name] = _load(name, EntryPoint(name, name, GROUP))
    return find_architecture(name)


def place_of_architecture(name: str) -> str:
    """Give a name under which another process can import the same class.

    Parameters
    ----------
    name : str
        As in the configuration of this run.

    Returns
    -------
    name : str
        The name itself, or ``module:Class`` of a short name that a decorator gave.
    """
    decorated = name in _known and name not in BUILT_IN and name not in _installed()
    return _place_of(_known[name]) if decorated else name


def _place_of(kind: "type[Network]") -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _load(name: str, entry: EntryPoint) -> "type[Network]":
    from multifield.models.network import Network

    try:
        importlib.import_module(entry.module)
        kind = entry.load()
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(
            f"The architecture {name!r} cannot be imported: {error}. Its module must be in the "
            f"working folder, {Path.cwd()}, or installed."
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Network)):
        raise ValueError(
            f"The architecture {name!r} is {kind!r}. Expected a subclass of multifield.models.Network."
        )
    _check_class(name, kind, Network)
    return kind


def _check_class(name: str, kind: type, base: type) -> None:
    """Require what a network is built with and what it does."""
    missing = [method for method in METHODS if getattr(kind, method) is getattr(base, method)]
    if missing:
        raise ValueError(f"The architecture {name!r} does not define {' and '.join(missing)}.")
    try:
        inspect.signature(kind).bind(**dict.fromkeys(ARGUMENTS))
    except TypeError as error:
        raise ValueError(
            f"The architecture {name!r} cannot be built: {error}. Its __init__ must take "
            f"{', '.join(ARGUMENTS)}."
        ) from None
