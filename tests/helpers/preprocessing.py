"""Settings of the preprocessing for tests."""

from multifield.config.data import PreprocessingConfig

PLAIN = PreprocessingConfig(
    smoothing_width=0,
    remove_monopole=False,
    compact=False,
    cutout=0,
    mask=None,
    zeros="refuse",
    noise=0,
    beam=0,
    n_threads=1,
)
"""Whole maps, without smoothing, by one thread."""
