import numpy as np
import pytest

from multifield.maps.memory import CACHE_LINE, aligned_empty


@pytest.mark.parametrize("shape", [(3, 1, 5, 5), (1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_arrays_begin_with_a_cache_line(shape, dtype):
    arrays = [aligned_empty(shape, dtype) for _ in range(8)]  # one could be aligned by chance
    for array in arrays:
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % CACHE_LINE == 0
