"""Kedro settings."""

import os

from multifield import camels
from multifield.config.prediction import maps_name
from multifield.config.values import choose, or_same
from multifield.hooks import CheckInputs, CheckParameters, PrintSummary, ShowProgress, TrackRun

# Kedro calls the last of them first
HOOKS = (CheckParameters(), CheckInputs(), PrintSummary(), TrackRun(), ShowProgress())

DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)  # a run reports to nobody

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "mock",  # a bare `kedro run` makes its own universes
    # Kedro merges environments by top-level key and drops the rest of a group unless told otherwise
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
    "custom_resolvers": {
        "recipe_label": camels.recipe_label,
        "or_same": or_same,
        "choose_word": lambda asked, word, yes: yes if asked == word else "",
        "run_name": camels.run_name,
        "test_folder": lambda test, at_home: "" if test == at_home else f"/test_{test}",
        "maps_name": maps_name,
        "expand_user": os.path.expanduser,
        "choose": choose,
    },
}
