"""The compiled kernels, or how to build them."""

try:
    import mapkernels
except ImportError as error:
    raise ImportError(
        f"mapkernels, the compiled part of multifield, cannot be imported ({error}); "
        "build it with `pip install -e .` in the repository"
    ) from error

__all__ = ["mapkernels"]
