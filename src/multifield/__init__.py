"""Cosmological parameters, each with an honest error, from CAMELS Multifield Dataset maps."""

from importlib.metadata import version

__version__ = version("multifield")
