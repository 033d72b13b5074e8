"""What a network depends on, as a flat dictionary that two runs can be compared by."""

from collections.abc import Mapping
from dataclasses import asdict

from multifield.maps.manifest import Manifest
from multifield.maps.normalization import Normalization
from multifield.maps.preprocess import LogMaps
from multifield.maps.splits import Split
from multifield.training.config import TrainingConfig

NO_CAUSES = ("device", "n_threads", "seed")  # where it runs; and trials have seeds of their own


def fingerprint(
    manifest: Manifest,
    log_maps: Mapping[str, LogMaps],
    split: Split,
    normalization: Normalization,
    training: TrainingConfig,
) -> dict[str, str]:
    """List everything that decides what a training with given hyperparameters computes.

    Returns
    -------
    fingerprint : dict of str to str
        One key a cause, so that a difference can be named. The machine is no cause.
    """
    causes: dict[str, object] = {
        "suite": manifest.suite,
        "sim_set": manifest.sim_set,
        "theta_sha256": manifest.files["theta"].sha256,
        **{f"split.{key}": value for key, value in asdict(split).items()},
        **{f"normalization.{key}": value for key, value in asdict(normalization).items()},
        **{f"training.{key}": value for key, value in asdict(training).items()},
    }
    for field, entry in log_maps.items():
        causes |= {f"log_maps.{field}.{key}": value for key, value in entry.provenance.items()}
    for key in NO_CAUSES:
        del causes[f"training.{key}"]
    return {key: str(value) for key, value in causes.items()}
