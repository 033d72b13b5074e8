"""Registry of architectures. PyTorch is imported when one is looked up.

A name has one of three forms: a short name of this project, such as ``o3_err``; a short name of an
installed package, which declares the class as an entry point of the group `GROUP`; or
``module:Class``. Code is imported only if it is installed or if the user named it in this run. A
card or a weights file never causes an import.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from multifield.models.network import Network, Sizes

GROUP = "multifield.architectures"
BUILT_IN = {
    "o3_err": "multifield.models.o3_err:O3Err",
    "summary_statistics": "multifield.models.summary_statistics:SummaryStatistics",
    "statistics_and_filters": "multifield.models.statistics_and_filters:StatisticsAndFilters",
}
ARGUMENTS = ("hidden", "dropout", "channels", "map_size", "n_parameters")
METHODS = ("encode", "infer")
_PLACE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_known: dict[str, "type[Network]"] = {}  # under every name that was looked up or registered

Class = TypeVar("Class", bound="type[Network]")


def register_architecture(name: str) -> Callable[[Class], Class]:
    """Register a class of networks under a short name, as a decorator.

    Parameters
    ----------
    name : str
        Short name for ``training.architecture`` and for file names, such as ``convnext``.

    Returns
    -------
    decorator : callable
        Decorator that registers a class and returns it.

    Raises
    ------
    ValueError
        If the name is not an identifier, or belongs to another architecture.
    """

    def decorate(kind: Class) -> Class:
        if not name.isidentifier():
            raise ValueError(f"architecture: Expected a name such as my_network, got {name!r}.")
        taken = name in BUILT_IN or (name in _known and _place_of(_known[name]) != _place_of(kind))
        if taken:
            raise ValueError(f"architecture: {name!r} is the name of another architecture.")
        _known[name] = _known[_place_of(kind)] = kind
        return kind

    return decorate


def check_architecture(name: str) -> str:
    """Check that a name can be looked up. Nothing is imported.

    Parameters
    ----------
    name : str
        Name of the architecture in the configuration.

    Returns
    -------
    name : str
        The same name.

    Raises
    ------
    ValueError
        If the name is unknown. The message lists the known names.
    """
    if not (name in BUILT_IN or name in _known or name in _installed() or _PLACE.fullmatch(name)):
        names = ", ".join([*BUILT_IN, *_installed()])
        raise ValueError(f"Expected {names} or your own class as module:Class, got {name!r}.")
    return name


def find_architecture(name: str) -> "type[Network]":
    """Look up a class that belongs to this project, is installed, or is imported already.

    Parameters
    ----------
    name : str
        Name of the architecture, for instance from a card.

    Returns
    -------
    kind : type of Network
        Class of the architecture.

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
                f"architecture: {name!r} is unknown. Code that only a file names is not imported. "
                f"Import its module, or set --params training.architecture={name}."
            )
    return _known[name]


def import_architecture(name: str) -> "type[Network]":
    """Look up a class that the user named. Its module is in the working folder or installed.

    Parameters
    ----------
    name : str
        Name of the architecture in the configuration of this run.

    Returns
    -------
    kind : type of Network
        Class of the architecture.

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


def build(architecture: str, dropout: float, sizes: "Sizes", head: str) -> "Network":
    """Build a network with random weights.

    Parameters
    ----------
    architecture : str
        Name of the architecture, which was looked up before.
    dropout : float
        Dropout probability.
    sizes : Sizes
        Width, fields, pixels per side and number of parameters.
    head : str
        Name of the posterior in `multifield.models.heads.HEADS`.

    Returns
    -------
    network : Network
        Network on the CPU.

    Raises
    ------
    ValueError
        If a user's architecture takes no other head than ``diagonal``, or a size is wrong.
    """
    kind = find_architecture(architecture)
    arguments: dict[str, Any] = {**sizes._asdict(), "dropout": dropout}
    if head != "diagonal":
        arguments["head"] = head
    try:
        inspect.signature(kind).bind(**arguments)
    except TypeError:
        raise ValueError(
            f"training.head: {architecture!r} has no argument `head`, so it has only the head "
            f"'diagonal', got {head!r}. Add `head` to its __init__ and pass it on."
        ) from None
    return kind(**arguments)


def place_of_architecture(name: str) -> str:
    """Return a name with which another process can import the same class.

    Parameters
    ----------
    name : str
        Name of the architecture in the configuration of this run.

    Returns
    -------
    name : str
        The name itself, or ``module:Class`` if a decorator registered the name.
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
            f"architecture: {name!r} cannot be imported: {error}. Its module must be installed or "
            f"in the working folder, {Path.cwd()}."
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Network)):
        raise ValueError(
            f"architecture: Expected a subclass of multifield.models.Network, got {name!r}, "
            f"{kind!r}."
        )
    _check_class(name, kind, Network)
    return kind


def _check_class(name: str, kind: type, base: type) -> None:
    """Check the methods and the constructor of an architecture."""
    missing = [method for method in METHODS if getattr(kind, method) is getattr(base, method)]
    if missing:
        raise ValueError(f"architecture: {name!r} does not define {' and '.join(missing)}.")
    try:
        inspect.signature(kind).bind(**dict.fromkeys(ARGUMENTS))
    except TypeError as error:
        raise ValueError(
            f"architecture: {name!r} cannot be built: {error}. Its __init__ must take "
            f"{', '.join(ARGUMENTS)}."
        ) from None
