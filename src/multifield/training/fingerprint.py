"""Fingerprint of a training: everything that its result depends on."""

from multifield.config.training import TrainingConfig, list_causes
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
