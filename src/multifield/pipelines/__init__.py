"""Kedro pipelines: lists of nodes. Each node calls one function of the library.

Kedro reads the annotations of nodes to check parameters. Types that are slow to import are quoted
attributes of their package. They are imported when a run reads them, so `kedro --help` stays fast.
"""
