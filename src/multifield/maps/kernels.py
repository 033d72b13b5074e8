"""The compiled kernels, or their twin in NumPy and SciPy where they are not built."""

import warnings

try:
    import mapkernels
    from mapkernels import FileError
except ImportError as error:
    from multifield.maps import reference as mapkernels  # type: ignore[no-redef]

    warnings.warn(
        f"mapkernels, the compiled part of multifield, cannot be imported ({error}). NumPy and SciPy do its "
        "work, 10 to 100 times slower. Wheels have it; in a clone `pip install -e .` builds it.",
        RuntimeWarning,
        stacklevel=2,
    )

    class FileError(OSError):  # type: ignore[no-redef]
        """A file cannot be read; the twin reads none."""


__all__ = ["FileError", "mapkernels"]
