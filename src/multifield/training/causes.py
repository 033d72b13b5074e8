"""Causes of the result of a training, and how those of two runs differ.

PyTorch is not imported here, because pipelines import this module.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from multifield.config.training import Hyperparameters, TrainingConfig, list_causes
from multifield.data.split_loaders import SplitLoaders

LONGEST_VALUE = 24  # [characters] of a value in a list of differences


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
        One line per entry, of at most 100 characters: short values first, then the long ones as
        count and checksum. A missing entry is called ``nothing``.
    """
    before, now = _flatten(saved), _flatten(current)
    pairs = {
        name: (before.get(name, "nothing"), now.get(name, "nothing"))
        for name in sorted({*before, *now})
    }
    differing = [(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]
    differing.sort(key=lambda each: max(len(each[1]), len(each[2])) > LONGEST_VALUE)  # stable
    return [
        f"{name}: {owner} {_shorten(saved_value)}, this run {_shorten(value)}"
        for name, saved_value, value in differing
    ]


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the text of every leaf under its dotted name."""
    leaves: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _flatten(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = str(value)
    return leaves


def _shorten(value: str) -> str:
    """Return a value, or the number of its elements, or its begin, with a short checksum."""
    if len(value) <= LONGEST_VALUE:
        return value
    checksum = hashlib.sha256(value.encode()).hexdigest()[:6]
    if value[0] in "([":
        return f"{value.count(',') + 1} values ({checksum})"
    return f"{value[:12]}... ({checksum})"
