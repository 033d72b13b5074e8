"""What a network depends on, as a flat dictionary that two runs can be compared by."""

from multifield.config.training import TrainingConfig, list_causes
from multifield.data.split_loaders import SplitLoaders


def fingerprint(data: SplitLoaders, training: TrainingConfig) -> dict[str, str]:
    """List everything that decides what a training with given hyperparameters computes.

    Returns
    -------
    fingerprint : dict of str to str
        One key a cause, so that a difference can be named. The machine is no cause.
    """
    return {**data.causes, **list_causes(training)}
