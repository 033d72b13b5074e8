"""The compiled kernels, or the NumPy and SciPy reference if they are not installed."""

import warnings

try:
    import mapkernels
    from mapkernels import FileError
except ImportError as error:
    from multifield.maps import reference as mapkernels  # type: ignore[no-redef]

    warnings.warn(
        f"The compiled package mapkernels cannot be imported ({error}). The reference in NumPy and "
        "SciPy is used, which is 10 to 100 times slower. Wheels contain mapkernels; in a clone, "
        "build it with `pip install -e .`.",
        RuntimeWarning,
        stacklevel=2,
    )

    class FileError(OSError):  # type: ignore[no-redef]
        """A file cannot be read. The reference never raises it."""


__all__ = ["FileError", "mapkernels"]
