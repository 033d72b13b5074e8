"""Kedro settings."""

from multifield import camels
from multifield.hooks import CheckParameters, PrintSummary

HOOKS = (CheckParameters(), PrintSummary())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "mock",  # a bare `kedro run` makes its own universes
    # Kedro merges environments by top-level key and drops the rest of a group unless told otherwise
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    "custom_resolvers": {"recipe_label": camels.recipe_label},
}
