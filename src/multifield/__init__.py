"""Cosmological parameters, each with an honest error, from CAMELS Multifield Dataset maps."""

__version__ = "0.1.0"
