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
from multifield.models.o3_err import O3Err

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
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
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
) -> O3Err:
    """Build the network that a weights file belongs to, in evaluation mode, on the CPU.

    Channels, hidden, map size and number of parameters are read from the tensors' own shapes.

    Parameters
    ----------
    path : path-like
        State dict of an `O3Err`, with or without the prefix ``module.``.
    hidden, channels, map_size : int, optional
        What a study and the data say of the network; compared with the file where given.

    Returns
    -------
    network : O3Err
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
    network = _build(state, path)
    _check_same_tensors(network.state_dict(), state, path)
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


def save_whole(path: str | os.PathLike[str], content: Mapping[str, object]) -> None:
    """Write what `torch.save` can, whole or not at all; OSError naming the file if there is no room."""
    # a file object: given a path, torch.save writes the temporary file's name into the archive
    with atomic_path(path) as partial, partial.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            if isinstance(
                error.__context__, OSError
            ):  # torch.save only sees that the file is too short
                raise error.__context__ from None
            raise


def _build(state: StateDict, path: str | os.PathLike[str]) -> O3Err:
    for name, n_axes in (("C01.weight", 4), ("FC2.weight", 2)):
        if name not in state:
            raise ValueError(f"{path}: missing tensor {name}, so these are no weights of o3_err")
        if state[name].ndim != n_axes:
            raise ValueError(
                f"{path}: {name}: expected {n_axes} axes, got shape {tuple(state[name].shape)}"
            )
    n_blocks = sum(name.startswith("C") and name.endswith("3.weight") for name in state)
    c_first, channels = state["C01.weight"].shape[:2]
    return O3Err(
        hidden=c_first // 2,
        dropout=0.0,
        channels=channels,
        map_size=2 ** (n_blocks + 2),  # each block halves the map, down to 4 x 4
        n_parameters=state["FC2.weight"].shape[0] // 2,
    )


def _check_expected(
    network: O3Err,
    hidden: int | None,
    channels: int | None,
    map_size: int | None,
    path: str | os.PathLike[str],
) -> None:
    hidden = network.hidden if hidden is None else hidden
    channels = network.channels if channels is None else channels
    found = tuple(network.get_parameter("C01.weight").shape)
    expected = (2 * hidden, channels, *found[2:])
    if found != expected:
        raise ValueError(
            f"{path}: C01.weight: expected shape {expected} for hidden {hidden} and "
            f"{channels} {'channel' if channels == 1 else 'channels'}, got {found}"
        )
    if map_size not in (None, network.map_size):
        raise ValueError(
            f"{path}: expected a network for maps of {map_size} pixels, got one for "
            f"{network.map_size}: its last convolution is C{network.n_blocks}1"
        )


def _check_same_tensors(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: str | os.PathLike[str]
) -> None:
    faults = [f"missing tensor {name}" for name in expected if name not in found]
    faults += [f"unexpected tensor {name}" for name in found if name not in expected]
    faults += [
        f"{name}: expected shape {tuple(expected[name].shape)}, got {tuple(found[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    if faults:
        raise ValueError(f"{path}: not the weights of o3_err: " + "; ".join(faults))
