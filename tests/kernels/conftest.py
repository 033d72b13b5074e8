from types import ModuleType

import mapkernels
import pytest

from multifield.maps import reference


@pytest.fixture(scope="session", params=[mapkernels, reference], ids=["mapkernels", "reference"])
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    """Both implementations of the kernels, so that each test is asked of both."""
    return request.param
