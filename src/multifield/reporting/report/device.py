"""Where networks ran, for people."""

import platform

import torch

from multifield.training import choose_device


def describe_device(name: str) -> str:
    """Name the device that a configuration asks for: a GPU by its own name, a CPU by its threads."""
    device = choose_device(name)
    if device.type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(device)}"
    n_threads = torch.get_num_threads()
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    return f"{device.type.upper()}, {threads} of {platform.machine()}"
