"""Files with the weights of a network, in the format of the benchmark's released files.

A file is a state dict saved by `torch.save`. Its names have the prefix ``module.`` of DataParallel.
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
from multifield.models.heads import head_of
from multifield.models.network import RECORD, Network
from multifield.models.registry import build, find_architecture, import_architecture
from multifield.models.summary_statistics import FIRST_TENSOR

PREFIX = "module."  # the released networks were saved wrapped in DataParallel
StateDict = dict[str, Tensor]
"""Tensors of a network by their names."""
MARKS = {
    "C01.weight": "o3_err",
    FIRST_TENSOR: "summary_statistics",
    "filters.C01.weight": "statistics_and_filters",
}
"""Tensor name that identifies the architecture of a state dict."""

# prefixes of DataParallel, possibly twice, and of torch.compile
WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")
MAX_REASON = 200  # characters of PyTorch's error message
PRECISIONS = (torch.float32, torch.float16, torch.bfloat16)  # exact in float32


def load_state(path: str | os.PathLike[str]) -> StateDict:
    """Read a state dict onto the CPU and remove the prefixes of wrappers.

    Parameters
    ----------
    path : path-like
        File written by `save_weights`, or one of the benchmark's.

    Returns
    -------
    state : dict of str to Tensor
        Dense tensors with finite values.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged, is not a dict of named tensors, is smaller than its tensors, or
        contains values that are not finite. Pickled code is never run.
    """
    path = Path(path)
    state = load_whole(path)
    try:
        return _check_tensors(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_whole(path: Path) -> object:
    """Read what `torch.save` wrote onto the CPU, after its checksums are verified.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    content : object
        Tensors, plain numbers and containers of them.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged or contains anything else. Pickled code is never run.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: The file does not exist.")
    if not path.is_file():  # reading a FIFO would block
        raise ValueError(f"{path}: Expected a regular file, got something else.")
    try:
        # torch.load's own error for a missing file is less plain
        with path.open("rb") as file:
            _check_archive(file)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own message advises to run the code in the file
        raise ValueError(
            f"{path}: Expected a file saved by torch.save, got another format or pickled code. "
            "Pickled code is never run."
        ) from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a seek before 0
            raise
        reason = str(error).partition("\n")[0][:MAX_REASON] or type(error).__name__
        raise ValueError(f"{path}: Expected a file saved by torch.save. {reason}") from error


# exceptions of zipfile and torch.load for files in another format
_DAMAGED = (
    *(RuntimeError, EOFError, OSError, zipfile.BadZipFile, struct.error),
    *(LookupError, AttributeError, TypeError, ValueError, AssertionError, OverflowError),
)


def _check_archive(file: BinaryIO) -> None:
    """Verify the checksums of a zip archive, which torch.load does not do."""
    is_zip = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    if not is_zip:
        return  # format of PyTorch before 1.6
    with zipfile.ZipFile(file) as archive:
        if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
            raise zipfile.BadZipFile("Its records are compressed; torch.save never does that.")
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f"The file is damaged: the checksum of {damaged} differs.")
    file.seek(0)


def _check_tensors(state: object) -> StateDict:
    """Check for named, dense, finite tensors, and remove the prefixes of their names."""
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        raise ValueError(
            "This is a checkpoint of a training. Save its entry 'state_dict' with torch.save."
        )
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise ValueError(f"Expected a dict of named tensors, got {type(state).__name__}.")
    found: StateDict = {}
    for wrapped, tensor in state.items():
        name = WRAPPERS.sub("", str(wrapped))
        if name in found:
            raise ValueError(f"The tensor {name} occurs twice, with and without a prefix.")
        if fault := _fault_of(tensor):
            raise ValueError(f"{wrapped}: {fault}")
        found[name] = tensor
    return found


