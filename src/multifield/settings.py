"""Kedro settings."""

from multifield.config.loader import LOADER_ARGUMENTS, ConfigLoader
from multifield.core.threads import spin_briefly

spin_briefly()  # before the hooks, whose imports end at PyTorch

from multifield.hooks import (  # noqa: E402
    CheckInputs,
    CheckParameters,
    PrintSummary,
    ShowProgress,
    TrackRun,
)

# Kedro calls them in reverse order
HOOKS = (CheckParameters(), CheckInputs(), PrintSummary(), TrackRun(), ShowProgress())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)  # sends no usage reports

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = LOADER_ARGUMENTS
