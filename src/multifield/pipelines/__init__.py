"""Kedro pipelines: lists of nodes, each of which calls one function of the library."""
