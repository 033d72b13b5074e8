"""Kedro settings."""

from multifield.config.loader import LOADER_ARGUMENTS, ConfigLoader
from multifield.hooks import CheckInputs, CheckParameters, PrintSummary, ShowProgress, TrackRun

# Kedro calls the last of them first
HOOKS = (CheckParameters(), CheckInputs(), PrintSummary(), TrackRun(), ShowProgress())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)  # a run reports to nobody

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = LOADER_ARGUMENTS
