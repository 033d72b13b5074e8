"""Kedro settings."""

from multifield.config.loader import LOADER_ARGUMENTS, ConfigLoader
from multifield.core.threads import spin_briefly
from multifield.hooks import CheckInputs, CheckParameters, PrintSummary, ShowProgress, TrackRun

spin_briefly()  # before nodes import PyTorch

# Kedro calls them in reverse order
HOOKS = (CheckParameters(), CheckInputs(), PrintSummary(), TrackRun(), ShowProgress())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)  # sends no usage reports

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = LOADER_ARGUMENTS
