"""What a network depends on, as a flat dictionary that two runs can be compared by."""

from dataclasses import asdict

from multifield.maps.loader import SplitLoaders
from multifield.training.config import TrainingConfig

# Where it runs, and how batches get there; and trials have seeds of their own. Not `resident`, which rounds
# the maps.
NO_CAUSES = ("device", "n_threads", "loader_threads", "prefetch", "seed")


def fingerprint(data: SplitLoaders, training: TrainingConfig) -> dict[str, str]:
    """List everything that decides what a training with given hyperparameters computes.

    Returns
    -------
    fingerprint : dict of str to str
        One key a cause, so that a difference can be named. The machine is no cause.
    """
    settings = {
        f"training.{key}": str(value)
        for key, value in asdict(training).items()
        if key not in NO_CAUSES
    }
    return {**data.causes, **settings}
