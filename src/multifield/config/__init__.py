"""The one schema of a run: choices, groups of parameters, and where their values are."""
