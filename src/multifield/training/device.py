"""Where a network is trained."""

import torch


def choose_device(name: str) -> torch.device:
    """Find the device that a configuration asks for.

    Parameters
    ----------
    name : str
        ``auto`` takes CUDA, else MPS, else the CPU; ``cpu``, ``cuda`` or ``mps`` insist.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the device is unknown, or not there: a run never goes quietly to another one.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, is_there in available.items() if is_there))
    if name not in available:
        raise ValueError(f"device: expected auto, {', '.join(available)}; got {name!r}")
    if not available[name]:
        raise ValueError(f"device: expected one that PyTorch finds here, got {name!r}")
    return torch.device(name)