def _fault_of(tensor: Tensor) -> str | None:
    """Return why a tensor is not valid as weights, or None."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        way_out = "Save tensor.dequantize() or .to_dense()."
        return f"Expected a dense tensor, got a {kind} one. {way_out}"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        shape = tuple(tensor.shape)
        return f"The shape {shape} needs more bytes than the file has for it."
    if not torch.isfinite(tensor).all():
        return "Expected finite values, got NaN or infinity."
    return None


def load_weights(
    path: str | os.PathLike[str],
    *,
    hidden: int | None = None,
    channels: int | None = None,
    map_size: int | None = None,
    architecture: str | None = None,
    head: str | None = None,
    sha256: str | None = None,
) -> Network:
    """Build the network of a weights file on the CPU, in evaluation mode.

    Sizes are read from the tensors. So is the architecture if it belongs to this project; name any
    other architecture.

    Parameters
    ----------
    path : path-like
        State dict, with or without the prefix ``module.``.
    hidden : int, optional
        Expected width, from the study. It is compared with the file.
    channels : int, optional
        Expected number of fields per map, from the data. It is compared with the file.
    map_size : int, optional
        Expected number of pixels per side, from the data. It is compared with the file.
    architecture : str, optional
        Expected architecture, such as ``o3_err`` or ``module:Class``. Its class is imported.
    head : str, optional
        Expected head, such as ``diagonal``.
    sha256 : str, optional
        Expected SHA-256 of the file, from the end of its training.

    Returns
    -------
    network : Network
        Network without dropout, which a state dict does not contain.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If tensors are missing, unexpected or of the wrong shape, or the network differs from the
        expected one. The message names the tensors.
    """
    state = load_state(path)
    if sha256 is not None and (changed := sha256_of(Path(path))) != sha256:
        raise ValueError(
            f"{path}: The file was changed or replaced after its training. Expected SHA-256 "
            f"{sha256[:12]}..., got {changed[:12]}.... Restore the file, or train again."
        )
    try:
        found = _architecture_of(state, architecture)
        if architecture not in (None, found):
            raise ValueError(f"Expected weights of {architecture}, got those of {found}.")
        network = _build(found, state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    _check_same_tensors(network.state_dict(), state, found, path)
    for name, size in (("hidden", hidden), ("channels", channels), ("map_size", map_size)):
        if size not in (None, got := getattr(network.sizes, name)):
            raise ValueError(
                f"{path}: Expected a network with {name} {size}, got {got}, according to the shapes "
                "of its tensors."
            )
    if head not in (None, network.head.name):
        raise ValueError(
            f"{path}: Expected a network with the head {head!r}, got {network.head.name!r}. "
            f"Set --params training.head={network.head.name}, or train again."
        )
    network.load_state_dict(state)
    return network.eval()


def save_weights(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> None:
    """Write a state dict atomically, as CPU tensors with the names of the released files.

    Parameters
    ----------
    path : path-like
        File to write.
    state : mapping of str to Tensor
        State dict with or without the prefix ``module.``.
    """
    released = {
        PREFIX + name.removeprefix(PREFIX): tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    save_whole(path, released)


def save_whole(
    path: str | os.PathLike[str], content: Mapping[str, object], staging: Path | None = None
) -> None:
    """Write content with `torch.save`, atomically; OSError with the file's name on a full disk.

    Parameters
    ----------
    path : path-like
        File to write.
    content : mapping
        Content that `torch.load` can read.
    staging : Path, optional
        Folder for the temporary file; see `multifield.core.atomic_files.atomic_path`.
    """
    # a file object: with a path, torch.save writes the temporary file's name into the archive
    with atomic_path(path, staging) as partial, partial.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch.save only reports that the file is too short
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def _architecture_of(state: StateDict, asked: str | None) -> str:
    """Return the architecture of a state dict; the user names architectures of their own."""
    if RECORD in state:
        if asked is None:
            raise ValueError(
                "These are weights of a user's own architecture. Name it: "
                "load_weights(path, architecture='module:Class')."
            )
        import_architecture(asked)
        return asked
    found = [name for mark, name in MARKS.items() if mark in state]
    if len(found) != 1:
        marks = " or ".join(f"{mark} ({name})" for mark, name in MARKS.items())
        raise ValueError(f"Missing tensor {marks}, so these are not weights of a known network.")
    return found[0]


def _build(architecture: str, state: StateDict) -> Network:
    sizes = find_architecture(architecture).sizes_of(state)
    network = build(architecture, 0.0, sizes, head_of(state))
    if any(name.endswith("mirrored") for name in state):
        network.mirror()
    return network


def _check_same_tensors(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    architecture: str,
    path: str | os.PathLike[str],
) -> None:
    faults = [f"Missing tensor {name}." for name in expected if name not in found]
    faults += [f"Unexpected tensor {name}." for name in found if name not in expected]
    faults += [
        f"{name}: Expected shape {tuple(expected[name].shape)}, got {tuple(found[name].shape)}."
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    faults += [
        f"{name}: Expected {_name_of(expected[name].dtype)}, got {_name_of(found[name].dtype)}."
        for name in expected
        if name in found and not _is_exact(found[name].dtype, expected[name].dtype)
    ]
    if faults:
        raise ValueError(f"{path}: Not weights of {architecture}. " + " ".join(faults))


def _is_exact(found: torch.dtype, expected: torch.dtype) -> bool:
    """Return whether `expected` represents all values of `found` exactly."""
    return found is expected or (expected is torch.float32 and found in PRECISIONS)


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
