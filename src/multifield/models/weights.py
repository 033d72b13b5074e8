"""Weights of a network in a file: the benchmark's released ones and ours have one form.

A file is a state dict saved by `torch.save` whose names carry DataParallel's prefix ``module.``.
"""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from multifield.atomic import atomic_path
from multifield.models.network import Network
from multifield.models.registry import ARCHITECTURES, find_architecture

PREFIX = "module."  # the released networks were wrapped in DataParallel when they were saved
StateDict = dict[str, Tensor]


def load_state(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict on the CPU, names without the prefix ``module.``.

    Parameters
    ----------
    path : path-like
        File written by `save_weights`, or one of the benchmark's.

    Returns
    -------
    state : dict of str to Tensor

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else than named tensors. Pickled code is never run.
    """
    path = Path(path)
    try:
        # read from a file object: torch.load has its own, less plain error for a missing file
        with path.open("rb") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own text advises to run the code in the file
        raise ValueError(
            f"{path}: expected a state dict saved by torch.save, got another format or pickled code, which "
            "is never run"
        ) from error
    except (RuntimeError, EOFError) as error:
        raise ValueError(f"{path}: expected a state dict saved by torch.save; {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"{path}: expected a dict of named tensors, got {type(state).__name__}")
    return {str(name).removeprefix(PREFIX): tensor for name, tensor in state.items()}


def load_weights(
    path: str | os.PathLike[str],
    *,
    hidden: int | None = None,
    channels: int | None = None,
    map_size: int | None = None,
    architecture: str | None = None,
) -> Network:
    """Build the network that a weights file belongs to, in evaluation mode, on the CPU.

    Its architecture is known by the tensors' names; channels, hidden, map size and number of parameters are
    read from their shapes.

    Parameters
    ----------
    path : path-like
        State dict of one of `multifield.models.ARCHITECTURES`, with or without the prefix ``module.``.
    hidden, channels, map_size : int, optional
        What a study and the data say of the network; compared with the file where given.
    architecture : str, optional
        Its short name; compared likewise.

    Returns
    -------
    network : Network
        Without dropout, which a state dict does not record and evaluation does not need.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If tensors are missing, unexpected or of the wrong shape, or the network is another than
        expected; the tensors are named.
    """
    state = load_state(path)
    try:
        found = find_architecture(state)
        network = _build(found, state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if architecture not in (None, found):
        raise ValueError(f"{path}: expected weights of {architecture}, got those of {found}")
    _check_same_tensors(network.state_dict(), state, found, path)
    _check_expected(network, hidden, channels, map_size, path)
    network.load_state_dict(state)
    return network.eval()


def save_weights(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> None:
    """Write a state dict whole or not at all, as CPU tensors under the released files' names."""
    released = {
        PREFIX + name.removeprefix(PREFIX): tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    save_whole(path, released)


def save_whole(
    path: str | os.PathLike[str], content: Mapping[str, object], staging: Path | None = None
) -> None:
    """Write what `torch.save` can, whole or not at all; OSError naming the file if there is no room.

    Parameters
    ----------
    path : path-like
        Where the file shall be.
    content : mapping
        What `torch.load` gives back.
    staging : Path, optional
        Folder for the temporary file; see `multifield.atomic.atomic_path`.
    """
    # a file object: given a path, torch.save writes the temporary file's name into the archive
    with atomic_path(path, staging) as partial, partial.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(
                error.__context__, OSError
            ):  # torch.save only sees that the file is too short
                raise error.__context__ from None
            raise


def _build(architecture: str, state: StateDict) -> Network:
    kind = ARCHITECTURES[architecture]
    hidden, channels, map_size, n_parameters = kind.sizes_of(state)
    return kind(hidden, 0.0, channels, map_size, n_parameters)


def _check_expected(
    network: Network,
    hidden: int | None,
    channels: int | None,
    map_size: int | None,
    path: str | os.PathLike[str],
) -> None:
    found = network.sizes
    for name, expected, got in (
        ("hidden", hidden, found.hidden),
        ("channels", channels, found.channels),
        ("map_size", map_size, found.map_size),
    ):
        if expected not in (None, got):
            raise ValueError(
                f"{path}: expected a network with {name} {expected}, got one with {got}, as the shapes and "
                "number of its tensors say"
            )


def _check_same_tensors(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    architecture: str,
    path: str | os.PathLike[str],
) -> None:
    faults = [f"missing tensor {name}" for name in expected if name not in found]
    faults += [f"unexpected tensor {name}" for name in found if name not in expected]
    faults += [
        f"{name}: expected shape {tuple(expected[name].shape)}, got {tuple(found[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    if faults:
        raise ValueError(f"{path}: not the weights of {architecture}: " + "; ".join(faults))
