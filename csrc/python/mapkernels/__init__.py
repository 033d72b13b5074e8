"""Kernels on periodic square maps, in C++.

Arrays are the caller's, of the exact type and C-contiguous; nothing is converted or copied. The
documented face is `multifield.maps.transforms`; the answers are `multifield.maps.reference`'s.

The kernels use the best of the instructions that the machine has (`instructions`). Results do not
depend on the number of threads; those of two sets of instructions may differ in the last digits.
"""

from mapkernels._core import *  # noqa: F403
