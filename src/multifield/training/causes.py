"""Causes of the result of a training, and how those of two runs differ.

PyTorch is not imported here, because pipelines import this module.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from multifield.config.training import Hyperparameters, TrainingConfig, list_causes
from multifield.data.split_loaders import SplitLoaders


def fingerprint(data: SplitLoaders, training: TrainingConfig) -> dict[str, str]:
    """List everything that determines the result of a training with given hyperparameters.

    Parameters
    ----------
    data : SplitLoaders
        Training, validation and test maps.
    training : TrainingConfig
        Settings of the training.

    Returns
    -------
    fingerprint : dict of str to str
        Values under one name per cause. The machine is not included.
    """
    return {**data.causes, **list_causes(training)}


def describe_run(
    data: SplitLoaders, hyperparameters: Hyperparameters, config: TrainingConfig, seed: int
) -> dict[str, str]:
    """List everything that determines the result of a training, under one name per cause."""
    return {
        **{f"hyperparameters.{name}": repr(each) for name, each in asdict(hyperparameters).items()},
        **fingerprint(data, config),
        "seed": str(seed),
        "data.channels": str(data.channels),
        "data.map_size": str(data.map_size),
        "data.inferred": str(data.inferred),
        **{
            f"data.{part}": f"{len(loader)} maps, "
            f"theta {hashlib.sha256(loader.theta.tobytes()).hexdigest()}"
            for part, loader in (("train", data.train), ("valid", data.valid), ("test", data.test))
        },
    }


def list_differences(owner: str, saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """List the entries of a run that differ from saved ones, with both values.

    Parameters
    ----------
    owner : str
        What the entries were saved in, such as ``checkpoint``.
    saved : mapping
        Saved entries.
    current : mapping
        Entries of this run.

    Returns
    -------
    differences : list of str
        One line per entry, sorted by name. A missing entry is called ``nothing``.
    """
    entries = {
        name: (saved.get(name, "nothing"), current.get(name, "nothing"))
        for name in sorted({*saved, *current})
    }
    return [
        f"{name}: {owner} {before}, this run {now}"
        for name, (before, now) in entries.items()
        if before != now
    ]
