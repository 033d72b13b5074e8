"""Optuna's pruners by name. They stop trials with high validation losses early."""

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from multifield.config.tuning import PrunerConfig


def make_pruner(config: PrunerConfig, epochs: int) -> BasePruner:
    """Return the pruner of a configuration; ValueError if it could stop no trial."""
    config.check(epochs)
    if config.name == "median":
        return MedianPruner(
            n_startup_trials=config.n_startup_trials, n_warmup_steps=config.n_warmup_epochs
        )
    if config.name == "hyperband":
        return HyperbandPruner(
            min_resource=max(config.n_warmup_epochs, 1),
            max_resource=epochs,
            reduction_factor=config.reduction_factor,
        )
    return NopPruner()
