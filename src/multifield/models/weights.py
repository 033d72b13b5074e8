"""Weights of a network in a file: the benchmark's released ones and ours have one form.

A file is a state dict saved by `torch.save` whose names carry DataParallel's prefix ``module.``.
"""

import errno
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from multifield.core.atomic_files import atomic_path
from multifield.core.checksums import sha256 as sha256_of
from multifield.models.band_powers import FIRST_TENSOR as FIRST_OF_BAND_POWERS
from multifield.models.network import RECORD, Network
from multifield.models.registry import find_architecture, import_architecture
from multifield.models.summary_statistics import FIRST_TENSOR as FIRST_OF_SUMMARY_STATISTICS

PREFIX = "module."  # the released networks were wrapped in DataParallel when they were saved
StateDict = dict[str, Tensor]
"""Tensors of a network by their names."""
MARKS = {
    "C01.weight": "o3_err",
    FIRST_OF_BAND_POWERS: "band_powers",
    FIRST_OF_SUMMARY_STATISTICS: "summary_statistics",
}
"""A tensor whose presence says the architecture of a state dict."""

# of DataParallel, which may wrap twice, and of torch.compile
WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
MAX_REASON = 200  # characters of what PyTorch says of a file
PRECISIONS = (torch.float32, torch.float16, torch.bfloat16)  # that float32 holds exactly


def load_state(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict on the CPU, names without the prefixes of wrappers.

    Parameters
    ----------
    path : path-like
        File written by `save_weights`, or one of the benchmark's.

    Returns
    -------
    state : dict of str to Tensor
        Dense tensors of finite numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, holds something else than named tensors of floats, is smaller than its
        tensors, or has a value that is not finite. Pickled code is never run.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: No such file of weights.")
    if not path.is_file():  # a FIFO would be waited for
        raise ValueError(f"{path}: Not a regular file, so not a file of weights.")
    try:
        # read from a file object: torch.load has its own, less plain error for a missing file
        with path.open("rb") as file:
            _check_archive(file)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own text advises to run the code in the file
        raise ValueError(
            f"{path}: expected a state dict saved by torch.save, got another format or pickled code, which "
            "is never run"
        ) from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that is a seek before 0
            raise
        reason = str(error).partition("\n")[0][:MAX_REASON] or type(error).__name__
        raise ValueError(f"{path}: expected a state dict saved by torch.save; {reason}") from error
    try:
        return _check_tensors(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


# what zipfile and torch.load raise for files that nobody saved so
_DAMAGED = (
    *(RuntimeError, EOFError, OSError, zipfile.BadZipFile, struct.error),
    *(LookupError, AttributeError, TypeError, ValueError, AssertionError, OverflowError),
)


def _check_archive(file: BinaryIO) -> None:
    """Compare the records of a zip archive with their checksums; torch.load does not."""
    is_zip = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    if not is_zip:
        return  # the format of PyTorch before 1.6
    with zipfile.ZipFile(file) as archive:
        if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
            raise zipfile.BadZipFile("its records are compressed, as torch.save never does")
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"the file is damaged: checksum of {damaged} differs")
    file.seek(0)


def _check_tensors(state: object) -> StateDict:
    """Check that these are named, dense, finite tensors, and unwrap their names."""
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        raise ValueError(
            "This is a checkpoint of a training. Save its entry 'state_dict' alone with torch.save."
        )
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"expected a dict of named tensors, got {type(state).__name__}")
    found: StateDict = {}
    for wrapped, tensor in state.items():
        name = WRAPPERS.sub("", str(wrapped))
        if name in found:
            raise ValueError(f"The tensor {name} is there twice, with and without a prefix.")
        if fault := _fault_of(tensor):
            raise ValueError(f"{wrapped}: {fault}")
        found[name] = tensor
    return found


def _fault_of(tensor: Tensor) -> str | None:
    """Say what keeps a tensor from being weights, or None."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        return (
            f"expected a dense tensor, got a {kind} one. Save tensor.dequantize() or .to_dense()."
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        shape = tuple(tensor.shape)
        return f"shape {shape} needs more bytes than the file has for it"
    if not torch.isfinite(tensor).all():
        return "expected finite values, got NaN or infinity"
    return None


def load_weights(
    path: str | os.PathLike[str],
    *,
    hidden: int | None = None,
    channels: int | None = None,
    map_size: int | None = None,
    architecture: str | None = None,
    sha256: str | None = None,
) -> Network:
    """Build the network that a weights file belongs to, in evaluation mode, on the CPU.

    Channels, hidden, map size and number of parameters are read from the tensors. So is the architecture if
    it is one of this project; another one has to be named.

    Parameters
    ----------
    path : path-like
        State dict, with or without the prefix ``module.``.
    hidden, channels, map_size : int, optional
        What a study and the data say of the network; compared with the file where given.
    architecture : str, optional
        Name of the architecture, such as ``o3_err`` or ``module:Class``; compared likewise. The class is
        imported.
    sha256 : str, optional
        SHA-256 of the file when its training ended; compared likewise.

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
    if sha256 is not None and (changed := sha256_of(Path(path))) != sha256:
        raise ValueError(
            f"{path}: The file was changed or replaced after its training: its SHA-256 is "
            f"{changed[:12]}..., expected {sha256[:12]}.... Restore it, or train anew."
        )
    try:
        found = _architecture_of(state, architecture)
        if architecture not in (None, found):
            raise ValueError(f"expected weights of {architecture}, got those of {found}")
        network = _build(found, state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
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
        Folder for the temporary file; see `multifield.core.atomic_files.atomic_path`.
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


def _architecture_of(state: StateDict, asked: str | None) -> str:
    """Say of which architecture a state dict is, or take the user's word for one of the user's own."""
    if RECORD in state:
        if asked is None:
            raise ValueError(
                "these are the weights of an architecture of a user's own. Name it, as "
                "load_weights(path, architecture='module:Class')."
            )
        import_architecture(asked)
        return asked
    found = [name for mark, name in MARKS.items() if mark in state]
    if len(found) != 1:
        marks = " or ".join(f"{mark} ({name})" for mark, name in MARKS.items())
        raise ValueError(f"missing tensor {marks}, so these are no weights of a known network")
    return found[0]


def _build(architecture: str, state: StateDict) -> Network:
    kind = find_architecture(architecture)
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
    faults += [
        f"{name}: expected {_name_of(expected[name].dtype)}, got {_name_of(found[name].dtype)}"
        for name in expected
        if name in found and not _is_exact(found[name].dtype, expected[name].dtype)
    ]
    if faults:
        raise ValueError(f"{path}: not the weights of {architecture}: " + "; ".join(faults))


def _is_exact(found: torch.dtype, expected: torch.dtype) -> bool:
    """Say whether the values of one type are values of the other."""
    return found is expected or (expected is torch.float32 and found in PRECISIONS)


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
