"""Scores of predictions that any program made."""
